"""`jobtracker webhooks …`: who is told what happens, and what was sent to them."""

from typing import ClassVar

import typer

from jobtracker.cli.lazy_group import OPTIONS, Entry, LazyGroup


def _entry(module: str, function: str, summary: str) -> Entry:
    return Entry(f"jobtracker.cli.commands.webhooks.{module}", function, summary)


class WebhookCommands(LazyGroup):
    """The commands of `jobtracker webhooks`."""

    entries: ClassVar = {
        "Commands": {
            "create": _entry("change", "create", "Create a webhook, and print its secret: it is shown only now."),
            "list": _entry("look", "list_webhooks", "List the webhooks, and how they do."),
            "show": _entry("look", "show", "Show a webhook."),
            "enable": _entry("change", "enable", "Enable webhooks: what was disabled is tried anew."),
            "disable": _entry("change", "disable", "Disable webhooks: they are told nothing."),
            "rotate": _entry("change", "rotate", "Give a webhook a new secret, and print it."),
            "delete": _entry("change", "delete", "Delete webhooks, with their pending deliveries."),
            "test": _entry("change", "send_test", "Send a test message, and say what became of it."),
            "deliveries": _entry("look", "deliveries", "List the deliveries to a webhook, pending ones first."),
            "redeliver": _entry("change", "redeliver", "Send deliveries once more."),
        }
    }


app = typer.Typer(
    name="webhooks",
    cls=WebhookCommands,
    help="Tell other systems, or people, what happens: create webhooks, and look at what was sent.",
    no_args_is_help=True,
    **OPTIONS,
)


@app.callback()
def _group() -> None:
    pass
