"""No page of a rater's breaks a rule that axe-core knows, by day and by night, at a desk and on a phone."""

from collections.abc import Callable
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.rating import DESKTOP, PHONE, enter, press, ready, settled
from tests.live import LiveSite

pytestmark = pytest.mark.browser

Studies = dict[str, str]
LOOKS: list[tuple[ViewportSize, Literal["light", "dark"]]] = [(DESKTOP, "light"), (PHONE, "dark")]
Visit = Callable[[Page, LiveSite, Studies], None]


def pair(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)


def dark_pair(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["dark"])
    ready(page)


def from_right_to_left(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["arabic"])
    ready(page)


def taken_back(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["strong"])
    press(page, "1", "u")
    ready(page)


def pause(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["strong"])
    press(page, "1", "2")
    expect(page.locator("[data-panel=break]")).to_be_visible()


def reason(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["many"])
    press(page, "1", "ArrowLeft")
    expect(page.get_by_label("Why?")).to_be_visible()


def feedback(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["practice"])
    press(page, "ArrowLeft")
    expect(page.locator("[data-panel=feedback]")).to_be_visible()


def help_dialog(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["strong"])
    press(page, "?")
    expect(page.get_by_role("dialog")).to_be_visible()


def without_connection(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    page.route("**/vote/", lambda route: route.abort())
    press(page, "ArrowLeft")
    expect(page.get_by_text("Answers waiting to be sent: 1.")).to_be_visible()


def refusal(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    page.route("**/vote/", lambda route: route.fulfill(status=409, json={"detail": "That was not kept."}))
    press(page, "ArrowLeft")
    expect(page.get_by_role("alert")).to_be_visible()


def failed_image(page: Page, site: LiveSite, studies: Studies) -> None:
    page.route("**/left.png", lambda route: route.abort())
    enter(page, site, studies["ten"])
    expect(page.locator("[data-panel=image]")).to_be_visible()


def break_page(page: Page, site: LiveSite, studies: Studies) -> None:
    pause(page, site, studies)
    settled(page)
    page.reload()
    expect(page.get_by_role("link", name="Go on")).to_be_visible()


def feedback_page(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["practice"])
    code = page.locator("[data-trials] li").first.get_attribute("data-code")
    press(page, "ArrowLeft")
    settled(page)
    page.goto(f"{page.url}{code}/")
    expect(page.get_by_role("link", name="Go on")).to_be_visible()


def waiting(page: Page, site: LiveSite, studies: Studies) -> None:
    browser = page.context.browser
    assert browser is not None
    page.route("**/rating_wait*", lambda route: route.abort())  # it would look again while axe does
    with browser.new_context() as context:
        enter(context.new_page(), site, studies["one"])
        page.goto(f"{site.url}/rate/{studies['one']}/")
        page.locator("form button.is-primary").click()
    expect(page.get_by_role("heading", name="One moment, please")).to_be_visible()


VISITS: list[Visit] = [
    pair,
    dark_pair,
    from_right_to_left,
    taken_back,
    pause,
    reason,
    feedback,
    help_dialog,
    without_connection,
    refusal,
    failed_image,
    break_page,
    feedback_page,
    waiting,
]


@pytest.mark.parametrize("visit", VISITS, ids=lambda visit: visit.__name__)
def test_axe_finds_nothing_by_day_and_by_night(
    chromium: Browser, site: LiveSite, studies: Studies, visit: Visit
) -> None:
    with chromium.new_context(viewport=DESKTOP, reduced_motion="reduce") as context:
        page = context.new_page()
        visit(page, site, studies)
        for viewport, scheme in LOOKS:
            page.set_viewport_size(viewport)
            page.emulate_media(color_scheme=scheme)
            found = Axe().run(page)
            assert found.violations_count == 0, found.generate_report()


@pytest.mark.parametrize("name", ["many", "strong", "practice"])
def test_axe_finds_nothing_where_no_script_of_ours_runs(
    chromium: Browser, site: LiveSite, studies: Studies, name: str
) -> None:
    with chromium.new_context(viewport=PHONE) as context:
        # axe itself is a script: so ours are kept away, and the form for browsers without scripts comes forth.
        context.route("**/js/**", lambda route: route.abort())
        page = context.new_page()
        enter(page, site, studies[name])
        expect(
            page.get_by_role("button", name="Send") if name == "many" else page.locator("[data-answers]")
        ).to_be_visible()
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
