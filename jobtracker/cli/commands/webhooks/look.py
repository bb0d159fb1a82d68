"""`jobtracker webhooks list|show|deliveries`."""

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Cell, Column, age, print_json, print_table, time_of
from jobtracker.client import Client
from jobtracker.schemas.webhooks import Delivery, DeliveryState, Webhook

WebhookId = Annotated[str, typer.Argument(metavar="WEBHOOK", help="The webhook's id.", show_default=False)]

_COLUMNS = [
    Column("WEBHOOK"),
    Column("STATE"),
    Column("PENDING", is_number=True),
    Column("LAST", is_number=True),
    Column("EVENTS", may_shrink=True),
    Column("URL", may_shrink=True),
]
_OF_DELIVERIES = [
    Column("DELIVERY"),
    Column("STATE"),
    Column("AGE", is_number=True),
    Column("TRIED", is_number=True),
    Column("EVENT"),
    Column("SUBJECT", may_shrink=True),
    Column("LAST ATTEMPT", may_shrink=True),
]
_STYLES = {
    DeliveryState.DELIVERED: "green",
    DeliveryState.PENDING: "yellow",
    DeliveryState.GIVEN_UP: "bold red",
}
_AT_ONCE = 200


def list_webhooks(url: Url = None, as_json: AsJson = False) -> None:
    """List the webhooks, and how they do."""
    with Client(url) as client:
        found = client.webhooks()
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _COLUMNS, map(_row, found.webhooks))
    if not found.webhooks:
        error_console().print("There are no webhooks.", style="dim")
    if found.unannounced:
        error_console().print(
            f"{found.unannounced:,} jobs were not told of: more than 50,000 had settled since an API ran.",
            style="bold red",
        )


def show(webhook: WebhookId, url: Url = None, as_json: AsJson = False) -> None:
    """Show a webhook."""
    with Client(url) as client:
        found = client.webhook(webhook)
    if as_json:
        print_json(found)
        return
    console = output_console()
    for name, value in _lines(found):
        console.print(Text(f"{name:<12}", "dim").append(one_line(value), "not dim"), soft_wrap=True)


def deliveries(
    webhook: WebhookId,
    limit: Annotated[int, typer.Option(metavar="N", min=1, help="The largest number to list.")] = 20,
    cursor: Annotated[
        str | None, typer.Option(metavar="CURSOR", help="Continue a list: the next_cursor of its JSON.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the deliveries to a webhook, pending ones first.

    Those that were sent or given up follow, the latest first.
    """
    with Client(url) as client:
        found = client.webhook_deliveries(webhook, page_size=min(limit, _AT_ONCE), cursor=cursor)
        while found.next_cursor and len(found.deliveries) < limit:
            most = min(limit - len(found.deliveries), _AT_ONCE)
            more = client.webhook_deliveries(webhook, page_size=most, cursor=found.next_cursor)
            found.deliveries += more.deliveries
            found.next_cursor = more.next_cursor
    if as_json:
        print_json(found)
        return
    print_table(output_console(), _OF_DELIVERIES, map(_delivery_row, found.deliveries))
    if not found.deliveries:
        error_console().print("Nothing was sent to it yet.", style="dim")
    elif found.next_cursor:
        error_console().print(f"{len(found.deliveries)} deliveries; more with --limit", style="dim")


def state_of(webhook: Webhook) -> Text:
    """How a webhook does, as it stands out."""
    if not webhook.enabled:
        return Text("disabled", "bold red" if webhook.disabled_reason else "dim")
    if webhook.failing_since:
        return Text(f"failing for {age(webhook.failing_since)}", "bold red")
    return Text("works" if webhook.delivered_at else "new", "green")


def last_attempt_of(delivery: Delivery) -> str:
    """What became of the last attempt."""
    if not delivery.attempts:
        return ""
    last = delivery.attempts[-1]
    return last.error or (f"HTTP {last.status}" if last.status else "taken")


def _row(webhook: Webhook) -> list[Cell]:
    last = age(webhook.delivered_at)
    return [webhook.id, state_of(webhook), webhook.pending, last, ", ".join(webhook.events), webhook.url]


def _delivery_row(delivery: Delivery) -> list[Cell]:
    state = Text(delivery.state, _STYLES[delivery.state])
    tried = delivery.attempt_count
    last = last_attempt_of(delivery)
    return [delivery.id, state, age(delivery.created_at), tried, delivery.event, delivery.subject, last]


def _lines(found: Webhook) -> Iterator[tuple[str, str]]:
    yield "url", found.url
    yield "state", state_of(found).plain
    if found.disabled_reason:
        yield "disabled", f"{time_of(found.disabled_at)}: {found.disabled_reason}"
    yield "events", ", ".join(found.events)
    for name, values in (("job types", found.job_types), ("tags", found.tags), ("queues", found.queues)):
        if values:
            yield name, ", ".join(values)
    if "queue.older_than" in found.events:
        yield "older than", f"{found.older_than_s} s"
    if found.description:
        yield "description", found.description
    if found.template:
        yield "template", found.template
    yield "pending", f"{found.pending:,}" + (f"; {found.dropped:,} were dropped" if found.dropped else "")
    yield "delivered", time_of(found.delivered_at) or "nothing yet"
    yield "secrets", "two: the one before the last rotation signs too" if found.secrets_in_use > 1 else "one"
    yield "created", time_of(found.created_at) or ""
