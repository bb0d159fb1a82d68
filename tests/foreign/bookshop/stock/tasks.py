"""What the bookshop does in its store rooms."""

from celery import Task, group, shared_task

from bookshop.celery import app


class Reserve(Task):
    """Take books from their shelves."""

    name = "bookshop.stock.reserve"
    acks_late = True

    def run(self, isbns: list[str], shelf: str = "front") -> dict[str, str]:
        """Where each book is."""
        return dict.fromkeys(isbns, shelf)


reserve = app.register_task(Reserve())


@shared_task
def count(shelf: str) -> int:
    """How many letters the name of a shelf has, for want of a better number."""
    return len(shelf)


@shared_task
def check_shelves() -> str:
    """Have all shelves counted."""
    return str(group(count.s(shelf) for shelf in ("front", "back")).delay().id)
