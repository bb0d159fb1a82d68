"""A browser before the page: Debian's Chromium, driven by Playwright."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from jobtracker.server.page_files import FOLDER
from support.servers import program
from support.serving import ROOT

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a name of another site that leads here, as its owner can make it
    "--host-resolver-rules=MAP rebound.example 127.0.0.1",
)
_AXE = ROOT / "web" / "node_modules" / "axe-core" / "axe.min.js"
PATIENCE_MS = 15_000


def need_page() -> None:
    """Skip a test where the page is not built; with CI that is an error."""
    if not (FOLDER / "index.html").is_file():
        advice = "the page is not built: make page"
        pytest.fail(advice, pytrace=False) if os.environ.get("CI") else pytest.skip(advice)


class Visit:
    """A browser's page at an API, with all that its console has said.

    Attributes:
        page: Playwright's page.
        said: Errors and warnings of the console, and exceptions that nobody caught.
    """

    def __init__(self, page: "Page", url: str) -> None:
        self.page = page
        self.url = url.rstrip("/")
        self.said: list[str] = []
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.said.append(str(error)))

    def _hear(self, message: "ConsoleMessage") -> None:
        # Without a worker the health report is a 503, which the browser takes for a failure.
        is_report = "/tracking/health" in message.location.get("url", "")
        if message.type in {"error", "warning"} and not is_report:
            self.said.append(f"{message.type}: {message.text}")

    def go(self, path: str) -> None:
        """Open a view, and wait until it has its heading."""
        self.page.goto(self.url + path)
        self.page.get_by_role("heading", level=1).wait_for()

    def settle(self) -> None:
        """Wait until nothing that is shown is still to come. The network of a page is never idle: it listens."""
        from playwright.sync_api import expect

        expect(self.page.get_by_role("status", name="Loading")).to_have_count(0, timeout=PATIENCE_MS)

    def violations(self) -> list[str]:
        """What axe finds on the view as it is."""
        self.page.evaluate(_AXE.read_text())
        found: dict[str, Any] = self.page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        return [
            f"{rule['id']}: {rule['help']}: {node['target']} {node['html'][:200]}"
            for rule in found["violations"]
            for node in rule["nodes"]
        ]


class Browsing:
    """A running browser.

    Args:
        browser: Playwright's browser.
    """

    def __init__(self, browser: "Browser") -> None:
        self.browser = browser
        self._contexts: list[BrowserContext] = []

    def visit(self, url: str, *, phone: bool = False, **options: Any) -> Visit:
        """A page of its own, with nothing of earlier ones.

        Args:
            url: The address of the API.
            phone: Of a phone's size, with touch.
            options: Further options of a Playwright context.
        """
        from playwright.sync_api import ViewportSize

        width, height = (390, 844) if phone else (1440, 900)
        context = self.browser.new_context(
            viewport=ViewportSize(width=width, height=height), is_mobile=phone, has_touch=phone, **options
        )
        context.set_default_timeout(PATIENCE_MS)
        self._contexts.append(context)
        return Visit(context.new_page(), url)

    def leave(self) -> None:
        """Close all pages."""
        while self._contexts:
            self._contexts.pop().close()


@contextmanager
def a_browser() -> Iterator[Browsing]:
    """Debian's Chromium, until the end of the block."""
    path = program("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield Browsing(browser)
        finally:
            browser.close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browsing]:
    """A browser of the module's own: Playwright keeps an event loop in this thread while it runs."""
    need_page()
    from playwright.sync_api import expect

    expect.set_options(timeout=PATIENCE_MS)  # a page asks less often where answers take long, as on a busy machine
    with a_browser() as browser:
        yield browser


@pytest.fixture
def browsing(chromium: Browsing) -> Iterator[Browsing]:
    """The browser, without pages that an earlier test has left open."""
    yield chromium
    chromium.leave()
