"""Failures of past days, for the pictures of the page: as reports of a shop's workers would have told them."""

import json
import random
from collections.abc import Sequence

from support.sample_jobs import create_job

from jobtracker.core.clock import now_ms
from jobtracker.core.fingerprint import fingerprint
from jobtracker.core.lifecycle import Event
from jobtracker.schemas.failures import FailureAction
from jobtracker.store.writer import JobStore

HOUR_MS = 3_600_000
RELEASES = ("2026.46.4", "2026.47.1", "2026.47.2")
"""Of the workers, the oldest first."""
TRACEBACK = """Traceback (most recent call last):
  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 585, in trace_task
    R = retval = fun(*args, **kwargs)
  File "/venv/lib/python3.11/site-packages/celery/app/trace.py", line 858, in __protected_call__
    return self.run(*args, **kwargs)
  File "/srv/shop/tasks.py", line 31, in {task}
    return render(order, template=order.template)
  File "/srv/shop/{path}.py", line 57, in {function}
    {line}
{kind}: {message}
"""


def fail(
    store: JobStore,
    error: tuple[str, str],
    where: tuple[str, str, str],
    types: Sequence[str],
    releases: Sequence[str],
    hours: Sequence[float],
) -> str:
    """Note failures, so many hours ago; returns the id of their group.

    Args:
        store: Where.
        error: The exception's type, and its message: `{n}` is another number each time.
        where: Module, function and line of code.
        types: Of the jobs.
        releases: Of the workers.
        hours: How long ago each was.
    """
    module, function, line = where
    for each in hours:
        task, at_ms = random.choice(types), now_ms() - int(each * HOUR_MS)
        kind, message = error[0], error[1].format(n=random.randint(2, 900))
        text = TRACEBACK.format(
            task=task, path=module.replace(".", "/"), function=function, line=line, kind=kind, message=message
        )
        found = fingerprint(kind, message, text)
        job_id = create_job(store, type=task, name=f"{task} {random.randint(100_000, 999_999)}", at_ms=at_ms - 9000)
        store.apply(Event.ENQUEUE, job_id, at_ms=at_ms - 8000)
        worker = {"worker": f"default@w{random.randint(1, 3)}", "release": random.choice(releases)}
        execution = f"{at_ms - 3000}-past-{random.getrandbits(32):08x}"
        store.apply(Event.START, job_id, run=1, attempt=0, execution=execution, at_ms=at_ms - 3000, fields=worker)
        told = {"reason": f"{kind}: {message}", **found.fields}
        known = {"error": json.dumps({"type": kind, "message": message, "traceback": text})}
        store.apply(Event.FAIL, job_id, run=1, attempt=0, execution=execution, at_ms=at_ms, fields=told, data=known)
    return found.group


def past_failures(store: JobStore) -> str:
    """Note failures of several kinds: new, regressed, known and resolved; returns the id of the new group."""
    random.seed(47)
    old, last, now = RELEASES
    gateway = (
        ("PaymentTimeoutError", "gateway did not answer within {n} s"),
        ("payments.gateway", "capture", "answer = self._post(order)"),
        ["payment_capture", "refund_issue"],
    )
    group = fail(store, *gateway, [old], [random.uniform(30, 120) for _ in range(30)])
    store.mark_failure(group, FailureAction.RESOLVE, now_ms() - 26 * HOUR_MS)
    fail(store, *gateway, [last, now], [random.uniform(0, 4) for _ in range(47)])
    fail(
        store,
        ("smtplib.SMTPRecipientsRefused", "550 mailbox unavailable: user{n}@example.org"),
        ("mail", "send", "server.send_message(letter)"),
        ["mail_send", "order_confirm"],
        [old, last, now],
        [random.uniform(0, 140) for _ in range(400)],
    )
    fail(
        store,
        ("UnicodeDecodeError", "'utf-8' codec can't decode byte 0xe4 in position {n}"),
        ("catalog", "read", "text = raw.decode()"),
        ["catalog_import"],
        [old, last],
        [random.uniform(5, 120) for _ in range(12)],
    )
    mended = fail(
        store,
        ("pydantic.ValidationError", "{n} fields of Shipment"),
        ("shipping", "label", "return Shipment(**fields)"),
        ["shipment_label"],
        [old],
        [random.uniform(40, 120) for _ in range(9)],
    )
    store.mark_failure(mended, FailureAction.RESOLVE, now_ms() - 20 * HOUR_MS)
    return fail(
        store,
        ("KeyError", "'vat_rate'"),
        ("billing.render", "render", 'vat = line.amount * rates[line.country]["vat_rate"]'),
        ["invoice_render"],
        [now],
        [random.uniform(0, 3) ** 1.5 for _ in range(212)],
    )
