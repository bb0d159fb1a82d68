"""A user's project whose tests use the pytest plugin."""
