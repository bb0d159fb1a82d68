"""The bookshop's Celery configuration."""

import os

broker_url = os.environ["BOOKSHOP_REDIS"]
result_backend = os.environ["BOOKSHOP_REDIS"]
broker_connection_retry_on_startup = True
task_default_queue = "orders"
task_routes = {"bookshop.stock.*": {"queue": "stock"}}
beat_schedule = {"look after the shelves": {"task": "bookshop.stock.tasks.check_shelves", "schedule": 0.5}}
beat_max_loop_interval = 0.2
