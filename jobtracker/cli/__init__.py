"""The command line `jobtracker`: one module a command, put together in `app`."""

import sys

_EXTRA = {"typer", "rich", "httpx"}


def main() -> None:
    """Run the command line; without the packages of the extra `cli`, say so and exit with status 2."""
    try:
        from jobtracker.cli.app import run
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in _EXTRA:
            raise
        sys.stderr.write(
            f"The command line needs the package {package}: pip install 'celery-jobtracker[cli]'\n"
            "(and celery-jobtracker[embedded] for `up` and `demo`)\n"
        )
        sys.exit(2)
    except KeyboardInterrupt:  # before there is a command that could end what it began
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    run()
