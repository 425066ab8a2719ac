"""From the link to the code, as people go: on a phone, without JavaScript, and taken back to the platform."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, Route, ViewportSize, expect

from tests.live import LiveSite

pytestmark = pytest.mark.browser

PHONE: ViewportSize = {"width": 390, "height": 844}
SMALL_PHONE: ViewportSize = {"width": 320, "height": 568}
AGE = {
    "key": "age",
    "text": "How old are you?",
    "options": [{"text": "under 18", "screens_out": True}, {"text": "18 or older"}],
}
NOTE = {"key": "note", "text": "Anything else?", "required": False}
WELCOME = {"consent": "May we?", "questionnaire": [AGE, NOTE], "instructions": "Look twice.", "practice": 1}
ENDINGS = {"complete": {"code": "DONE-42"}, "no_consent": {"code": "NO-7"}}
DESIGN = {"entry": {"endings": ENDINGS}, "welcome": WELCOME}
PROLIFIC = {"entry": {"way": "platform", "platform": "prolific", "endings": ENDINGS}}


@pytest.fixture
def without_scripts(chromium: Browser) -> Iterator[BrowserContext]:
    """A small phone whose browser runs no script."""
    with chromium.new_context(viewport=SMALL_PHONE, has_touch=True, java_script_enabled=False) as context:
        yield context


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def finish_on_prolific(page: Page, site: LiveSite) -> None:
    """Answer the only pair of a study, in a browser for which Prolific is a page of our own; its clock stands."""
    slug = site.study(n_pairs=1, design=PROLIFIC)
    page.route("https://app.prolific.com/**", lambda route: _answer(route))
    page.goto(f"{site.url}/rate/{slug}/?PROLIFIC_PID=5f1a&SESSION_ID=s1&STUDY_ID=x")
    press(page, "Start")
    page.locator("[data-rating][data-state=open]").wait_for()
    page.clock.install()
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("You are taken there in a few seconds:")).to_be_visible()


def _answer(route: Route) -> None:
    route.fulfill(content_type="text/html", body="<h1>Thank you for your submission</h1>")


def test_the_whole_way_on_a_phone_without_javascript(without_scripts: BrowserContext, site: LiveSite) -> None:
    page = without_scripts.new_page()
    page.goto(f"{site.url}/rate/{site.study(n_pairs=8, design={**DESIGN, 'order': {'trials_per_rater': 2}})}/")
    press(page, "Start")
    expect(page.get_by_text("May we?")).to_be_visible()
    press(page, "I agree")
    press(page, "Continue")
    expect(page.get_by_text("Please choose one of the answers.")).to_be_visible()
    page.get_by_label("18 or older").check()
    press(page, "Continue")
    expect(page.get_by_text("The right answer here is")).to_be_visible()
    page.reload()
    press(page, "Start practice")
    page.get_by_role("button", name="Same").click()
    page.get_by_role("link", name="Go on").click()
    for number in (1, 2):
        expect(page.get_by_text(f"Pair {number} of 2")).to_be_visible()
        page.get_by_role("button", name="Left").click()
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    expect(page.get_by_text("DONE-42")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("DONE-42")).to_be_visible()


def test_a_second_tab_and_the_back_button_find_the_same_rater_at_the_same_step(
    without_scripts: BrowserContext, site: LiveSite
) -> None:
    slug = site.study(n_pairs=8, design=DESIGN)
    page = without_scripts.new_page()
    page.goto(f"{site.url}/rate/{slug}/")
    press(page, "Start")
    press(page, "I agree")
    expect(page.get_by_text("How old are you?")).to_be_visible()
    second = without_scripts.new_page()
    second.goto(f"{site.url}/rate/{slug}/")
    expect(second.get_by_text("How old are you?")).to_be_visible()
    page.go_back()
    expect(page.get_by_text("How old are you?")).to_be_visible()
    n_raters = site.python(
        f"from survey_site.models import Rater;result = Rater.objects.filter(study__slug='{slug}').count()"
    )
    assert n_raters == 1


def test_who_does_not_agree_copies_the_code_and_may_read_again(chromium: Browser, site: LiveSite) -> None:
    slug = site.study(n_pairs=8, design=DESIGN)
    with chromium.new_context(viewport=PHONE, permissions=["clipboard-read", "clipboard-write"]) as context:
        page = context.new_page()
        page.goto(f"{site.url}/rate/{slug}/")
        press(page, "Start")
        press(page, "I do not agree")
        press(page, "Copy")
        expect(page.get_by_role("button", name="Copied")).to_be_visible()
        assert page.evaluate("navigator.clipboard.readText()") == "NO-7"
        page.get_by_role("link", name="Open the study again").click()
        press(page, "Start")
        press(page, "I agree")
        expect(page.get_by_text("How old are you?")).to_be_visible()


def test_a_rater_who_has_finished_is_taken_back_to_the_platform(chromium: Browser, site: LiveSite) -> None:
    with chromium.new_context(viewport=PHONE) as context:
        page = context.new_page()
        finish_on_prolific(page, site)
        page.clock.run_for(11_000)
        expect(page.get_by_role("heading", name="Thank you for your submission")).to_be_visible()
        assert page.url == "https://app.prolific.com/submissions/complete?cc=DONE-42"


def test_a_rater_who_stays_is_taken_nowhere(chromium: Browser, site: LiveSite) -> None:
    with chromium.new_context(viewport=PHONE) as context:
        page = context.new_page()
        finish_on_prolific(page, site)
        press(page, "Stay here")
        page.clock.run_for(60_000)
        expect(page.get_by_text("DONE-42")).to_be_visible()
        expect(page.get_by_role("link", name="Go back to Prolific")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_page_before_the_first_pair_is_hard_to_read_or_too_wide(
    chromium: Browser, site: LiveSite, scheme: str
) -> None:
    slug = site.study(n_pairs=8, design=DESIGN)
    with chromium.new_context(viewport=SMALL_PHONE, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(f"{site.url}/rate/{slug}/")
        for button in ("Start", "I agree", "Continue"):
            _look_at(page)
            press(page, button)
        _look_at(page)
        page.get_by_label("18 or older").check()
        press(page, "Continue")
        _look_at(page)
        page.goto(f"{site.url}/rate/{slug}/thanks/")
        _look_at(page)


def _look_at(page: Page) -> None:
    found = [(rule["id"], rule["nodes"][0]["html"]) for rule in Axe().run(page).response["violations"]]
    assert found == [], page.url
    assert page.evaluate("document.documentElement.scrollWidth") == SMALL_PHONE["width"], page.url
