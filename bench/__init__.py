"""Measurements, as ratios of things run side by side in one run. `python -m bench --help`."""
