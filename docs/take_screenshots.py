"""Take the pictures of the rating page: `docs/take_screenshots.py RATING_LINK [FOLDER]`, against a running site."""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

SIZES = {
    "rating-desktop": {"viewport": {"width": 1280, "height": 800}},
    "rating-phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "has_touch": True},
}


def take(link: str, folder: Path) -> None:
    """Enter the study once a size and keep what a rater sees first."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, size in SIZES.items():
            page = browser.new_context(**size, is_mobile="phone" in name).new_page()
            page.goto(link)
            page.get_by_role("button", name="Start").click()
            page.locator("[data-rating][data-state=open]").wait_for()
            page.screenshot(path=folder / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    take(sys.argv[1], Path(sys.argv[2] if len(sys.argv) > 2 else "docs/images"))
