"""A Celery project as users have them, for tests: its tasks write down what they really did."""
