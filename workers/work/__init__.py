"""What the tasks do, in a confined process: a module for each, which knows nothing of Celery."""
