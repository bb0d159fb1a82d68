"""Notifies parents of the outcomes of their sub-jobs."""

from collections.abc import Sequence

from jobtracker.core.clock import now_ms
from jobtracker.core.lifecycle import SETTLED, Status
from jobtracker.store.changes import News, Verdict
from jobtracker.store.job_writer import JobWriter, verdict_of
from jobtracker.store.pipeline import Call
from jobtracker.store.records import fetch


class NotificationWriter(JobWriter):
    """Notifies parents."""

    def notify_parent(
        self,
        parent_id: str,
        job_id: str,
        run: int,
        status: Status,
        *,
        at_ms: int | None = None,
    ) -> Verdict:
        """Tell a parent what became of a sub-job; may be repeated.

        Args:
            parent_id: The parent.
            job_id: The sub-job.
            run: The sub-job's run that this is about.
            status: Its status now.
            at_ms: When that came about; default now.
        """
        at_ms = now_ms() if at_ms is None else at_ms
        part, is_apart = self.keys.of(parent_id), not self.keys.are_together(parent_id, job_id)
        left = "0" if len(self.keys.parts) > 1 else ""
        if is_apart:
            [own] = fetch(self.client, self.keys, [job_id])
            if own.status:
                run, status, left = own.run, own.status, str(own.reopen_count or left)
        args: list[str | int | float] = [part.prefix, parent_id, job_id, run, status, at_ms, left]
        named: list[str] = []
        while True:
            answer = self._functions.call(self.client, "notify_parent", part("job", parent_id), [*args, *named])
            verdict, grandparent, parent_run, parent_status, *asked = answer
            if not asked:
                break
            named = self._named(asked[0])
        if is_apart:
            call = self._notified_call(job_id, left, settled=status in SETTLED)
            self._functions.call_many(self.client, "mark_parent_notified", [call])
        return verdict_of(verdict, grandparent, parent_run, parent_status)

    def notify_parents(self, news: Sequence[News], *, at_ms: int | None = None) -> list[Verdict]:
        """Tell parents what became of sub-jobs, in order, as `notify_parent` does: many in one round trip."""
        at_ms = now_ms() if at_ms is None else at_ms
        left = "0" if len(self.keys.parts) > 1 else ""
        near = [each for each in news if self.keys.are_together(each.parent_id, each.job_id)]
        calls: list[Call] = []
        for each in near:
            part = self.keys.of(each.parent_id)
            calls.append((part("job", each.parent_id), [part.prefix, *each, at_ms, left]))
        verdicts: dict[News, Verdict] = {}
        for each, answer in zip(near, self._functions.call_many(self.client, "notify_parent", calls), strict=True):
            verdict, grandparent, run, status, *asked = answer
            if not asked:
                verdicts[each] = verdict_of(verdict, grandparent, run, status)
        return [verdicts[each] if each in verdicts else self.notify_parent(*each, at_ms=at_ms) for each in news]

    def mark_notified(self, job_id: str) -> None:
        """Note that those who wait for a job know what has become of it; `notify_parent` notes that of a parent."""
        self.client.zrem(self.keys.of(job_id)("unnotified"), job_id)

    def _named(self, job_ids: Sequence[str]) -> list[str]:
        found = zip(job_ids, fetch(self.client, self.keys, job_ids), strict=True)
        return [
            text
            for job_id, record in found
            for text in (job_id, record.title if record.exists else "", record.reason or "")
        ]
