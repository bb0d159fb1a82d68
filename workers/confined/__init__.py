"""Runs the work of a job in a process of its own, within a budget of memory, CPU time and wall time."""
