"""The bookshop's Celery app."""

from celery import Celery

from jobtracker import Tracker

app = Celery("bookshop")
app.config_from_object("bookshop.celeryconfig")
app.autodiscover_tasks(["bookshop.orders", "bookshop.stock"])
Tracker(app)
