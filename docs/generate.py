"""Writes the pages of the site that come from the code: `make docs` runs this before it builds the site.

* reference/http-routes.md and reference/openapi.json, from the API's OpenAPI document
* reference/commands.md, from the command line's own help
* changelog.md, contributing.md and security.md, from the files of these names beside the README
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from jobtracker.cli.app import app as command_line
from jobtracker.server import create_app

DOCS = Path(__file__).resolve().parent
_METHODS = ("get", "post", "put", "patch", "delete")
_AREAS = {"jobs": "Jobs", "tracking": "Tracking", "health": "Health"}
# Every route may answer these; the page says so once.
_COMMON_ANSWERS = {"403", "408", "413", "421", "422", "503"}


def main() -> None:
    """Write all pages."""
    document = create_app().openapi()
    reference = DOCS / "reference"
    (reference / "openapi.json").write_text(json.dumps(document) + "\n")
    (reference / "http-routes.md").write_text("\n".join(_routes_page(document)))
    (reference / "commands.md").write_text("\n".join(_commands_page()))
    for name in ("CHANGELOG", "CONTRIBUTING", "SECURITY"):
        text = (DOCS.parent / f"{name}.md").read_text()
        # Seen from docs/, a link into docs/ begins one folder lower.
        (DOCS / f"{name.lower()}.md").write_text(text.replace("](docs/", "]("))


# -- the HTTP API


def _routes_page(document: dict[str, Any]) -> Iterator[str]:
    yield "# HTTP routes"
    yield ""
    yield "Made from the [OpenAPI document](openapi.json) of this release. [The HTTP API](http-api.md) says what all"
    yield "routes have in common: errors, limits, headers, paging. A running API shows the same, to try, at `/docs`."
    yield ""
    statuses = ", ".join(sorted(_COMMON_ANSWERS))
    yield f"Every route may answer with a [problem](http-api.md#errors) of status {statuses}."
    yield ""
    for tag, title in _AREAS.items():
        yield f"## {title}"
        yield ""
        for path, operations in document["paths"].items():
            for method in _METHODS:
                operation = operations.get(method)
                if operation and operation.get("tags", [""])[0] == tag:
                    yield from _route(method, path, operation)
    yield "## Models"
    yield ""
    for name, schema in sorted(document["components"]["schemas"].items()):
        yield from _model(name, schema)


def _route(method: str, path: str, operation: dict[str, Any]) -> Iterator[str]:
    yield f"### `{method.upper()} {path}`"
    yield ""
    yield _paragraphs(operation.get("description") or operation["summary"])
    yield ""
    if parameters := operation.get("parameters"):
        yield "| parameter | in | type | |"
        yield "|---|---|---|---|"
        for each in parameters:
            need = "**required** " if each.get("required") and each["in"] != "path" else ""
            about = _cell(need + each.get("description", ""))
            # A parameter that is left out is what the schema calls null.
            kind = _type(each["schema"]).replace(" or null", "")
            yield f"| `{each['name']}` | {each['in']} | {kind} | {about} |"
        yield ""
    body = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if body:
        yield f"Body: {_type(body['schema'])}"
        yield ""
    yield "Answers:"
    yield ""
    for status, answer in sorted(operation["responses"].items()):
        if status in _COMMON_ANSWERS:
            continue
        content = answer.get("content", {}).get("application/json")
        if content:
            yield f"* {status}: {_type(content['schema'])}"
        else:
            yield f"* {status}: {_cell(answer['description'])}"
    yield ""


def _model(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f"### {name} {{ #{_anchor(name)} }}"
    yield ""
    text, _, attributes = schema.get("description", "").partition("Attributes:\n")
    if text.strip():
        yield _paragraphs(text)
        yield ""
    about = dict(re.findall(r"^ {4}(\w+): ((?:.|\n {5,})+)", attributes, re.MULTILINE))
    if values := schema.get("enum"):
        yield "One of " + ", ".join(f"`{value}`" for value in values) + "."
        yield ""
        return
    fields = schema.get("properties", {})
    if not fields:
        return
    required = set(schema.get("required", ()))
    yield "| field | type | |"
    yield "|---|---|---|"
    for field, each in fields.items():
        need = "**required** " if field in required and "default" not in each else ""
        text = each.get("description") or about.get(field, "")
        yield f"| `{field}` | {_type(each)} | {_cell(need + text)} |"
    yield ""


def _type(schema: dict[str, Any]) -> str:
    """A JSON Schema in a few words, with links to the models that it names."""
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{_anchor(name)})"
    for kind in ("anyOf", "oneOf", "allOf"):
        if alternatives := schema.get(kind):
            return " or ".join(dict.fromkeys(_type(each) for each in alternatives)) + _default(schema)
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    if values := schema.get("enum"):
        return " or ".join(f"`{value}`" for value in values) + _default(schema)
    kind = schema.get("type", "any JSON value")
    if kind == "array":
        return f"list of {_type(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return f"{schema.get('format', kind)}{_bounds(schema)}{_default(schema)}"


def _bounds(schema: dict[str, Any]) -> str:
    parts = []
    if "minimum" in schema or "maximum" in schema:
        parts.append(f"{schema.get('minimum', '…')} to {schema.get('maximum', '…')}")
    if "maxLength" in schema:
        parts.append(f"up to {schema['maxLength']} characters")
    return f" ({', '.join(parts)})" if parts else ""


def _default(schema: dict[str, Any]) -> str:
    value = schema.get("default")
    return "" if value is None or value in ([], {}, "") else f", default `{json.dumps(value)}`"


def _anchor(name: str) -> str:
    return "model-" + re.sub(r"[^a-z0-9]+", "-", name.lower())


# -- the command line


def _commands_page() -> Iterator[str]:
    yield "# Commands"
    yield ""
    yield "The help of every command of this release. [The command line](command-line.md) says what is common to all:"
    yield "exit statuses, JSON, where the API is looked for."
    yield ""
    yield from _command("jobtracker", typer.main.get_command(command_line))


def _command(name: str, command: Any) -> Iterator[str]:
    if hasattr(command, "list_commands"):
        context = command.context_class(command, info_name=name)
        for each in command.list_commands(context):
            yield from _command(f"{name} {each}", command.get_command(context, each))
        return
    context = command.context_class(command, info_name=name)
    records = [record for each in command.params if (record := each.get_help_record(context))]
    yield f"## {name}"
    yield ""
    yield _paragraphs((command.help or "").replace("\b", ""))
    yield ""
    yield f"    {' '.join([name, *command.collect_usage_pieces(context)])}"
    yield ""
    if records:
        yield "| | |"
        yield "|---|---|"
        for left, right in records:
            yield f"| `{re.sub(r' <[^>]*>', '', left)}` | {_cell(right)} |"
        yield ""


# -- text


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n"))


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    main()
