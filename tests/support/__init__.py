"""What tests stand on: servers, processes, Celery projects, sample jobs, and what they are compared with."""
