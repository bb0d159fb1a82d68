"""Celery's side: its signals, messages and requests become reports."""
