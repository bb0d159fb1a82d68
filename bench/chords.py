"""Sends a chord of no-ops and says when it was sent and how long that took: `python -m bench.chords N`."""

import json
import os
import sys
import time

from celery import chord

from bench.noop import collect, noop

count = int(sys.argv[1])
noop.delay()  # connections, and what is made once
began_at, began, cpu_s = time.time(), time.perf_counter(), time.process_time()
result = chord([noop.si() for _ in range(count)], collect.s()).apply_async()
sent_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
print(json.dumps({"id": result.id, "began_at": began_at, "sent_s": sent_s, "cpu_s": cpu_s}), flush=True)
os._exit(0)  # Celery would give up its subscription to each result by itself
