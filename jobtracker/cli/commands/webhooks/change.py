"""`jobtracker webhooks create|enable|disable|rotate|delete|test|redeliver`."""

import time
from pathlib import Path
from typing import Annotated

import typer

from jobtracker.cli.commands.webhooks.look import WebhookId, last_attempt_of, state_of
from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.exit_codes import ExitStatus
from jobtracker.cli.for_each import confirm
from jobtracker.cli.options import AsJson, Url, Yes, read_seconds
from jobtracker.cli.tables import print_json
from jobtracker.client import Client
from jobtracker.schemas.webhooks import Delivery, DeliveryState, WebhookCreated, WebhookEvent

WebhookIds = Annotated[list[str], typer.Argument(metavar="WEBHOOK", help="The ids of webhooks.", show_default=False)]
DeliveryIds = Annotated[
    list[str], typer.Argument(metavar="DELIVERY", help="The ids of deliveries.", show_default=False)
]
_POLL_S = 0.5


def create(
    where: Annotated[
        str,
        typer.Argument(
            metavar="URL", help="Where messages are posted to; or mailto:somebody@example.com.", show_default=False
        ),
    ],
    event: Annotated[
        list[WebhookEvent],
        typer.Option("--event", "-e", metavar="EVENT", help=f"{', '.join(WebhookEvent)}; may be repeated."),
    ],
    job_type: Annotated[
        list[str] | None, typer.Option("--type", metavar="TYPE", help="Only jobs of this type; may be repeated.")
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Only jobs with this tag; may be repeated.")
    ] = None,
    queue: Annotated[
        list[str] | None, typer.Option(metavar="QUEUE", help="Only of this queue; may be repeated.")
    ] = None,
    older_than: Annotated[
        float,
        typer.Option(metavar="DURATION", parser=read_seconds, help="For queue.older_than."),
    ] = "5m",  # type: ignore[assignment] # typer parses it
    template: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A file with what is posted instead of the message.", dir_okay=False),
    ] = None,
    description: Annotated[str, typer.Option(metavar="TEXT", help="For people.")] = "",
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Create a webhook, and print its secret: it is shown only now.

    Messages are signed as Standard Webhooks says. There are libraries that verify them for most languages.
    """
    text = template.read_text() if template else None
    with Client(url) as client:
        made = client.create_webhook(
            where,
            [each.value for each in event],
            description=description,
            job_types=job_type or (),
            tags=tag or (),
            queues=queue or (),
            older_than_s=round(older_than),
            template=text,
        )
    _print_secret(made, as_json=as_json)


def rotate(
    webhook: WebhookId,
    keep_old: Annotated[
        float,
        typer.Option(
            metavar="DURATION",
            parser=read_seconds,
            help="How long messages are signed with the old secret too.",
        ),
    ] = "1d",  # type: ignore[assignment] # typer parses it
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Give a webhook a new secret, and print it.

    Until --keep-old is over, messages have two signatures. Set the new secret at the receiver meanwhile.
    """
    with Client(url) as client:
        made = client.rotate_webhook(webhook, keep_old_s=round(keep_old))
    _print_secret(made, as_json=as_json)


def enable(webhooks: WebhookIds, url: Url = None) -> None:
    """Enable webhooks. What jobtracker had disabled is tried anew."""
    _switch(webhooks, url, enabled=True)


def disable(webhooks: WebhookIds, url: Url = None) -> None:
    """Disable webhooks: they are told nothing. What is still to be sent to them is given up."""
    _switch(webhooks, url, enabled=False)


def delete(webhooks: WebhookIds, yes: Yes = False, url: Url = None) -> None:
    """Delete webhooks, with what was to be sent to them."""
    confirm(f"Delete {', '.join(webhooks)}?", yes=yes)
    with Client(url) as client:
        for each in webhooks:
            client.delete_webhook(each)
            output_console().print(f"{each}  deleted")


def send_test(
    webhook: WebhookId,
    timeout: Annotated[
        float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for what becomes of it.")
    ] = 20.0,
    url: Url = None,
) -> None:
    """Send a test message, and say what became of it. The exit status is 1 if it was not taken."""
    with Client(url) as client:
        sent = client.test_webhook(webhook)
        deadline, found = time.monotonic() + timeout, sent
        while not found.attempts and time.monotonic() < deadline:
            time.sleep(_POLL_S)
            page = client.webhook_deliveries(webhook, page_size=200)
            found = next((each for each in page.deliveries if each.id == sent.id), found)
    output_console().print(f"{found.id}  {_told(found)}", soft_wrap=True, markup=False, highlight=False)
    if found.state is not DeliveryState.DELIVERED:
        raise typer.Exit(ExitStatus.FAILED)


def redeliver(webhook: WebhookId, deliveries: DeliveryIds, url: Url = None) -> None:
    """Send deliveries once more, under their own ids. Those that are pending are sent now."""
    with Client(url) as client:
        for each in deliveries:
            found = client.redeliver(webhook, each)
            output_console().print(f"{found.id}  {found.event} {found.subject}", highlight=False, markup=False)


def _switch(webhooks: list[str], url: str | None, *, enabled: bool) -> None:
    with Client(url) as client:
        for each in webhooks:
            was = client.webhook(each)
            found = client.update_webhook(
                each,
                was.url,
                [event.value for event in was.events],
                description=was.description,
                job_types=was.job_types,
                tags=was.tags,
                queues=was.queues,
                older_than_s=was.older_than_s,
                template=was.template,
                enabled=enabled,
            )
            output_console().print(f"{each}  {state_of(found)}", highlight=False)


def _told(delivery: Delivery) -> str:
    if not delivery.attempts:
        return "pending: no API has sent it yet"
    return f"{delivery.state}: {last_attempt_of(delivery)}"


def _print_secret(made: WebhookCreated, *, as_json: bool) -> None:
    if as_json:
        print_json(made)
        return
    output_console().print(f"{made.id}  {made.secret}", soft_wrap=True, markup=False, highlight=False)
    error_console().print("This is its secret. It is shown only now.", style="yellow")
