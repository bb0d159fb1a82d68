"""`jobtracker types`."""

import json
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from jobtracker.cli.console import error_console, output_console
from jobtracker.cli.options import AsJson, Url
from jobtracker.cli.sanitize import one_line
from jobtracker.cli.tables import Column, print_json, print_table
from jobtracker.client import Client
from jobtracker.core.lifecycle import OnLost
from jobtracker.errors import JobTrackerError
from jobtracker.schemas.job_types import JobType

_TYPES = [Column("TYPE"), Column("QUEUE", may_shrink=True), Column("DESCRIPTION", may_shrink=True)]
_FIELDS = [
    Column("FIELD"),
    Column("TYPE", may_shrink=True),
    Column("DEFAULT"),
    Column("DESCRIPTION", may_shrink=True),
]


class NoSuchTypeError(JobTrackerError):
    """There is no job type of that name."""


def types(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Show this type, with the fields of its payload.")
    ] = None,
    url: Url = None,
    as_json: AsJson = False,
) -> None:
    """List the job types that can be created, or show one type with the fields of its payload."""
    with Client(url) as client:
        found = client.job_types()
    if name is None:
        if as_json:
            print_json(found)
        else:
            print_table(output_console(), _TYPES, [(t.name, t.queue, _first_sentence(t)) for t in found])
            if not any(map(_is_announced, found)):
                error_console().print("No worker has announced its types yet: start one.", style="dim")
        return
    job_type = next((t for t in found if t.name == name), None)
    if job_type is None:
        raise NoSuchTypeError(f"There is no job type {name!r}. Known are: {', '.join(t.name for t in found)}.")
    if as_json:
        print_json(job_type)
    else:
        _print_type(output_console(), job_type)


def _is_announced(job_type: JobType) -> bool:
    """If no worker has announced a type, the API knows only its name.

    `custom` is the API's own type, and has no task.
    """
    return bool(job_type.task) and job_type != JobType(name=job_type.name, task=job_type.name)


def _first_sentence(job_type: JobType) -> str:
    return one_line(job_type.description).partition(". ")[0]


def _print_type(console: Console, job_type: JobType) -> None:
    schema = job_type.payload_schema
    for title, value in (
        ("type", job_type.name),
        ("task", job_type.task),
        ("queue", job_type.queue),
        (
            "sub-jobs",
            "needs them"
            if job_type.needs_results
            else "may have them"
            if job_type.takes_results
            else "can't have them",
        ),
        ("if lost", _if_lost(job_type)),
        ("about", one_line(job_type.description)),
    ):
        if value:
            console.print(Text(f"{title:<8}  ", "bold").append(Text(value)), soft_wrap=True)
    if schema is None:
        console.print("Its payload is not described: anything is taken.")
        return
    fields = schema.get("properties", {})
    if fields:
        console.print()
        print_table(console, _FIELDS, [_field(name, field, schema) for name, field in fields.items()])


def _if_lost(job_type: JobType) -> str:
    """What happens to a job of that type if its worker dies."""
    if not _is_announced(job_type):
        return ""
    most = f"; fails at {job_type.max_deliveries} losses"
    if job_type.acks_late:
        return f"is delivered again{most}"
    return f"runs again{most}" if job_type.on_lost is OnLost.RERUN else "fails"


def _field(name: str, field: dict[str, Any], schema: dict[str, Any]) -> tuple[str, str, str, str]:
    default = json.dumps(field["default"]) if "default" in field else ""
    if name in schema.get("required", ()):
        default = "required"
    return name, _type_of(field, schema.get("$defs", {})), default, field.get("description", "")


def _type_of(schema: dict[str, Any], definitions: dict[str, Any]) -> str:
    """A JSON Schema's type in a few words."""
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        definition = definitions.get(name, {})
        return _type_of(definition, {}) if "enum" in definition else name
    if "enum" in schema:
        return " or ".join(map(str, schema["enum"]))
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        kinds = [_type_of(each, definitions) for each in alternatives if each.get("type") != "null"]
        return " or ".join(dict.fromkeys(kinds))
    kind = schema.get("type", "anything")
    if kind == "array" and "items" in schema:
        return f"array of {_type_of(schema['items'], definitions)}"
    return kind if isinstance(kind, str) else " or ".join(kind)
