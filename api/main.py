"""The API as this repository deploys it: `python -m api.main`, or `uvicorn api.main:create_app --factory`."""

from jobtracker.server import create_app
from jobtracker.server.__main__ import main

__all__ = ["create_app"]

if __name__ == "__main__":
    main()
