"""`python -m jobtracker.cli` is the command `jobtracker`."""

from jobtracker.cli import main

main()
