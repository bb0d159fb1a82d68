"""`jobtracker jobs bulk`."""

from typing import Annotated

import typer

from jobtracker.cli.bulk_run import follow, print_refused, print_run
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.tables import print_json
from jobtracker.client import Client
from jobtracker.core.lifecycle import SETTLED

_MOST_REFUSED = 10_000
"""What is kept of them."""


def show_bulk(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="The id of a bulk run.", show_default=False)],
    refused: Annotated[
        bool, typer.Option("--refused", help="Print the jobs that could not be changed, with the reasons.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Show how far it is until it has ended.")] = False,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """Show a bulk run: how far it is, and what became of the jobs.

    `jobs cancel` stops it: what it has changed stays so. Jobs that could not be changed are printed on stderr.
    """
    with Client(url) as client:
        run = client.bulk_run(run_id)
        if wait and run.status not in SETTLED:
            follow(client, run, as_json=as_json)
            return
        if as_json:
            print_json(run)
        else:
            print_run(run)
        if refused:
            print_refused(client, run, _MOST_REFUSED)
