"""A real Chromium before a real server."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.rating import DESKTOP, open_all
from tests.live import LiveSite

MISSING = "Chromium is missing. Install it with: apt-get install chromium (or name it in TWINSEED_CHROMIUM)"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, once."""
    path = os.environ.get("TWINSEED_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, MISSING
    with sync_playwright() as playwright:
        # No sandbox: containers forbid the system calls it is made of. The site is local, and yet some pages stand in
        # a frame of what Chromium takes for a public one.
        switches = ["--no-sandbox", "--disable-dev-shm-usage", "--disable-features=LocalNetworkAccessChecks"]
        browser = playwright.chromium.launch(executable_path=path, args=switches)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """Start one site for all browser tests; each opens studies of its own."""
    with LiveSite(tmp_path_factory.mktemp("site")) as live:
        yield live


@pytest.fixture(scope="session")
def studies(site: LiveSite) -> dict[str, str]:
    """Open one study of each design that raters' pages are tested with; anybody may rate them."""
    return open_all(site)


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Open a desktop window in which any script error fails the test."""
    with chromium.new_context(viewport=DESKTOP) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []
