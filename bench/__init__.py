"""Measurements, as ratios of things run side by side in one run. `python -m bench --help`."""

import sys
from pathlib import Path

sys.path += [str(Path(__file__).resolve().parents[1] / name) for name in ("tests", "web")]
"""For the browser that tests drive (`support.browser`), and for what builds the page (`toolchain`)."""
