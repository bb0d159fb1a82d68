"""The locks of unique keys, for calls that are about to be sent. Else commands write them (`lua/lib/unique.lua`)."""

from jobtracker.store.job_writer import JobWriter

RESERVED_MS = 5_000
"""So long a lock waits for the job that it is reserved for."""


class UniqueKeyWriter(JobWriter):
    """Reserves the locks of unique keys."""

    def reserve_unique(self, digest: str, job_id: str) -> str | None:
        """Reserve a lock for a job that is about to be recorded; returns the job that has it, if one does."""
        key = self.keys("unique", digest)
        holder: str | None = self.client.set(key, job_id, nx=True, get=True, px=RESERVED_MS)
        return holder

    def let_go_unique(self, digest: str, job_id: str) -> None:
        """Let go of a lock whose job was not recorded."""
        part = self.keys.of(digest)
        self._functions.call(self.client, "let_go_unique", part("unique", digest), [part.prefix, digest, job_id])
