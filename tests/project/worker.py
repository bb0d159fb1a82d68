"""What the tests' workers run: `celery -A project.worker worker`."""

import json
import os

from jobtracker import Settings, Tracker
from project.application import create_app

settings = Settings.from_env()
app = create_app(settings, json.loads(os.environ["PROJECT_CONF"]))
tracker = Tracker(app, settings, track=os.environ["PROJECT_TRACK"])  # type: ignore[arg-type]
