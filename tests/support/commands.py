"""Commands run in this process against an API under test."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from jobtracker.cli.app import app
from support.serving import Api
from support.terminal import shown_on_terminal

WIDTH = 80


def run(api: Api | str, *arguments: str, stdin: str | None = None) -> Result:
    """Run a command against an API, with its output in a file."""
    url = api if isinstance(api, str) else str(api.http.base_url)
    return CliRunner().invoke(app, list(arguments), env={"JOBTRACKER_URL": url}, input=stdin)


def said(api: Api, *arguments: str, status: int = 0, stdin: str | None = None) -> str:
    """What a command prints, which must end with that status, and without a traceback or colours."""
    result = run(api, *arguments, stdin=stdin)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.stderr
    assert "\x1b" not in result.output
    return result.stdout


def lines(api: Api, *arguments: str, **options: Any) -> list[str]:
    """The lines that a command prints."""
    return said(api, *arguments, **options).splitlines()


def shown(api: Api, *arguments: str) -> list[str]:
    """The lines that a command shows on a terminal of 80 columns."""
    return shown_on_terminal(WIDTH, *arguments, env={"JOBTRACKER_URL": str(api.http.base_url)})


def document(api: Api, *arguments: str, status: int = 0) -> Any:
    """The JSON that a command prints, one document."""
    return json.loads(said(api, *arguments, "--json", status=status))


def refusal(api: Api | str, *arguments: str, status: int = 1) -> str:
    """What a command says on stderr, on one line, as it ends with that status."""
    result = run(api, *arguments)
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    return " ".join(result.stderr.replace("│", " ").split())
