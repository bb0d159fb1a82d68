"""Opens pages in Chromium and reads what `probes.js` has measured in them."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from playwright.sync_api import Page
from support.browser import Browsing

_PROBES = Path(__file__).with_name("probes.js")
_PATIENCE_MS = 60_000
_SETTLE_S = 1.0
_WINDOW_S = 10.0
_CALM_S = 0.3
_CALM_SHARE = 0.05
"""Of a processor, in that time: nothing is being loaded."""
_WHEELS = 150
_SCROLL_S = 10.0
"""No longer than this: each turn waits until the page has taken it."""
_WHEEL_PX = 1600
_POINTER = (720, 600)
"""Over the rows, in a window of 1440 by 900."""
MB = 1e6


class Look:
    """A page that is looked at, with the probes in it."""

    def __init__(self, page: Page, processors: Callable[[], float]) -> None:
        self.page = page
        self._processors = processors
        self._began_s = processors()

    def cpu_ms(self) -> float:
        """What pages have taken of a processor's time since this one was opened: others do not slow that down."""
        return 1000 * (self._processors() - self._began_s)

    def usable_ms(self) -> float:
        """From the end of the document's answer until the first row had been painted and took input."""
        script = "ms => Promise.race([probe.usable, new Promise(resolve => setTimeout(resolve, ms, null))])"
        found: float | None = self.page.evaluate(script, _PATIENCE_MS)
        if found is None:
            raise TimeoutError(f"{self.page.url} had no row within {_PATIENCE_MS // 1000} s")
        return found

    def usable_again_ms(self) -> float:
        """The same when the page is loaded anew: its files are known to the browser."""
        self.page.reload()
        return self.usable_ms()

    def seen(self, many: int) -> dict[str, float]:
        """When changes that were waited for had been painted, once there are so many."""
        deadline = time.monotonic() + _PATIENCE_MS / 1000
        while True:
            seen: dict[str, float] = self.page.evaluate("probe.seen")
            if len(seen) >= many:
                return seen
            if time.monotonic() > deadline:
                raise TimeoutError(f"{many - len(seen)} of {many} changes have not come to the screen")
            self.page.wait_for_timeout(100)

    def settle(self) -> None:
        """Wait for what comes after the first rows. A live stream never ends, so nothing tells that it is over."""
        self.page.wait_for_timeout(_SETTLE_S * 1000)

    def scroll(self) -> dict[str, float]:
        """Turn the wheel over the rows; the longest time between two pictures meanwhile, and more, in ms."""
        self.page.mouse.move(*_POINTER)
        self.page.evaluate("probe.watchFrames()")
        before_ms = self.cpu_ms()
        deadline = time.monotonic() + _SCROLL_S
        for _ in range(_WHEELS):
            self.page.mouse.wheel(0, _WHEEL_PX)
            if time.monotonic() > deadline:
                break
        self.settle()
        found: dict[str, float] = self.page.evaluate("probe.frames")
        return {**found, "cpu_ms_a_frame": (self.cpu_ms() - before_ms) / max(found["count"], 1)}

    def memory(self) -> dict[str, float]:
        """What is in use after a garbage collection: the scripts' heap, and how much there is in the document."""
        session = self.page.context.new_cdp_session(self.page)
        session.send("Performance.enable")
        for _ in range(2):
            session.send("HeapProfiler.collectGarbage")
        found = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        session.detach()
        return {
            "heap_mb": found["JSHeapUsedSize"] / MB,
            "nodes": found["Nodes"],
            "listeners": found["JSEventListeners"],
        }


@contextlib.contextmanager
def looking(browsing: Browsing, url: str, path: str) -> Iterator[Look]:
    """A page in a context of its own, so that nothing of it is known to the browser."""
    visit = browsing.visit(url)
    visit.page.add_init_script(path=_PROBES)
    session = browsing.browser.new_browser_cdp_session()

    def processors() -> float:
        found = session.send("SystemInfo.getProcessInfo")["processInfo"]
        return math.fsum(each["cpuTime"] for each in found if each["type"] == "renderer")

    _wait_for_window(visit.page, processors)
    look = Look(visit.page, processors)
    visit.page.goto(url + path)
    try:
        yield look
    finally:
        session.detach()
        visit.page.context.close()


def _wait_for_window(page: Page, processors: Callable[[], float]) -> None:
    """Wait until the browser has loaded the pages of its own window: they take as long as the one looked at."""
    deadline = time.monotonic() + _WINDOW_S
    used_s = -1.0
    while (now_s := processors()) - used_s > _CALM_SHARE * _CALM_S and time.monotonic() < deadline:
        used_s = now_s
        page.wait_for_timeout(_CALM_S * 1000)


def wait_for_stream(page: Page, timeout_s: float = 3) -> str:
    """Where the page says that its changes come from, once that is the stream, or the time is over."""
    state = page.locator("button.live")
    deadline = time.monotonic() + timeout_s
    while state.inner_text() != "Live" and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    return state.inner_text()
