"""Runs jobs through RQ, in its own environment: `python rq_jobs.py PORT N`. Prints its version, and bytes per job."""

import sys

import rq
from redis import Redis

WEEK_S = 7 * 86_400


def send_invoice(order_id: int, **_: object) -> dict[str, int]:
    """Return twenty bytes of JSON, of a payload of sixty."""
    return {"saved": order_id}


def _run(queue: rq.Queue, numbers: range) -> None:
    for number in numbers:
        payload = {"order_id": 10**8 + number, "customer": f"c-{number:06}", "copies": 1}
        queue.enqueue("rq_jobs.send_invoice", kwargs=payload, result_ttl=WEEK_S)
    rq.SimpleWorker([queue], connection=queue.connection).work(burst=True, logging_level="ERROR")


if __name__ == "__main__":
    port, jobs = int(sys.argv[1]), int(sys.argv[2])
    client = Redis(port=port)
    queue = rq.Queue("celery", connection=client)
    _run(queue, range(20))
    before = client.info("memory")["used_memory"]
    _run(queue, range(20, 20 + jobs))
    assert queue.finished_job_registry.count == 20 + jobs
    print(rq.VERSION, (client.info("memory")["used_memory"] - before) / jobs)
