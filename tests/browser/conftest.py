"""A real Chromium before a real server."""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.live import LiveSite

MISSING = "Chromium is missing. Install it with: apt-get install chromium (or name it in TWINSEED_CHROMIUM)"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Start the system's Chromium, once."""
    path = os.environ.get("TWINSEED_CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, MISSING
    with sync_playwright() as playwright:
        # No sandbox: containers forbid the system calls it is made of.
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveSite]:
    """Start one site for all browser tests; each opens studies of its own."""
    with LiveSite(tmp_path_factory.mktemp("site")) as live:
        yield live
