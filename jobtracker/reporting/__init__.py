"""Sends reports to the store: at once, in batches, or after an outage."""
