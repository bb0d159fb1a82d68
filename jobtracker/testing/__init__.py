"""Testing tracked tasks: a pytest plugin that runs them on a worker of their own and shows what became of them."""

from typing import TYPE_CHECKING

from jobtracker.core.lazy_names import lazy_names

if TYPE_CHECKING:
    from jobtracker.testing.jobs import TrackedJobs

__all__ = ["TrackedJobs"]

__getattr__ = lazy_names(__name__, {"TrackedJobs": "jobtracker.testing.jobs"})


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
