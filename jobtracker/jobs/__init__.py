"""The use cases of jobs, and their consequences."""
