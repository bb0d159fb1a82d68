"""The answers of requests that bear an Idempotency-Key: what was asked, who answers it, and the answer.

Of each key there is one string, which is written before the request does anything. It has the id from which all ids
of what the request creates follow. So if a process dies, the one that answers the same request again finds what is
there already. One process answers at a time: it has a lease, which it renews as long as it works.
"""

import hashlib
import json
import threading
import time
from dataclasses import dataclass

from jobtracker.connection.client import RedisClient
from jobtracker.core.clock import now_ms
from jobtracker.errors import IdempotencyKeyReusedError, RequestInProgressError
from jobtracker.store.keys import Keys, Partition

KEPT_S = 86_400
"""So long an answer is kept."""

MOST_KEPT = 50_000
"""So many answers are kept in all partitions together; the oldest go first. Some 60 MB."""

LEASE_S = 6.0
"""A process that has said nothing for so long does not answer any more: another one may."""

LARGEST_BYTES = 4096
"""A larger body is not kept where the answer can be made again of what is stored."""

LARGEST_ALONE_BYTES = 256 * 1024
"""The same of answers that can't be made again."""

_AT_ONCE = 100
"""So many old answers go with each new one, at most."""


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """An answer.

    Attributes:
        status: Of HTTP.
        headers: Those that matter.
        body: The body, as text; None: it was too large, and is made again of the job.
        job_id: The job that it tells of.
        is_tree: It tells of all below that job too.
        is_secret: It had a secret, and is not kept.
    """

    status: int
    headers: dict[str, str]
    body: str | None = None
    job_id: str | None = None
    is_tree: bool = False
    is_secret: bool = False


@dataclass(slots=True)
class Attempt:
    """One attempt to answer a request.

    Attributes:
        digest: Stands for the caller, and the key.
        fingerprint: Stands for what is asked.
        first_id: The id from which all others follow.
        note: What an earlier attempt has noted before it changed something; None: nothing.
        is_repeated: There was an earlier attempt, of which nobody knows how far it came.
    """

    digest: str
    fingerprint: str
    first_id: str
    note: str | None = None
    is_repeated: bool = False


class KeptAnswers:
    """The kept answers of a store.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of its keys.
    """

    def __init__(self, client: RedisClient, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._most = max(1, MOST_KEPT // len(keys.parts))
        self._held: dict[str, float] = {}
        self._lock = threading.Lock()

    def begin(self, who: str | None, key: str, fingerprint: str) -> Attempt | KeptAnswer:
        """Begin to answer a request, or find its answer: one round trip.

        Args:
            who: Who asks; None: nobody said.
            key: The request's key.
            fingerprint: Stands for the request.

        Raises:
            IdempotencyKeyReusedError: The key was that of another request.
            RequestInProgressError: Another process, or thread, is about to answer it.
        """
        digest = hashlib.sha256(json.dumps([who, key]).encode()).hexdigest()[:40]
        part = self._keys.of(digest)
        new = Attempt(digest, fingerprint, self._keys.new_id(beside=digest))
        pipe = self._client.pipeline(transaction=True)  # of one partition, so of one slot
        pipe.set(part("answer", digest), _written(new), nx=True, get=True, ex=KEPT_S)
        pipe.set(part("answering", digest), new.first_id, nx=True, px=int(LEASE_S * 1000))
        pipe.zadd(part("answers"), {digest: now_ms()})
        pipe.expire(part("answers"), KEPT_S)
        written, is_ours, *_ = pipe.execute()
        found = _read(digest, written) if written else new
        attempt, answer = found if isinstance(found, tuple) else (found, None)
        is_same = attempt.fingerprint == fingerprint
        if is_ours and (answer or not is_same):  # nothing is to be done under this lease
            self._client.delete(part("answering", digest))
        if not is_same:
            raise IdempotencyKeyReusedError
        if answer:
            return answer
        if not is_ours:
            raise RequestInProgressError(key)
        with self._lock:
            self._held[digest] = time.monotonic()
        return attempt

    def note(self, attempt: Attempt, note: str) -> None:
        """Note something for a later attempt, before anything is changed."""
        attempt.note = note
        self._client.set(self._keys("answer", attempt.digest), _written(attempt), xx=True, keepttl=True)

    def begin_anew(self, attempt: Attempt) -> None:
        """Let nothing of earlier attempts count: what they have made is gone, or was taken back."""
        attempt.first_id, attempt.note = self._keys.new_id(beside=attempt.digest), None
        self._client.set(self._keys("answer", attempt.digest), _written(attempt), xx=True, keepttl=True)

    def keep(self, attempt: Attempt, answer: KeptAnswer) -> None:
        """Keep the answer; it ends the attempt."""
        part = self._keys.of(attempt.digest)
        pipe = self._client.pipeline(transaction=True)
        pipe.set(part("answer", attempt.digest), _written(attempt, answer), xx=True, keepttl=True)
        pipe.delete(part("answering", attempt.digest))
        pipe.zremrangebyscore(part("answers"), "-inf", f"({now_ms() - KEPT_S * 1000}")
        pipe.zcard(part("answers"))
        self._let_go(attempt)
        *_, kept = pipe.execute()
        if kept > self._most:
            self._drop_oldest(part, min(kept - self._most, _AT_ONCE))

    def give_up(self, attempt: Attempt) -> None:
        """End an attempt without an answer: the same request may be sent again, and goes on where this one ended."""
        self._let_go(attempt)
        self._client.delete(self._keys("answering", attempt.digest))

    def forget(self, attempt: Attempt) -> None:
        """Forget a first attempt that has done nothing, as if it had never begun: its key is free."""
        self._let_go(attempt)
        part = self._keys.of(attempt.digest)
        if self._client.get(part("answering", attempt.digest)) != attempt.first_id:
            return  # it took too long, and another process answers it now
        pipe = self._client.pipeline(transaction=True)
        pipe.delete(part("answer", attempt.digest), part("answering", attempt.digest))
        pipe.zrem(part("answers"), attempt.digest)
        pipe.execute()

    def renew(self) -> None:
        """Renew the leases of attempts that have gone on for a while; to be called every third of `LEASE_S`."""
        long_ago = time.monotonic() - LEASE_S / 6
        with self._lock:
            digests = [digest for digest, since in self._held.items() if since < long_ago]
        if not digests:
            return
        pipe = self._client.pipeline(transaction=False)
        for digest in digests:
            pipe.pexpire(self._keys("answering", digest), int(LEASE_S * 1000))
        pipe.execute()

    def _let_go(self, attempt: Attempt) -> None:
        with self._lock:
            self._held.pop(attempt.digest, None)

    def _drop_oldest(self, part: Partition, count: int) -> None:
        oldest = [digest for digest, _ in self._client.zpopmin(part("answers"), count)]
        if oldest:
            self._client.unlink(*(part("answer", digest) for digest in oldest))


def _written(attempt: Attempt, answer: KeptAnswer | None = None) -> str:
    texts = [attempt.fingerprint, attempt.first_id, attempt.note]
    if answer is None:
        return json.dumps(texts)
    told = [answer.status, answer.headers, answer.body, answer.job_id, answer.is_tree, answer.is_secret]
    return json.dumps([*texts, told], ensure_ascii=False)


def _read(digest: str, written: str) -> Attempt | tuple[Attempt, KeptAnswer]:
    fingerprint, first_id, note, *told = json.loads(written)
    attempt = Attempt(digest, fingerprint, first_id, note, is_repeated=True)
    return (attempt, KeptAnswer(*told[0])) if told else attempt
