"""`python -m bench.reporting URL NAMESPACE SEED PACE_S`: a process that reports jobs, one call at a time.

It says when it is ready, begins and ends when a line on its standard input says so, and writes then as JSON how long
each call took, in milliseconds.
"""

import json
import sys
import threading
import time

from bench.filling import Plan, courses
from jobtracker.connection.client import connect
from jobtracker.store.keys import Keys
from jobtracker.store.writer import JobStore

WARM_UP = 100


def main(url: str, namespace: str, seed: str, pace_s: str) -> None:
    """Report until standard input ends."""
    client = connect(url, timeout_s=10)
    store = JobStore(client, Keys(namespace))
    calls = (call for course in courses(Plan(jobs=10**6, open_share=0, span_ms=0, seed=int(seed))) for call in course)
    for _ in range(WARM_UP):
        next(calls).make(store)
    print("ready", flush=True)
    for _ in iter(sys.stdin.readline, ""):
        took_ms: list[float] = []
        told_to_end = threading.Event()
        waiting = threading.Thread(target=lambda ends=told_to_end: (sys.stdin.readline(), ends.set()))
        waiting.start()
        while not told_to_end.is_set():
            call = next(calls)
            began = time.perf_counter()
            call.make(store)
            took_s = time.perf_counter() - began
            took_ms.append(took_s * 1000)
            time.sleep(max(0.0, float(pace_s) - took_s))
        waiting.join()
        print(json.dumps([round(each, 4) for each in took_ms]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
