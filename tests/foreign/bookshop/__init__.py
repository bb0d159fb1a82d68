"""A Celery project as other teams have them. It knows jobtracker by two lines in `celery.py`, and by nothing else."""

from bookshop.celery import app as celery_app

__all__ = ["celery_app"]
