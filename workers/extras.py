"""The packages that only some tasks need, and how their absence is told."""


class MissingExtraError(RuntimeError):
    """A task needs a package that is not installed; the message says which extra brings it."""

    def __init__(self, task: str, package: str) -> None:
        super().__init__(f"{task} needs {package}: pip install 'celery-jobtracker[workers]'")
