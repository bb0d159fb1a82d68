"""A Celery project that jobtracker tracks: one real task for each documented job type."""
