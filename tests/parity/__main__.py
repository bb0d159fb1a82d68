"""`python -m parity FOLDER POOL SEED`: one side of the comparison; prints what became of it as JSON."""

import json
import sys
from pathlib import Path

from parity.workload import run

print(json.dumps(run(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))))  # noqa: T201
