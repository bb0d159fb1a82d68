"""A Django project as other teams have them, with the files that Celery's documentation asks for."""

from mysite.celery import app as celery_app

__all__ = ["celery_app"]
