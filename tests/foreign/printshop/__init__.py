"""A Celery project with known troubles. Its environment and its files say which."""

from printshop.celery import app as celery_app

__all__ = ["celery_app"]
