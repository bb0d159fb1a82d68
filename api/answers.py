"""Answers that are more than what FastAPI makes of a model."""

from fastapi import Response


class WrittenJson(Response):
    """JSON that the library has written already. What it looks like says the route's `response_model`."""

    media_type = "application/json"
