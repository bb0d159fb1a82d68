"""One page of a list: of one partition by one call of a script, of several by merging what each has of it.

An entry of a list is a score and a job's id; equal scores go by the bytes of the id, as in Redis's sorted sets.
"""

import heapq
import json
import math
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import NamedTuple

import msgpack

from jobtracker.connection.client import RedisClient
from jobtracker.store.functions import Library, batched
from jobtracker.store.keys import Keys, Partition
from jobtracker.store.list_checks import Beside, need_more, passes
from jobtracker.store.list_plan import Index, Plan
from jobtracker.store.records import Row, ask
from jobtracker.store.schema import decode

SCAN_BUDGET = 5000
"""Index entries that one page looks at where no index covers the filter; fewer where their checks cost more
(`lua/lib/list_checks.lua`)."""

_BUDGET_OF_CALL = 1000
"""The same of one call, which keeps the server from all else: some milliseconds."""

_AT_ONCE = 500
"""Entries of a parent's sub-jobs that one round trip looks at."""

_FETCHED = 200
"""So few entries are fetched to find one among them."""

_NOTHING = Beside()


class Place(NamedTuple):
    """Where a list goes on: behind the entry of that score and id, which need not be there any more."""

    score: int
    id: str


class Span(NamedTuple):
    """Some entries of an index in one partition."""

    part: Partition
    low: str
    """The lowest score, or "-inf"."""
    high: str
    """The highest score, or "+inf"; behind a "(" the lowest that is too high."""
    skip: int
    most: int


class Entries(NamedTuple):
    """What is there of a span: the entries, and how many there are between its scores."""

    total: int
    entries: list[Place]


class Found(NamedTuple):
    """One page."""

    rows: list[Row]
    total: int | None
    """How many entries the list has; None where they would have to be looked at."""
    last: Place | None
    """The entry behind which the next page begins; None at the end."""
    skip: int
    """Matches that are still to be stepped over there."""
    looked_at: int = 0
    """How many entries were looked at for it."""
    cost: int = 0
    """What that cost, in entries whose checks cost little."""
    places: Sequence[Place] = ()
    """Where each row stands, of one partition of several."""


