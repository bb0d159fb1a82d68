"""`python -m chaos`: a run, its report, and exit status 1 where anything is off."""

import argparse
import logging
import os
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import cast

from support.servers import RABBITMQ_PATH

from chaos.run import Wanted, run
from chaos.stack import BROKERS, Broker, clock_library
from chaos.trouble import WEIGHTS
from jobtracker.local.supervisor import StopRequestedError, Supervisor, stop_on_signals


def main() -> int:
    """Make a run."""
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="decides orders and faults")
    parser.add_argument("--seconds", type=float, default=90, help="how long the trouble lasts (90)")
    parser.add_argument("--every", type=float, default=2.5, help="about so many seconds between two faults (2.5)")
    parser.add_argument(
        "--faults", default=",".join(WEIGHTS), help="the kinds of faults, or none (%(default)s)", metavar="KINDS"
    )
    parser.add_argument("--senders", type=int, default=3, help="how many place orders at once (3)")
    parser.add_argument(
        "--broker",
        choices=[*BROKERS, "both"],
        default="redis",
        help="Celery's broker; both: half of the time each, one after the other (redis)",
    )
    parser.add_argument(
        "--tracking-apart",
        action="store_true",
        help="the tracking has a Redis of its own; with RabbitMQ it always has",
    )
    parser.add_argument("--folder", type=Path, help="keep data, logs, journal and report here, whatever comes of it")
    given = parser.parse_args()
    kinds = [kind for kind in given.faults.split(",") if kind and kind != "none"]
    if unknown := set(kinds) - set(WEIGHTS):
        parser.error(f"no faults of these kinds: {', '.join(sorted(unknown))}")
    brokers = list(BROKERS) if given.broker == "both" else [given.broker]
    if problem := _what_is_missing(brokers, kinds):
        parser.error(problem)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    print(f"seed {given.seed}", flush=True)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    supervisor = Supervisor()
    reports = []
    with stop_on_signals(supervisor.request_stop), suppress(StopRequestedError):
        for broker in brokers:
            seconds = given.seconds / len(brokers)
            wanted = Wanted(
                given.seed, seconds, given.every, kinds, given.senders, given.tracking_apart, cast("Broker", broker)
            )
            report = run(wanted, folder / broker, supervisor)
            (folder / broker / "report.json").write_text(report.as_json())
            print(report.as_text(), flush=True)
            reports.append(report)
    is_whole = len(reports) == len(brokers)
    is_good = all(report.is_good for report in reports)
    if not given.folder and is_good:
        shutil.rmtree(folder)
    if not is_whole:
        print("Stopped on request.", file=sys.stderr)
        return 130
    if is_good:
        return 0
    again = f"--seed {given.seed} --seconds {given.seconds:g} --every {given.every:g} --faults {given.faults}"
    again += f" --senders {given.senders} --broker {given.broker}{' --tracking-apart' * given.tracking_apart}"
    print(f"All that is known of these jobs is in {folder}/*/report.json, beside the journals and the logs.")
    print(f'The same orders and faults again: make chaos ARGS="{again}"')
    return 1


def _what_is_missing(brokers: list[str], kinds: list[str]) -> str | None:
    """What is not installed; in the CI all has to be, else a clock that can't be turned back stays right."""
    if "rabbitmq" in brokers and shutil.which("rabbitmq-server", path=RABBITMQ_PATH) is None:
        return "RabbitMQ is not installed: apt-get install --no-install-recommends rabbitmq-server"
    if "clock" in kinds and clock_library() is None:
        advice = "no clock can be turned back: apt-get install --no-install-recommends libfaketime"
        if os.environ.get("CI"):
            return advice
        print(advice, file=sys.stderr)
    return None


if __name__ == "__main__":
    sys.exit(main())
