"""Whether a function takes time in proportion to its input: what twice the input costs."""

import gc
import math
import time
from collections.abc import Callable
from typing import Any

MAX_RATIO = 2.3
"""Twice the input takes at most so many times the time; four times it would be quadratic."""

_MAX_ROUNDS = 12


def doubling_ratio(function: Callable[[Any], object], family: Callable[[int], Any], size: int) -> float:
    """Give how many times as long a function takes for family(2 * size) as for family(size).

    Of both the fastest of several runs in turns counts, in the time of this process alone, so that a loaded machine
    changes little; it is measured again and again while the ratio is too large. Where it stays so, the table or the
    cache of something may just be full: then the mean of this doubling and the next one counts.
    """
    inputs = (family(size), family(2 * size))
    fastest = [float("inf"), float("inf")]
    gc.collect()
    for number in range(_MAX_ROUNDS):
        for place, value in enumerate(inputs):
            fastest[place] = min(fastest[place], _seconds(function, value))
        if number and fastest[1] <= MAX_RATIO * fastest[0]:
            break
    ratio = fastest[1] / fastest[0]
    if ratio > MAX_RATIO:
        largest = family(4 * size)
        ratio = math.sqrt(min(_seconds(function, largest) for _ in range(3)) / fastest[0])
    return ratio


def _seconds(function: Callable[[Any], object], value: Any) -> float:
    gc.disable()
    try:
        start = time.process_time()
        function(value)
        return time.process_time() - start
    finally:
        gc.enable()