class Pages:
    """Pages of the lists of some partitions.

    Args:
        client: A Redis client that decodes responses.
        keys: The names of the store's keys.
        verbs: `page` and `entries`.
    """

    def __init__(self, client: RedisClient, keys: Keys, verbs: Library) -> None:
        self.client = client
        self.keys = keys
        self._functions = verbs

    def find(self, parts: Sequence[Partition], way: Plan, size: int, start: Place | None, skip: int) -> Found:
        """A page of a list, in one round trip; with checks in a few, by number and of several partitions in seven.

        Args:
            parts: The partitions whose jobs are listed.
            way: The list.
            size: The most jobs on it.
            start: Behind which entry it begins; None: with the first.
            skip: How many matches to step over.
        """
        if len(self.keys.parts) > 1 and way.index.name == "subs":
            return self._of_family(way, size, start, skip)
        if way.checks:
            return self._scan(parts, way, size, start, skip)
        if len(parts) == 1:
            [found] = self._ask(parts, way, size, SCAN_BUDGET, start, skip)
            return found
        if skip:
            start, skip = self._entry_at(parts, way, skip - 1), 0
            if start is None:
                return Found([], self._count(parts, way), None, 0)
        # Ids are spread evenly, so this much of each nearly always has the page in it.
        share = min(size, math.ceil(size / len(parts) + 3 * math.sqrt(size / len(parts))) + 1)
        page = _merged(self._ask(parts, way, share, SCAN_BUDGET, start, 0), way, size, 0)
        while len(page.rows) < size and page.last:
            more = _merged(self._ask(parts, way, share, SCAN_BUDGET, page.last, 0), way, size - len(page.rows), 0)
            page = more._replace(rows=page.rows + more.rows)
        return page

    def _scan(self, parts: Sequence[Partition], way: Plan, size: int, start: Place | None, skip: int) -> Found:
        """A page of a list with checks: some calls, between which the server does other things."""
        page = Found([], None, start, skip)
        while True:
            budget = min(_BUDGET_OF_CALL, SCAN_BUDGET - page.cost)
            more = self._slice(parts, way, size - len(page.rows), budget, page.last, page.skip)
            rows, looked_at, cost = page.rows + more.rows, page.looked_at + more.looked_at, page.cost + more.cost
            page = more._replace(rows=rows, looked_at=looked_at, cost=cost)
            if page.last is None or len(rows) == size or cost >= SCAN_BUDGET:
                return page

    def _slice(
        self, parts: Sequence[Partition], way: Plan, size: int, budget: int, start: Place | None, skip: int
    ) -> Found:
        """What one call of each partition finds."""
        if len(parts) == 1:
            [found] = self._ask(parts, way, size, budget, start, skip)
            return found
        share = math.ceil(budget / len(parts))
        return _merged(self._ask(parts, way, min(size + skip, share), share, start, 0), way, size, skip)

    def _ask(
        self, parts: Sequence[Partition], way: Plan, size: int, budget: int, start: Place | None, skip: int
    ) -> list[Found]:
        """What each partition has of a page, all asked at once."""
        index, checks = way.index.json, json.dumps(way.checks)
        score, job_id = start or ("", "")
        how: list[str | int] = [way.order, size, budget, way.low, way.high, skip, score, job_id, checks]
        calls: list[tuple[str, list[str | int | float]]] = [
            (part("kinds"), [part.prefix, index, *how]) for part in parts
        ]
        found = []
        for answer in self._functions.begin(self.client, "list_jobs", calls).answers(decoded=False):
            more, last_score, last_id, left, total, looked, cost, *listed = msgpack.unpackb(answer, raw=True)
            ids, scores, records = listed
            last = Place(last_score, last_id.decode()) if more and last_id else None
            job_ids = [job_id.decode() for job_id in ids]
            rows = list(map(Row, job_ids, records))
            at = list(map(Place, map(int, scores), job_ids)) if len(parts) > 1 else ()
            found.append(Found(rows, None if total < 0 else total, last, left, looked, cost, at))
        return found

    # -- the sub-jobs of a parent, which may lie anywhere ------------------------------------------------------------

    def _of_family(self, way: Plan, size: int, start: Place | None, skip: int) -> Found:
        """The same of a parent's sub-jobs: their order is in its partition, their records may be in others."""
        key = self.keys.of(way.index.id)("subs", way.index.id)
        at = 0 if start is None else self._places_up_to(key, start)
        if not way.checks:
            at, skip = at + skip, 0
        rows: list[Row] = []
        last = None
        total, begun = self.client.zcard(key), at
        until = min(total, at + SCAN_BUDGET)
        while at < until and len(rows) < size:
            some = min(_AT_ONCE if way.checks else size - len(rows), until - at)
            entries = self.client.zrange(key, at, at + some - 1, withscores=True)
            pipe = self.client.pipeline(transaction=False)
            for job_id, _ in entries:
                ask(pipe, self.keys, job_id)
            beside = self._beside([job_id for job_id, _ in entries]) if need_more(way.checks) else {}
            for (job_id, score), packed in zip(entries, pipe.execute(), strict=True):
                at, last = at + 1, Place(int(score), job_id)
                if not packed:  # one may be announced before it is recorded
                    continue
                if way.checks and not passes(decode(job_id, packed), way.checks, beside.get(job_id, _NOTHING)):
                    continue
                if skip:
                    skip -= 1
                    continue
                rows.append(Row(job_id, packed))
                if len(rows) == size:
                    break
            if not entries:
                break
        return Found(rows, None if way.checks else total, last if at < total else None, skip, at - begun)

    def _beside(self, job_ids: Sequence[str]) -> dict[str, Beside]:
        """What checks may need beside the records."""
        pipe = self.client.pipeline(transaction=False)
        for job_id in job_ids:
            pipe.hget(self.keys("data", job_id), "schedule")
            pipe.exists(self.keys("log", job_id))
        answers = pipe.execute() if job_ids else []
        found = zip(answers[::2], answers[1::2], strict=True)
        return dict(zip(job_ids, (Beside(schedule, bool(logs)) for schedule, logs in found), strict=True))

    def _places_up_to(self, key: str, start: Place) -> int:
        """How many entries of an index stand up to a place."""
        pipe = self.client.pipeline(transaction=False)
        pipe.zcount(key, "-inf", f"({start.score}")
        pipe.zrange(key, start.score, start.score, byscore=True)
        below, equal = pipe.execute()
        return int(below) + sum(1 for job_id in equal if job_id.encode() <= start.id.encode())

    # -- entries of several partitions -------------------------------------------------------------------------------

    def oldest(
        self, parts: Sequence[Partition], index: Index, since: str, before_ms: int, offset: int, most: int
    ) -> list[Place]:
        """Entries of an index that is scored by times (ms), of those in a span of time, the oldest first."""
        skip = offset if len(parts) == 1 else 0
        spans = [Span(part, since, f"({before_ms}", skip, offset - skip + most) for part in parts]
        merged = heapq.merge(*(found.entries for found in self._entries(index, spans)), key=_order)
        return list(islice(merged, offset - skip, offset - skip + most))

    def _entry_at(self, parts: Sequence[Partition], way: Plan, place: int) -> Place | None:
        """The entry at a place of the whole list, from 0; None where it is shorter.

        Halves a range of scores until few entries are in it, and fetches those. As ids are spread evenly, each
        partition has nearly its share of any range: so the first guess is as good as certain, and narrow.
        """
        counts = dict(zip(parts, self._counts(parts, way), strict=True))
        total = sum(counts.values())
        if place >= total:
            return None
        rank = place if way.order == "asc" else total - 1 - place
        low, high = self._guess(counts, way, rank / total)
        below, up_to = self._below(parts, way, low, high + 1)
        if not below <= rank < up_to:
            low, high = self._guess(counts, way, None)
            below, up_to = 0, total
        while up_to - below > _FETCHED and low < high:
            middle = (low + high) // 2
            [count] = self._below(parts, way, middle + 1)
            if rank < count:
                high, up_to = middle, count
            else:
                low, below = middle + 1, count
        spans = [Span(part, str(low), str(high), 0, up_to - below) for part in parts]
        entries = sorted((each for found in self._entries(way.index, spans) for each in found.entries), key=_order)
        return entries[min(rank - below, len(entries) - 1)]

    def _guess(self, counts: Mapping[Partition, int], way: Plan, share: float | None) -> tuple[int, int]:
        """Two scores between which the entry that has this share of all below it is in all likelihood; None: all are.

        Args:
            counts: How many entries each partition has.
            way: The list.
            share: From 0 to 1.
        """
        spans = []
        for part, count in counts.items():
            middle = int((share or 0) * count)
            apart = count if share is None else int(4 * math.sqrt(count)) + 8
            if count:
                ranks = (max(middle - apart, 0), min(middle + apart, count - 1))
                spans += [Span(part, way.low, way.high, rank, 1) for rank in ranks]
        scores = [found.entries[0].score for found in self._entries(way.index, spans) if found.entries]
        return min(scores), max(scores)

    def _below(self, parts: Sequence[Partition], way: Plan, *scores: int) -> list[int]:
        """How many entries of the list have lower scores than each of these."""
        highest = math.inf if way.high == "+inf" else int(way.high)
        spans = [
            Span(part, way.low, way.high if score > highest else f"({score}", 0, 0)
            for score in scores
            for part in parts
        ]
        totals = [found.total for found in self._entries(way.index, spans)]
        return [sum(some) for some in batched(totals, len(parts))]

    def _count(self, parts: Sequence[Partition], way: Plan) -> int:
        return sum(self._counts(parts, way))

    def _counts(self, parts: Sequence[Partition], way: Plan) -> list[int]:
        return [found.total for found in self._entries(way.index, [Span(p, way.low, way.high, 0, 0) for p in parts])]

    def _entries(self, index: Index, spans: Sequence[Span]) -> list[Entries]:
        """Entries of an index, all asked for at once."""
        as_json = index.json
        calls: list[tuple[str, list[str | int | float]]] = [
            (part("kinds"), [part.prefix, as_json, low, high, skip, most]) for part, low, high, skip, most in spans
        ]
        answers = self._functions.begin(self.client, "list_ids", calls).answers() if calls else []
        return [Entries(total, list(map(Place, found[1::2], found[::2]))) for total, *found in answers]


