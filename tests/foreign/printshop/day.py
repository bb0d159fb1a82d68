"""`python -m printshop.day before|after`: sends what customers want before or after a deployment; prints the ids."""

import json
import sys
import time

from printshop.tasks import checkout, confirm, invoice, label, pack, price, print_page, remind, report

PRODUCTS = ("mug", "kite", "sail 4x5")
CARTS = 30
PAGES = 30
REPORTS = 6


def before() -> dict[str, list[str]]:
    """A morning with the old release."""
    sent = {
        "report": [],
        "label": [label.delay(3).id],
        "pack": [pack.delay(4).id],
        "checkout": [checkout.delay({"cents": 500 + n}).id for n in range(CARTS)],
        "price": [price.delay(product).id for product in PRODUCTS],
        "confirm": [confirm.delay(n, f"customer{n}@example.org").id for n in range(4)],
        "remind": [remind.delay(n, f"customer{n}@example.org").id for n in range(3)],
        "press-1": [print_page.apply_async([n], queue="press-1").id for n in range(PAGES)],
        "press-2": [print_page.apply_async([n], queue="press-2").id for n in range(PAGES)],
        "invoice": [invoice.delay(n).id for n in (1, 2)],  # last: they keep their worker busy until they are let go
    }
    for month in range(REPORTS):
        sent["report"].append(report.delay(month).id)
        time.sleep(0.05)  # so that each has a time of its own
    return sent


def after() -> dict[str, list[str]]:
    """An afternoon with the new release: every second cart has a coupon."""
    carts = [{"cents": 500 + n, **({"coupon": 50} if n % 2 else {})} for n in range(CARTS)]
    return {"checkout": [checkout.delay(cart).id for cart in carts], "price": [price.delay("mug").id]}


if __name__ == "__main__":
    sys.stdout.write(json.dumps({"before": before, "after": after}[sys.argv[1]]()))
