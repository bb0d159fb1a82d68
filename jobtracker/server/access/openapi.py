"""What OpenAPI says of who may ask."""

from typing import Any

from fastapi import FastAPI

from jobtracker.core.access import Scope

_NAME = "key"
_SCHEMES = {
    _NAME: {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, `jt_<id>_<secret>`, or a token of the issuer in API_OIDC_ISSUER. Without any "
        "key, programs on the API's own machine need none.",
    }
}


def operation_of(scope: Scope) -> dict[str, Any]:
    """What the document says of a route that needs a scope."""
    return {"security": [{_NAME: []}, {}], "x-scope": str(scope)}


def describe_keys(app: FastAPI) -> None:
    """Let the document say how a key is sent."""
    make = app.openapi

    def openapi() -> dict[str, Any]:
        document = make()
        document["components"]["securitySchemes"] = _SCHEMES
        return document

    app.openapi = openapi  # type: ignore[method-assign] # FastAPI's own way to extend it
