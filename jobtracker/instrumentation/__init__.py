"""Celery's side: what its signals and messages tell."""
