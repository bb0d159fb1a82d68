"""Says what is wrong with the settings of all containers, before one waits for another: see docker-compose.yml."""

import os
import sys

from jobtracker.local.flower import FlowerSettings
from jobtracker.server.settings import ApiSettings
from jobtracker.settings import EnvironmentSettings, SettingsError
from workers.confined.budget import Budget
from workers.limits import DocumentSettings
from workers.running import RunSettings
from workers.tables.settings import TableSettings

CHECKED: tuple[type[EnvironmentSettings], ...] = (
    ApiSettings,
    FlowerSettings,
    RunSettings,
    Budget,
    DocumentSettings,
    TableSettings,
)


def main() -> None:
    """End with a message for each setting that can't be used, or in silence."""
    environ = dict(os.environ)
    if "flower" in environ.get("COMPOSE_PROFILES", "").split(","):
        environ["FLOWER_ADDRESS"] = "0.0.0.0"  # noqa: S104 -- as it listens in its container
    problems: list[str] = []
    for each in CHECKED:
        try:
            each.from_env(environ).check()
        except SettingsError as error:
            problems.append(str(error))
        if problems and each is ApiSettings:
            break  # the others have the same settings
    if problems:
        sys.exit("\n".join(problems))


if __name__ == "__main__":
    main()
