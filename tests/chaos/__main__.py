"""`python -m chaos`: a run, its report, and exit status 1 where anything is off."""

import argparse
import logging
import secrets
import shutil
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

from chaos.run import Wanted, run
from chaos.trouble import WEIGHTS
from jobtracker.supervisor import StopRequestedError, Supervisor, stop_on_signals


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
    parser.add_argument("--tracking-apart", action="store_true", help="the tracking has a Redis of its own")
    parser.add_argument("--folder", type=Path, help="keep data, logs, journal and report here, whatever comes of it")
    given = parser.parse_args()
    kinds = [kind for kind in given.faults.split(",") if kind and kind != "none"]
    if unknown := set(kinds) - set(WEIGHTS):
        parser.error(f"no faults of these kinds: {', '.join(sorted(unknown))}")
    wanted = Wanted(given.seed, given.seconds, given.every, kinds, given.senders, given.tracking_apart)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    for noisy in ("httpx", "httpcore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    print(f"seed {wanted.seed}", flush=True)
    folder = given.folder or Path(tempfile.mkdtemp(prefix="chaos-"))
    supervisor = Supervisor()
    report = None
    with stop_on_signals(supervisor.request_stop), suppress(StopRequestedError):
        report = run(wanted, folder, supervisor)
        (folder / "report.json").write_text(report.as_json())
    if not given.folder and (report is None or report.is_good):
        shutil.rmtree(folder)
    if report is None:
        print("Stopped on request.", file=sys.stderr)
        return 130
    print(report.as_text())
    if report.is_good:
        return 0
    again = f"--seed {wanted.seed} --seconds {wanted.seconds:g} --every {wanted.every_s:g} --faults {given.faults}"
    again += f" --senders {wanted.senders}{' --tracking-apart' * wanted.tracking_apart}"
    print(f"All that is known of these jobs is in {folder}/report.json, beside the journal and the logs.")
    print(f'The same orders and faults again: make chaos ARGS="{again}"')
    return 1


if __name__ == "__main__":
    sys.exit(main())
