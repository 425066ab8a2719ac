"""Rating as people do it: with the keyboard, without JavaScript, on a phone, with a bad connection."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.live import LiveSite

pytestmark = pytest.mark.browser

DESKTOP = {"width": 1280, "height": 800}
PHONE = {"width": 390, "height": 844}

VOTES = """
from survey_site.models import Vote
votes = Vote.objects.filter(trial__rater__study__slug="{slug}").order_by("pk")
result = [[vote.choice, vote.response_ms] for vote in votes]
"""


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Open a desktop window in which any script error fails the test."""
    with chromium.new_context(viewport=DESKTOP) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        yield page
        assert errors == []


def enter(page: Page, site: LiveSite, slug: str) -> None:
    page.goto(f"{site.url}/rate/{slug}/")
    page.get_by_role("button", name="Start").click()


def ready(page: Page) -> None:
    """Wait until both images are painted and an answer is taken."""
    page.locator("[data-rating][data-state=open]").wait_for()


def votes_of(site: LiveSite, slug: str) -> list[list[Any]]:
    answers: list[list[Any]] = site.python(VOTES.format(slug=slug))
    return answers


def test_ten_pairs_are_rated_with_the_keyboard(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=10)
    enter(page, site, slug)
    keys = ["ArrowLeft", "ArrowRight", "ArrowDown", " ", "ArrowLeft"] * 2
    for number, key in enumerate(keys, start=1):
        ready(page)
        expect(page.locator("[data-progress]")).to_have_text(f"Pair {number} of 10")
        page.keyboard.press(key)
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    expect(page.get_by_text("10 pairs")).to_be_visible()
    votes = votes_of(site, slug)
    assert [choice for choice, _ in votes] == ["left", "right", "same", "same", "left"] * 2
    assert all(isinstance(response_ms, int) and response_ms < 60_000 for _, response_ms in votes)


def test_a_pair_is_rated_without_javascript(chromium: Browser, site: LiveSite) -> None:
    slug = site.study(n_pairs=2)
    with chromium.new_context(java_script_enabled=False, viewport=DESKTOP) as context:
        page = context.new_page()
        enter(page, site, slug)
        expect(page.get_by_text("Pair 1 of 2")).to_be_visible()
        page.get_by_role("button", name="Right").click()
        expect(page.get_by_text("Pair 2 of 2")).to_be_visible()
        page.get_by_role("button", name="Same").click()
        expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert votes_of(site, slug) == [["right", None], ["same", None]]


@pytest.mark.parametrize("viewport", [PHONE, DESKTOP, {"width": 844, "height": 390}, {"width": 320, "height": 568}])
def test_a_pair_and_its_buttons_fit_without_scrolling(
    chromium: Browser, site: LiveSite, viewport: dict[str, int]
) -> None:
    slug = site.study(n_pairs=2)
    with chromium.new_context(viewport=viewport, device_scale_factor=2, has_touch=True) as context:  # type: ignore[arg-type]
        page = context.new_page()
        enter(page, site, slug)
        ready(page)
        scrolls = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
        width, height = page.evaluate(scrolls)
        assert (width, height) == (viewport["width"], viewport["height"])
        for name in ("Left", "Same", "Right"):
            expect(page.get_by_role("button", name=name)).to_be_in_viewport(ratio=1)
        left, right = (page.get_by_alt_text(f"{side} image").bounding_box() for side in ("Left", "Right"))
        assert left is not None
        assert right is not None
        assert (left["width"], left["height"], left["y"]) == (right["width"], right["height"], right["y"])
        assert left["x"] + left["width"] <= right["x"]
        assert left["width"] >= 64


def test_small_images_grow_by_whole_pixels(page: Page, site: LiveSite) -> None:
    enter(page, site, site.study(n_pairs=1))
    ready(page)
    box = page.get_by_alt_text("Left image").bounding_box()
    assert box is not None
    assert box["width"] % 64 == 0
    assert box["width"] >= 4 * 64


