"""Reports on their way to the store."""
