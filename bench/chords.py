"""Sends a chord, a chain or a group of no-ops: `python -m bench.chords SHAPE N`.

It says the ids of the tasks that end last, when it was sent, and how long that took.
"""

import json
import os
import sys
import time

from celery import chain, chord, group

from bench.noop import collect, noop

shape, count = sys.argv[1], int(sys.argv[2])
noops = [noop.si() for _ in range(count)]
canvas = {"chord": lambda: chord(noops, collect.s()), "chain": lambda: chain(*noops), "group": lambda: group(noops)}
sending = canvas[shape]()
noop.delay()  # connections, and what is made once
began_at, began, cpu_s = time.time(), time.perf_counter(), time.process_time()
result = sending.apply_async()
sent_s, cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
ids = [each.id for each in result.results] if shape == "group" else [result.id]
print(json.dumps({"ids": ids, "began_at": began_at, "sent_s": sent_s, "cpu_s": cpu_s}), flush=True)
os._exit(0)  # Celery would give up its subscription to each result by itself
