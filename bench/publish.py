"""Publishes no-ops and prints how many a second, and the CPU time of each: `python -m bench.publish N`."""

import json
import sys
import time

from bench.noop import noop

count = int(sys.argv[1])
noop.delay()  # connections, and what is made once
began, used = time.perf_counter(), time.process_time()
for _ in range(count - 1):
    noop.delay()
elapsed, used = time.perf_counter() - began, time.process_time() - used
print(json.dumps({"publisher": (count - 1) / elapsed, "publisher_us": used * 1e6 / (count - 1)}))
