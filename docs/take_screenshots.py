"""Take the documentation's pictures: `docs/take_screenshots.py SITE PASSWORD [FOLDER]`.

SITE is a running installation with the demo (`make run`) and Table 2 imported as `table-2` (see README).
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start the system's browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


def rating(page: Page, site: str, path: Path) -> None:
    """Enter the demo study and keep what a rater sees first."""
    page.goto(f"{site}/rate/sportballs/")
    page.get_by_role("button", name="Start").click()
    page.locator("[data-rating][data-state=open]").wait_for()
    page.screenshot(path=path)


def research(page: Page, site: str, *, password: str, folder: Path) -> None:
    """Sign in and keep the demo's batch and the results of Table 2."""
    page.goto(f"{site}/sign-in/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    page.goto(f"{site}/batches/")
    page.get_by_role("link", name="SportBalls demo").click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "batch.png")
    page.goto(f"{site}/studies/table-2/results/")
    # The answer, the table and its charts; the page goes on for four more of these.
    page.set_viewport_size({"width": 1280, "height": 1560})
    page.screenshot(path=folder / "results.png")


def take(site: str, password: str, *, folder: Path) -> None:
    """Take them all."""
    with chromium() as browser:
        rating(browser.new_context(**DESKTOP).new_page(), site, folder / "rating-desktop.png")
        rating(browser.new_context(**PHONE).new_page(), site, folder / "rating-phone.png")
        research(browser.new_context(**DESKTOP).new_page(), site, password=password, folder=folder)


if __name__ == "__main__":
    take(sys.argv[1].rstrip("/"), sys.argv[2], folder=Path(sys.argv[3] if len(sys.argv) > 3 else "docs/images"))
