"""The command line `jobtracker`: one module a command, put together in `app`."""

import sys


def main() -> None:
    """Run the command line; without the packages of the extra `cli`, say so and exit with status 2."""
    try:
        try:
            from jobtracker.cli.app import run
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] != "typer":
                raise
            from jobtracker.errors import MissingExtraError

            sys.exit(_without(MissingExtraError("The command line", "typer", "cli")))
    except KeyboardInterrupt:  # before there is a command that could end what it began
        sys.stderr.write("Interrupted.\n")
        sys.exit(130)
    run()


def _without(error: ImportError) -> int:
    sys.stderr.write(f"Error: {error}\n")
    return 2