def _order(place: Place) -> tuple[int, bytes]:
    """As a sorted set has its entries."""
    return place.score, place.id.encode()


def _merged(found: Sequence[Found], way: Plan, size: int, skip: int) -> Found:
    """One page of what several partitions have of it."""
    is_descending = way.order == "desc"
    entries = [pair for some in found for pair in zip(some.places, some.rows, strict=True)]
    entries.sort(key=lambda entry: _order(entry[0]), reverse=is_descending)
    ends = sorted((some.last for some in found if some.last), key=_order, reverse=is_descending)
    end = ends[0] if ends else None  # behind it a partition may have more that nobody has looked at
    if end is not None:
        last = _order(end)
        entries = [e for e in entries if (_order(e[0]) >= last if is_descending else _order(e[0]) <= last)]
    stepped_over = min(skip, len(entries))
    wanted = entries[stepped_over : stepped_over + size]
    goes_on = end
    if len(wanted) == size:
        is_all = end is None and len(entries) == stepped_over + size
        goes_on = None if is_all or not wanted else wanted[-1][0]
    totals = [some.total for some in found if some.total is not None]
    total = sum(totals) if len(totals) == len(found) else None
    looked, cost = sum(some.looked_at for some in found), sum(some.cost for some in found)
    return Found([row for _, row in wanted], total, goes_on, skip - stepped_over, looked, cost)
