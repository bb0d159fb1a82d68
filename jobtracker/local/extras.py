"""Whether the extras are installed that the parts of the local stack need."""

from jobtracker.errors import need_packages

_SERVER = ("fastapi", "fastapi_offline", "uvicorn", "jsonschema", "jsonschema_rs", "pythonjsonlogger")


def need_server() -> None:
    """Do nothing where the API can run.

    Raises:
        MissingExtraError: A package that it needs is not installed.
    """
    need_packages("The API", "server", *_SERVER)


def need_flower() -> None:
    """Do nothing where Flower can run.

    Raises:
        MissingExtraError: It is not installed.
    """
    need_packages("Flower", "flower", "flower")
