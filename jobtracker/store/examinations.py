"""The examinations of a store: the one that runs, and the last one that ended. All processes see the same."""

from jobtracker.connection.client import RedisClient
from jobtracker.schemas.examination import ExaminationRun
from jobtracker.store.decode import read
from jobtracker.store.keys import Keys

LEASE_S = 60
"""An examination that has said nothing for so long is gone, with its process. No call of it takes that long."""
_KEPT_S = 7 * 86_400


class Examinations:
    """The examinations of one store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._examining, self._examined = keys("examining"), keys("examined")

    def begin(self, run: ExaminationRun) -> bool:
        """Note that one begins; False where another one runs."""
        return bool(self._client.set(self._examining, run.model_dump_json(), nx=True, ex=LEASE_S))

    def renew(self, run: ExaminationRun) -> bool:
        """Note how far it is; False where it was given up, for it has said nothing for too long."""
        current = self.current()
        if current is None or current.id != run.id:
            return False
        return bool(self._client.set(self._examining, run.model_dump_json(), xx=True, ex=LEASE_S))

    def end(self, run: ExaminationRun) -> None:
        """Note that it has ended, with what it found."""
        self._client.set(self._examined, run.model_dump_json(), ex=_KEPT_S)
        current = self.current()
        if current and current.id == run.id:
            self._client.delete(self._examining)

    def current(self) -> ExaminationRun | None:
        """The one that runs."""
        return self._read(self._examining)

    def last(self) -> ExaminationRun | None:
        """The last one that ended."""
        return self._read(self._examined)

    def _read(self, key: str) -> ExaminationRun | None:
        text = self._client.get(key)
        return read(ExaminationRun, text) if text else None
