"""`python -m soak`: a soak, its report, and exit status 1 where anything is off."""

import argparse
import secrets
import sys
import time
from pathlib import Path

from soak.run import Wanted, run


def main() -> int:
    """Make a soak."""
    parser = argparse.ArgumentParser(prog="make soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long the load lasts (30)")
    parser.add_argument("--share", type=float, default=0.7, help="of what the stack can do, how much (0.7)")
    parser.add_argument("--restart-engine", metavar="CMD", help="restart the engine by this command, once")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6), help="decides what is asked and hit")
    parser.add_argument(
        "--most-mb-per-hour", type=float, default=30, help="a process that grows faster is off (30)", metavar="MB"
    )
    parser.add_argument("--json", type=Path, default=Path("soak.json"), help="keep all figures here (soak.json)")
    given = parser.parse_args()
    wanted = Wanted(given.minutes, given.share, given.restart_engine, given.seed, given.most_mb_per_hour)
    say(f"seed {given.seed}")
    report = run(wanted, say)
    print(report.as_text(), flush=True)
    given.json.write_text(report.as_json())
    return 1 if report.off else 0


def say(text: str) -> None:
    """Print a line with the time."""
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