def test_a_held_key_answers_one_pair(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=3)
    enter(page, site, slug)
    ready(page)
    for _ in range(5):
        page.keyboard.down("ArrowLeft")  # without an up in between, Chromium marks it as a repeat
        page.wait_for_timeout(60)
    page.keyboard.up("ArrowLeft")
    expect(page.get_by_text("Pair 2 of 3")).to_be_visible()
    assert len(votes_of(site, slug)) == 1


def test_the_next_pair_needs_no_request_for_its_images(page: Page, site: LiveSite) -> None:
    enter(page, site, site.study(n_pairs=6))
    ready(page)
    page.wait_for_load_state("networkidle")
    fetched: list[str] = []
    page.on("request", lambda request: fetched.append(request.url))
    shown = page.get_by_alt_text("Left image").get_attribute("src")
    page.keyboard.press("ArrowLeft")
    ready(page)
    following = page.get_by_alt_text("Left image").get_attribute("src")
    assert following != shown
    assert not [url for url in fetched if url.endswith(str(following))]


def test_answers_outlive_a_lost_connection(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=4)
    enter(page, site, slug)
    ready(page)
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("No connection.")).to_be_visible()
    ready(page)
    page.keyboard.press("ArrowRight")
    page.context.set_offline(False)
    ready(page)
    expect(page.get_by_text("No connection.")).to_be_hidden(timeout=15_000)
    for _ in range(2):
        ready(page)
        page.keyboard.press("ArrowDown")
    expect(page.get_by_text("4 pairs")).to_be_visible()
    assert [choice for choice, _ in votes_of(site, slug)] == ["left", "right", "same", "same"]


def test_a_refused_answer_ends_on_the_page_that_says_why(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=3)
    enter(page, site, slug)
    ready(page)
    site.python(
        "from survey_site.models import Study; from survey_site.studies import close_study;"
        f"result = close_study(Study.objects.get(slug='{slug}')).slug"
    )
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("This study is closed and takes no more answers.")).to_be_visible()
    assert votes_of(site, slug) == []


def test_a_reply_that_got_lost_is_asked_for_again_and_counts_once(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=3)
    enter(page, site, slug)
    ready(page)
    lost: list[str] = []

    def lose_the_first_reply(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.request.url)
        route.fetch()
        route.abort()

    page.route("**/vote/", lose_the_first_reply)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-progress]")).to_have_text("Pair 2 of 3")
    page.wait_for_event("requestfinished", lambda request: request.url.endswith("/vote/"), timeout=15_000)
    assert lost
    assert len(votes_of(site, slug)) == 1


def test_a_button_reached_with_the_tab_key_is_pressed_with_space(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=2)
    enter(page, site, slug)
    ready(page)
    page.get_by_role("link", name="Stop here").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Space")
    expect(page.get_by_text("Pair 2 of 2")).to_be_visible()
    ready(page)
    # The focus stays where it was, and arrows answer from anywhere.
    expect(page.get_by_role("button", name="Left")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert [choice for choice, _ in votes_of(site, slug)] == ["left", "same"]


SLOW_REPLIES = """
const read = Response.prototype.json;
Response.prototype.json = async function () {
  await new Promise((done) => setTimeout(done, 1500));
  return read.call(this);
};
"""


def test_an_answer_given_while_a_reply_is_read_is_counted_at_once(page: Page, site: LiveSite) -> None:
    page.add_init_script(SLOW_REPLIES)
    slug = site.study(n_pairs=6)
    enter(page, site, slug)
    ready(page)
    with page.expect_response("**/vote/"):
        page.keyboard.press("ArrowLeft")
    # The first reply is here and being read; the second answer must not be lost between the two.
    page.wait_for_timeout(100)
    ready(page)
    page.keyboard.press("ArrowLeft")
    expect(page.locator("[data-progress]")).to_have_text("Pair 3 of 6", timeout=500)
