"""An API with a route that fails, for `uvicorn failing_api:create_app --factory`."""

from fastapi import FastAPI

from jobtracker import server


def create_app() -> FastAPI:
    """The API, and /fails."""
    app = server.create_app()

    @app.get("/fails")
    def fails() -> None:
        raise RuntimeError("a secret of the inside")

    return app
