"""Who asks, and whether they may: every request is checked here."""
