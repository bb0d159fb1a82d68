"""What the bookshop does for an order."""

import json
import os
from pathlib import Path

from celery import chord, shared_task

from bookshop.stock.tasks import reserve


@shared_task
def price(isbn: str, copies: int = 1) -> int:
    """What copies of a book cost, in cents."""
    prices = json.loads(Path(os.environ["BOOKSHOP_PRICES"]).read_text())
    if isbn not in prices:
        raise LookupError(f"there is no price for {isbn}")
    return prices[isbn] * copies


@shared_task
def total(prices: list[int], discount: int = 0) -> int:
    """What an order costs, in cents."""
    return sum(prices) - discount


@shared_task
def invoice(cents: int, customer: str) -> str:
    """Write an invoice."""
    return f"{customer}: {cents / 100:.2f}"


@shared_task
def order(customer: str, isbns: list[str]) -> str:
    """Take an order: all its prices, their total, the invoice, and the books from their shelves."""
    books = chord([price.s(isbn) for isbn in isbns], total.s())
    result = (books | invoice.s(customer) | reserve.si(isbns)).delay()
    return str(result.id)
