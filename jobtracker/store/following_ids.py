"""Ids of jobs that a request creates: the same ones however often it is sent."""

import hashlib
import uuid

from jobtracker.store.keys import Keys


class FollowingIds:
    """Ids of jobs that follow from the first one: the same ones each time.

    Args:
        keys: The store's.
        first_id: The first one, a UUID.
    """

    def __init__(self, keys: Keys, first_id: str) -> None:
        self._keys = keys
        self._first_id = first_id
        self._number = 0

    def new_id(self, beside: str | None = None) -> str:
        """The next one, which lies in the same partition as another job; the first one where it is."""
        number, self._number = self._number, self._number + 1
        if not number:
            return self._first_id
        digest = hashlib.sha256(f"{self._first_id}:{number}".encode()).digest()
        return self._keys.placed(str(uuid.UUID(bytes=digest[:16], version=4)), beside)
