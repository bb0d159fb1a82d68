"""The site's Celery app."""

import os

from celery import Celery

from jobtracker import Tracker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")
app = Celery("mysite")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
Tracker(app)
