"""What can be done with jobs, and what follows from it."""
