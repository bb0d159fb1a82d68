"""What the library does later."""

from celery import shared_task


@shared_task
def remind(title: str, days: int = 14) -> str:
    """Remind a reader."""
    return f"{title} is due in {days} days"
