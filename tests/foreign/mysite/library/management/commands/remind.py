"""`manage.py remind TITLE`."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from library.tasks import remind


class Command(BaseCommand):
    """Send a reminder, and print its id."""

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the title."""
        parser.add_argument("title")

    def handle(self, *_: Any, **options: Any) -> None:
        """Send it."""
        self.stdout.write(remind.delay(options["title"]).id)
