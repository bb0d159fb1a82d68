"""Flower over Celery's broker as the environment names it, without task code: `python -m jobtracker.local.flower`.

Flower reads its options from the environment variables that begin with FLOWER_ (flower/command.py,
apply_env_options). Here are the few whose defaults are others, or that must not be forgotten.
"""

import logging
import os
import sys

from celery import Celery
from pydantic import Field, ValidationInfo, field_validator

from jobtracker.broker.config import configure
from jobtracker.core.net import is_loopback
from jobtracker.errors import JobTrackerError, MissingExtraError
from jobtracker.local.extras import need_flower
from jobtracker.local.ports import need_free_port
from jobtracker.settings import Settings


class FlowerSettings(Settings):
    """Where Flower listens, and who may use it."""

    flower_address: str = Field(default="127.0.0.1", description="Where Flower listens.")
    flower_port: int = Field(default=5555, ge=1, le=65535, description="The port it listens on.")
    flower_auth: str | None = Field(default=None, description="Flower's pattern of OAuth users.")
    flower_basic_auth: str | None = Field(
        default=None, validate_default=True, repr=False, description="user:password, or several separated by commas."
    )
    flower_url_prefix: str = Field(
        default="",
        pattern="^(/?[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*/?$",
        description="The path below which a proxy shows Flower, e.g. flower.",
    )

    @field_validator("flower_basic_auth")
    @classmethod
    def _protects(cls, users: str | None, info: ValidationInfo) -> str | None:
        if users is None:
            if not (info.data.get("flower_auth") or is_loopback(info.data.get("flower_address", ""))):
                raise ValueError("must be user:password where others can reach Flower, which shows what workers run")
        elif not all(all(user.partition(":")) for user in users.split(",")):
            raise ValueError("must be user:password, or several of them separated by commas")
        elif not users.isascii():  # Flower compares texts, which Python does in constant time for ASCII only
            raise ValueError("must be ASCII")
        return users


def run(settings: FlowerSettings) -> None:
    """Serve until SIGINT or SIGTERM.

    Raises:
        MissingExtraError: It is not installed.
        ProcessError: Its port is taken.
    """
    need_flower()
    need_free_port(settings.flower_port, settings.flower_address, instead="set FLOWER_PORT")
    for name in [name for name in os.environ if name.startswith("FLOWER_") and not os.environ[name]]:
        del os.environ[name]  # Flower takes an empty password for one
    os.environ["FLOWER_ADDRESS"] = settings.flower_address
    if settings.flower_basic_auth:  # perhaps of a file, which Flower does not read
        os.environ["FLOWER_BASIC_AUTH"] = settings.flower_basic_auth
    # By default Flower switches task events on at all workers, every five seconds (flower/events.py).
    os.environ["FLOWER_ENABLE_EVENTS"] = str(settings.task_events)
    _log_json()
    app = Celery("flower")
    configure(app, settings)
    app.start(["flower"])


def _log_json() -> None:
    """Write JSON lines, if what makes them is installed."""
    try:
        from jobtracker.logging import capture_output, json_handler
    except MissingExtraError:
        return
    capture_output("flower")
    handler = json_handler(logging.StreamHandler(), "flower")
    logging.basicConfig(handlers=[handler], level=logging.INFO, force=True)  # Tornado adds none where there is one


def main() -> None:
    """Serve by the environment's settings; an error of ours ends the process with a message and no traceback."""
    try:
        run(FlowerSettings.from_env())
    except JobTrackerError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
