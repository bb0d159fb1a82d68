"""A task for each way that a task can end, and some to build trees of.

Shared tasks: they join every app that is made after them.
"""

from project.tasks import lost, masked, outcomes, repeated, self_reports, trees

__all__ = ["lost", "masked", "outcomes", "repeated", "self_reports", "trees"]
