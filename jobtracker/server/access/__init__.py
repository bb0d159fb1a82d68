"""The caller, and whether they may: every request is checked here."""
