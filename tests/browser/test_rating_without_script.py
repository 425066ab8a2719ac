"""Everything that rating takes, in a browser that runs no script."""

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.rating import PHONE, enter, votes_of
from tests.live import LiveSite

pytestmark = pytest.mark.browser

Studies = dict[str, str]


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    with chromium.new_context(viewport=PHONE, java_script_enabled=False) as context:
        yield context.new_page()


def click(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def test_pairs_are_rated_and_taken_back(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["two"])
    expect(page.get_by_text("Pair 1 of 2")).to_be_visible()
    images = page.locator("[data-pair] img")
    first = [image.get_attribute("src") for image in images.all()]
    click(page, "Right")
    expect(page.get_by_text("Pair 2 of 2")).to_be_visible()
    page.get_by_role("link", name="Take back").click()
    assert [image.get_attribute("src") for image in images.all()] == first
    expect(page.get_by_text("You are changing your last answer. It was: Right")).to_be_visible()
    expect(page.get_by_role("button", name="Right", exact=True)).to_have_attribute("aria-pressed", "true")
    click(page, "Left")
    expect(page.get_by_text("Pair 2 of 2")).to_be_visible()
    click(page, "Same")
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    votes = votes_of(site, studies["two"])
    assert [(vote["choice"], vote["takes_back"], vote["response_ms"]) for vote in votes] == [
        ("right", 0, None),
        ("left", 1, None),
        ("same", 0, None),
    ]


def test_strength_has_buttons_and_the_break_a_page(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["strong"])
    click(page, "Much left")
    click(page, "Same")
    expect(page.get_by_role("heading", name="Time for a short break")).to_be_visible()
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_text("Pair 3 of 4")).to_be_visible()
    votes = votes_of(site, studies["strong"])
    assert [(vote["choice"], vote["strength"]) for vote in votes] == [("left", 2), ("same", None)]


def test_all_questions_stand_in_one_form(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["many"])
    click(page, "Send")  # the browser asks for what is missing
    page.get_by_role("radio", name="Slightly right").check()
    page.get_by_role("group", name="Which looks more like a photograph?").get_by_role("radio", name="Left").check()
    page.get_by_role("textbox", name="Why?").fill("It shines.")
    click(page, "Send")
    expect(page.get_by_text("Pair 2 of 3")).to_be_visible()
    votes = votes_of(site, studies["many"])
    assert [(vote["question"], vote["choice"], vote["strength"], vote["reason"]) for vote in votes] == [
        ("preference", "right", 1, "It shines."),
        ("photo", "left", None, ""),
    ]


def test_practice_has_a_page_that_says_what_was_right(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["practice"])
    for _ in range(2):
        expect(page.locator("[data-progress]")).to_have_text("Practice")
        click(page, "Left")
        expect(page.get_by_role("heading", name=re.compile("That is right.|Not quite."))).to_be_visible()
        is_right = page.get_by_role("heading", name="That is right.").is_visible()
        expect(page.get_by_text("The right answer:")).to_have_count(0 if is_right else 1)
        page.reload()
        page.get_by_role("link", name="Go on").click()
    expect(page.get_by_text("Pair 1 of 20")).to_be_visible()
    assert [vote["kind"] for vote in votes_of(site, studies["practice"])] == ["practice", "practice"]
