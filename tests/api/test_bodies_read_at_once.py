"""A body that is read at once is refused in the words in which FastAPI refuses it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.serving import Api, running_api

pytestmark = pytest.mark.thorough

AS_JSON = {"Content-Type": "application/json"}
VALUES: tuple[Any, ...] = (None, True, 1, -1, 1.5, "", "x", "é\ud800", [], ["x"], [None], {}, {"x": 1})
"""Each field of a body has each of these once."""
WHOLE = (
    *(b"", b" ", b"{", b"{}", b"[]", b"null", b"1", b'"x"', b"[{}]", b"\xff", b"\xef\xbb\xbf{}", b'{"x": 1}'),
    *(b'{"a": NaN}', b'{"name": 1, "name": "x"}', b"[" * 5000, b'{"x":' * 5000),
)
TYPES = (None, "text/plain", "application/json; charset=utf-8", "application/merge-patch+json", "nonsense")


@pytest.fixture(scope="module")
def both(redis_server, tmp_path_factory) -> Iterator[tuple[Api, Api]]:
    folder = tmp_path_factory.mktemp("both")
    fastapis = ["uvicorn", "fastapis_reading:create_app", "--factory", "--app-dir", str(Path(__file__).parent)]
    with (
        running_api(folder, redis_url=redis_server.url, redis_db=14) as ours,
        running_api(folder, command=fastapis, redis_url=redis_server.url, redis_db=14) as theirs,
    ):
        yield ours, theirs


def operations(api: Api) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method and path of each route that reads JSON, and a body whose fields are those that it may have."""
    described = api.get("/openapi.json")
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            if schema := content.get("application/json", {}).get("schema"):
                named = schema.get("$ref") or next((each.get("$ref") for each in schema.get("anyOf", [])), None)
                model = described["components"]["schemas"][named.rpartition("/")[2]] if named else schema
                yield method.upper(), path.replace("{", "").replace("}", ""), model


def answer(api: Api, method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[int, Any]:
    response = api.http.request(method, path, content=body, headers=headers)
    said = response.json() if response.status_code >= 400 else None
    if said:
        said.pop("request_id")
    return response.status_code, said


def test_what_is_wrong_with_a_body_is_said_as_fastapi_says_it(both):
    ours, theirs = both
    refused, routes = 0, list(operations(ours))
    for method, path, model in routes:
        example = model.get("example") or {}
        bodies = [(body, AS_JSON) for body in WHOLE]
        bodies += [(b"{}", {"Content-Type": each} if each else {}) for each in TYPES]
        for name in [*model.get("properties", {}), "unknown"]:
            bodies += [(json.dumps({**example, name: value}).encode(), AS_JSON) for value in VALUES]
            bodies.append((json.dumps({k: v for k, v in example.items() if k != name}).encode(), AS_JSON))
        for body, headers in bodies:
            found = [answer(api, method, path, body, headers) for api in (ours, theirs)]
            assert found[0] == found[1], (method, path, body[:200], headers)
            refused += found[0][0] == 422
    assert len(routes) > 15
    assert refused > 600
