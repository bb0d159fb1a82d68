"""The library's pages."""

from django.db import transaction
from django.http import HttpRequest, HttpResponse

from library.tasks import remind


@transaction.atomic
def lend(request: HttpRequest, title: str) -> HttpResponse:
    """Lend a book: the reminder goes out when the transaction has ended well."""
    remind.delay_on_commit(title)
    if "lost" in title:
        raise ValueError("the book is lost")
    return HttpResponse(title)
