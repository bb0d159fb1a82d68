"""The app of the suite's workers, as pytest-celery wants it: a template whose three names it fills in."""

from celery import Celery

from jobtracker import Tracker

imports = None

app = Celery("celery_test_app")
config = None

if config:
    app.config_from_object(config)

tracker = Tracker(app)
