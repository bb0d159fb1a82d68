"""Webhooks: tells endpoints what happens. The API processes do this, all of them together."""
