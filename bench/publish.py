"""Publishes no-ops and prints how many a second: `python -m bench.publish N`."""

import sys
import time

from bench.noop import noop

count = int(sys.argv[1])
noop.delay()  # connections, and what is made once
began = time.perf_counter()
for _ in range(count - 1):
    noop.delay()
print((count - 1) / (time.perf_counter() - began))
