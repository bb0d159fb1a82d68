"""The curl examples of the page on the HTTP API, as they stand there."""

import re
import shlex
from pathlib import Path

import httpx

_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "http-api.md"
_DOCUMENTED_URL = "http://localhost:19000"

_SECTION = _PAGE.read_text().partition("\n## Examples\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"^ {4}(curl .+)$", _SECTION, re.MULTILINE)
DOCUMENT, TREE, STATS, PENDING, ENTITIES, PAGE = EXAMPLES


def send(http: httpx.Client, command: str) -> httpx.Response:
    """Send what curl would send, to where a client's base URL says."""
    method, url, headers, body = "GET", "", {}, None
    words = iter(shlex.split(command)[1:])
    for word in words:
        match word:
            case "-X":
                method = next(words)
            case "-H":
                name, _, value = next(words).partition(": ")
                headers[name] = value
            case "-d":
                body = next(words)
            case _:
                url = word
    assert url.startswith(_DOCUMENTED_URL)
    return http.request(method, url.removeprefix(_DOCUMENTED_URL), headers=headers, content=body)
