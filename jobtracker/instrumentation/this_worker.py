"""The worker that this process belongs to."""

import os
from dataclasses import dataclass


@dataclass
class ThisWorker:
    """The worker that this process belongs to, once its main process has named it: before it forks."""

    incarnation: str = ""
    """Its id for as long as it lives: its lease has this name. Empty outside a worker."""
    main_pid: int = 0
    """Process id of its main process. A child of the prefork pool has another one; every other pool runs its tasks in
    the main process."""

    @property
    def is_main(self) -> bool:
        """Whether this is its main process."""
        return os.getpid() == self.main_pid
