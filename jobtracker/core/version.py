"""The version of what is installed."""

from importlib.metadata import PackageNotFoundError, version


def package_version() -> str:
    """The version of celery-jobtracker that runs."""
    try:
        return version("celery-jobtracker")
    except PackageNotFoundError:  # a checkout that was not installed
        return "0+unknown"
