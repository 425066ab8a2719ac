"""Take the documentation's pictures: `docs/take_screenshots.py SITE PASSWORD [FOLDER]`.

SITE is a running installation with the demo (`make run`) and Table 2 imported as `table-2` (see README).
Without Table 2: `docs/take_screenshots.py SITE PASSWORD FOLDER rating` takes the pictures of docs/rating.md only.
"""

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import rating_screenshots
from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright
from rating_screenshots import DESKTOP, PHONE, sign_in

LARGEST_PICTURE = 200_000


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
    sign_in(page, site, password=password)
    page.goto(f"{site}/batches/")
    page.get_by_role("link", name="SportBalls demo").click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "batch.png")
    page.goto(f"{site}/studies/table-2/results/")
    # The answer, the table and its charts; the page goes on for four more of these.
    page.set_viewport_size({"width": 1280, "height": 1560})
    page.screenshot(path=folder / "results.png")


def make_small(folder: Path) -> None:
    """Write each picture with as many colours as fit: a screen has few, and a repository keeps every version."""
    for path in sorted(folder.glob("*.png")):
        picture, colours = Image.open(path).convert("RGB"), 256
        picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)
        while path.stat().st_size > LARGEST_PICTURE:
            colours //= 2
            picture.quantize(colours, dither=Image.Dither.NONE).save(path, optimize=True)


def take(site: str, password: str, *, folder: Path) -> None:
    """Take them all."""
    with chromium() as browser:
        rating(browser.new_context(**DESKTOP).new_page(), site, folder / "rating-desktop.png")
        rating(browser.new_context(**PHONE).new_page(), site, folder / "rating-phone.png")
        research(browser.new_context(**DESKTOP).new_page(), site, password=password, folder=folder)


if __name__ == "__main__":
    site, password, *rest = sys.argv[1:]
    folder = Path(rest[0] if rest else "docs/images")
    if "rating" not in rest[1:]:
        take(site.rstrip("/"), password, folder=folder)
    with chromium() as browser:
        rating_screenshots.take(browser, site.rstrip("/"), password=password, folder=folder / "rating")
    make_small(folder / "rating")
