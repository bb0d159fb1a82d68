"""Redis and RabbitMQ as Celery's broker."""
