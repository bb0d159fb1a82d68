"""The tasks, one file for each job type."""
