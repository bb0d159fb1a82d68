"""The one writer and the one reader of Redis."""
