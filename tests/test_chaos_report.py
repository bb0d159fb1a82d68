"""What a chaos run prints."""

import subprocess
import sys
from pathlib import Path

# In a process of its own: the tasks of a chaos run have names that the tests' own have too.
PROGRAM = """
from chaos.report import Report
made = {"redis": 2, "API ended by itself": 1}
print(Report(seed=1, seconds=9, faults=made, settled_after_s=1.0, figures={}, findings=[]).as_text())
"""


def test_every_kind_of_fault_is_listed_whether_it_occurred_or_not():
    told = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=Path(__file__).parent, capture_output=True, text=True, check=True
    ).stdout
    rows = [line.rsplit(maxsplit=1) for line in told.splitlines() if line.startswith(("faults", "  "))]
    assert {name.strip(): int(number) for name, number in rows} == {
        "faults": 3,
        "pool children killed": 0,
        "workers killed": 0,
        "workers told to end": 0,
        "API killed": 0,
        "Redis killed": 2,
        "workers paused beyond their lease": 0,
        "API ended by itself": 1,
    }
