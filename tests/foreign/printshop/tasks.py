"""What the print shop does."""

import os
import time
from pathlib import Path
from typing import Any

from celery import shared_task

FOLDER = Path(os.environ["PRINTSHOP_FOLDER"])
"""`unreachable` lists domains of mail that do not answer; a file `NAME.gate` lets go what waits for it."""


@shared_task
def archive(year: int) -> None:
    """Move the files of a year into the archive."""
    raise PermissionError(f"archive {year} is read-only")


@shared_task
def price(product: str) -> int:
    """What a product costs, in cents."""
    prices = {"poster": 1200, "flyer": 5}
    if product not in prices:
        raise LookupError(f"there is no price for {product!r}")
    return prices[product]


@shared_task
def checkout(cart: dict[str, Any]) -> int:
    """What a customer pays, in cents. The new release knows coupons, and forgets that most carts have none."""
    discount = cart["coupon"] if os.environ["RELEASE_LABEL"] == "shop-1.1" else 0
    return int(cart["cents"]) - discount


@shared_task
def confirm(order: int, address: str) -> str:
    """Tell a customer that an order has come."""
    return _send(address, f"We have got your order {order}.")


@shared_task
def remind(order: int, address: str) -> str:
    """Tell a customer that an order is not paid."""
    return _send(address, f"Please pay for your order {order}.")


@shared_task
def print_page(number: int) -> int:
    """Print a page. How long that takes depends on the machine."""
    time.sleep(float(os.environ["PRINTSHOP_PAGE_S"]))
    return number


@shared_task
def report(month: int) -> int:
    """Make the report of a month."""
    return _wait_for("reports", month)


@shared_task
def invoice(order: int) -> int:
    """Write an invoice."""
    return _wait_for("invoices", order)


@shared_task(acks_late=True)
def pack(order: int) -> int:
    """Pack an order. It does no harm if that is done twice."""
    return _wait_for("parcels", order)


@shared_task
def label(order: int) -> int:
    """Buy a label for a parcel."""
    return _wait_for("parcels", order)


def _send(address: str, text: str) -> str:
    domain = address.partition("@")[2]
    if domain in (FOLDER / "unreachable").read_text().split():
        raise TimeoutError(f"{domain} did not answer")
    return f"{address}: {text}"


def _wait_for(gate: str, number: int) -> int:
    deadline = time.monotonic() + 120
    while not (FOLDER / f"{gate}.gate").exists():
        if time.monotonic() > deadline:
            raise TimeoutError(f"gate {gate} did not open")
        time.sleep(0.02)
    return number
