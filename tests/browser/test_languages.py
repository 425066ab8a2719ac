"""Raters' pages in each language: words that fit, sides that stay where they are, a choice that holds."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, ViewportSize, expect

from tests.browser.rating import DESKTOP, PHONE, choices_of, enter, press, ready, settled
from tests.live import LiveSite

pytestmark = pytest.mark.browser

LOCALES = {"de": "de-DE", "ar": "ar-EG"}
CLIPPED = """() => {
    const page = document.documentElement;
    const buttons = [...document.querySelectorAll(".button, .act")].filter((button) => button.checkVisibility());
    const clipped = [page, ...buttons].filter((element) => element.scrollWidth > element.clientWidth);
    // A word that fits only because it is broken does not fit.
    const widths = buttons.map((button) => button.getBoundingClientRect().width);
    buttons.forEach(({ style }, at) =>
        Object.assign(style, { width: `${widths[at]}px`, overflowWrap: "normal", justifyContent: "start" }));
    const broken = buttons.filter((button) => button.scrollWidth > button.clientWidth + 1);
    for (const button of buttons) button.removeAttribute("style");
    return [...clipped, ...broken].map((element) => `${element.tagName} ${element.textContent.trim().slice(0, 40)}`);
}"""
"""A script that names the buttons whose words do not fit, and the page where it is wider than the window."""


def looks_right(page: Page, language: str) -> None:
    """Check that the page speaks the language, that everything fits, and that axe finds nothing."""
    expect(page.locator(f"html[lang={language}]")).to_be_attached()
    assert page.evaluate(CLIPPED) == []
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


def left_edge(page: Page, selector: str) -> float:
    box = page.locator(selector).bounding_box()
    assert box is not None
    return box["x"]


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("language", LOCALES)
def test_every_page_from_the_welcome_to_the_end_fits(
    chromium: Browser, site: LiveSite, studies: dict[str, str], language: str, viewport: ViewportSize
) -> None:
    with chromium.new_context(viewport=viewport, locale=LOCALES[language], reduced_motion="reduce") as context:
        page = context.new_page()
        page.goto(f"{site.url}/rate/{studies['two']}/")
        looks_right(page, language)
        enter(page, site, studies["strong"])
        ready(page)
        looks_right(page, language)
        page.keyboard.press("h")
        expect(page.get_by_role("dialog")).to_be_visible()
        looks_right(page, language)
        enter(page, site, studies["two"])
        ready(page)
        looks_right(page, language)
        press(page, "ArrowLeft", "ArrowRight")
        page.wait_for_url("**/end/")
        looks_right(page, language)


def test_the_left_image_and_its_button_and_key_are_left_in_arabic_too(
    chromium: Browser, site: LiveSite, studies: dict[str, str]
) -> None:
    with chromium.new_context(viewport=PHONE, locale="ar") as context:
        page = context.new_page()
        enter(page, site, studies["ten"])
        ready(page)
        assert left_edge(page, "[data-side=left] img") < left_edge(page, "[data-side=right] img")
        left, same, right = (left_edge(page, f"[value={choice}]:visible") for choice in ("left", "same", "right"))
        assert left < same < right
        press(page, "ArrowLeft", "ArrowRight")
        page.get_by_role("button", name="اليسرى").click()
        settled(page)
        assert choices_of(site, studies["ten"]) == ["left", "right", "left"]


def test_a_language_is_chosen_without_scripts_and_stays(
    chromium: Browser, site: LiveSite, studies: dict[str, str]
) -> None:
    with chromium.new_context(locale="de-DE", java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{site.url}/rate/{studies['ten']}/")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("heading", name="Compare pairs of images")).to_be_visible()
        page.get_by_role("button", name="Start").click()
        expect(page.get_by_role("button", name="Same")).to_be_visible()


def test_the_api_is_asked_in_the_language_of_the_page(page: Page, site: LiveSite, studies: dict[str, str]) -> None:
    enter(page, site, studies["arabic"])
    ready(page)
    with page.expect_request("**/vote/") as sent:
        page.keyboard.press("ArrowLeft")
    assert sent.value.header_value("accept-language") == "ar"
