"""The print shop's Celery app."""

import os

from celery import Celery

from jobtracker import Tracker

app = Celery("printshop", broker=os.environ["PRINTSHOP_REDIS"], backend=os.environ["PRINTSHOP_REDIS"])
app.conf.update(
    broker_connection_retry_on_startup=True,
    imports=["printshop.tasks"],
    task_default_queue="orders",
    task_routes={
        "printshop.tasks.confirm": {"queue": "mail"},
        "printshop.tasks.remind": {"queue": "mail"},
        "printshop.tasks.report": {"queue": "reports"},
        "printshop.tasks.pack": {"queue": "parcels"},
        "printshop.tasks.label": {"queue": "parcels"},
    },
    worker_prefetch_multiplier=1,
)
Tracker(app)
