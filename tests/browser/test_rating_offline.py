"""Answers outlive a lost connection, a lost reply, a reload and a closed tab; each counts once."""

import re

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.rating import UNSENT, choices_of, enter, press, ready, settled, votes_of
from tests.live import LiveSite

pytestmark = pytest.mark.browser

Studies = dict[str, str]
VOTE = re.compile(r"/vote/$")
SLOW_REPLIES = """
const read = Response.prototype.json;
Response.prototype.json = async function () {
  await new Promise((done) => setTimeout(done, 1500));
  return read.call(this);
};
"""


def test_answers_outlive_a_lost_connection(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "ArrowLeft")
    expect(page.get_by_text("Answers waiting to be sent: 1.")).to_be_visible()
    # What was fetched ahead can still be answered, and taken back.
    press(page, "ArrowRight", "u", "ArrowDown", "ArrowRight")
    expect(page.locator("[data-rating]")).to_have_attribute("data-state", "idle")
    assert votes_of(site, studies["ten"]) == []
    page.context.set_offline(False)
    ready(page)
    expect(page.get_by_text("No connection.")).to_be_hidden()
    expect(page.locator("[data-progress]")).to_have_text("Pair 4 of 10")
    settled(page)
    votes = votes_of(site, studies["ten"])
    assert [(vote["choice"], vote["takes_back"]) for vote in votes] == [
        ("left", 0),
        ("right", 0),
        ("same", 1),
        ("right", 0),
    ]


def test_answers_outlive_a_reload_and_a_closed_tab(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    page.context.route(VOTE, lambda route: route.abort())
    press(page, "ArrowLeft", "ArrowRight")
    page.reload()
    ready(page)
    # What is answered is not asked again.
    expect(page.locator("[data-progress]")).to_have_text("Pair 3 of 10")
    press(page, "ArrowDown")
    other = page.context.new_page()
    page.close()
    assert votes_of(site, studies["ten"]) == []
    page.context.unroute(VOTE)
    other.goto(f"{site.url}/rate/{studies['ten']}/")
    ready(other)
    expect(other.locator("[data-progress]")).to_have_text("Pair 4 of 10")
    settled(other)
    assert choices_of(site, studies["ten"]) == ["left", "right", "same"]


def test_who_stops_with_answers_unsent_has_them_sent_from_the_last_page(
    page: Page, site: LiveSite, studies: Studies
) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    page.route(VOTE, lambda route: route.fulfill(status=503))
    press(page, "ArrowLeft", "ArrowRight")
    page.get_by_role("link", name="Stop here").click()
    expect(page.get_by_role("status")).to_contain_text("Answers not sent yet: 2.")
    page.unroute(VOTE)
    expect(page.get_by_text("You have rated 2 pairs.")).to_be_visible(timeout=15_000)
    assert choices_of(site, studies["ten"]) == ["left", "right"]


def test_two_tabs_share_their_answers_and_ask_no_pair_twice(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    other = page.context.new_page()
    other.goto(page.url)
    ready(other)
    shown = other.get_by_alt_text("Left image").get_attribute("src")
    page.bring_to_front()
    press(page, "ArrowLeft")
    ready(page)
    expect(other.get_by_alt_text("Left image")).not_to_have_attribute("src", str(shown))
    other.bring_to_front()
    press(other, "ArrowRight")
    expect(other.locator("[data-progress]")).to_have_text("Pair 3 of 10")
    expect(page.locator("[data-progress]")).to_have_text("Pair 3 of 10")
    # One tab answers everything that was ahead; the other one asks what comes then.
    press(other, *["ArrowDown"] * 3)
    page.bring_to_front()
    ready(page)
    press(page, *["ArrowLeft"] * 5)
    expect(page.get_by_role("heading", name="Thank you!")).to_be_visible()
    assert choices_of(site, studies["ten"]) == ["left", "right", *["same"] * 3, *["left"] * 5]


def test_a_reply_that_got_lost_is_asked_for_again_and_counts_once(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    sent: list[str] = []

    def lose_the_first_reply(route: Route) -> None:
        sent.append(str(route.request.post_data))
        if len(sent) > 1:
            route.continue_()
            return
        route.fetch()
        route.abort()

    page.route(VOTE, lose_the_first_reply)
    page.keyboard.press("ArrowLeft")
    page.wait_for_event("requestfinished", lambda request: VOTE.search(request.url) is not None)
    expect(page.locator("[data-progress]")).to_have_text("Pair 2 of 10")
    assert len(sent) == 2
    assert sent[0] == sent[1]
    assert choices_of(site, studies["ten"]) == ["left"]


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(page: Page, site: LiveSite, studies: Studies, status: int) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    page.route(VOTE, lambda route: route.fulfill(status=status, body="<h1>Busy</h1>"), times=2)
    press(page, "ArrowLeft")
    expect(page.get_by_text("Answers waiting to be sent: 1.")).to_be_visible()
    press(page, "ArrowRight")
    settled(page)
    expect(page.get_by_text("No connection.")).to_be_hidden()
    assert choices_of(site, studies["ten"]) == ["left", "right"]


def test_a_refused_answer_is_said_and_the_others_are_kept(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    refusal = {"detail": "Other raters have given this pair all the votes it needs."}
    page.route(VOTE, lambda route: route.fulfill(status=409, json=refusal), times=1)
    press(page, "ArrowLeft")
    expect(page.get_by_role("alert")).to_contain_text(refusal["detail"])
    press(page, "ArrowRight")
    expect(page.get_by_role("alert")).to_be_hidden()
    settled(page)
    assert choices_of(site, studies["ten"]) == ["right"]
    assert page.evaluate(UNSENT) == 0


def test_a_stale_page_keeps_its_answers_for_a_fresh_one(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["ten"])
    ready(page)
    page.context.clear_cookies(name="csrftoken")
    press(page, "ArrowLeft")
    expect(page.get_by_role("heading", name="This page cannot go on")).to_be_visible()
    assert votes_of(site, studies["ten"]) == []
    page.get_by_role("link", name="Go on").click()
    ready(page)
    expect(page.locator("[data-progress]")).to_have_text("Pair 2 of 10")
    settled(page)
    assert choices_of(site, studies["ten"]) == ["left"]


def test_a_study_that_is_paused_says_so_and_gets_the_answer_when_it_goes_on(page: Page, site: LiveSite) -> None:
    slug = site.study(n_pairs=3)
    enter(page, site, slug)
    ready(page)
    act = "from survey_site import studies as s; from survey_site.models import Study;"
    site.python(f"{act} result = s.pause_study(Study.objects.get(slug='{slug}')).slug")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_text("This study is paused")).to_be_visible()
    page.get_by_role("link", name="Go on").click()
    expect(page.get_by_role("heading", name="No answers are taken now")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Answers not sent yet: 1.")
    site.python(f"{act} result = s.open_study(Study.objects.get(slug='{slug}')).slug")
    page.goto(f"{site.url}/rate/{slug}/")
    expect(page.locator("[data-progress]")).to_have_text("Pair 2 of 3")
    settled(page)
    assert choices_of(site, slug) == ["left"]


def test_without_storage_answers_go_on_in_memory_and_leaving_is_warned_about(
    page: Page, site: LiveSite, studies: Studies
) -> None:
    page.add_init_script("Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError') };")
    enter(page, site, studies["ten"])
    ready(page)
    page.wait_for_load_state("networkidle")
    page.context.set_offline(True)
    press(page, "ArrowLeft")
    expect(page.get_by_text("Answers waiting to be sent: 1.")).to_be_visible()
    asked: list[str] = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    page.evaluate("() => location.reload()")
    page.wait_for_timeout(300)
    assert asked == ["beforeunload"]
    page.context.set_offline(False)
    expect(page.get_by_text("No connection.")).to_be_hidden()
    settled(page)
    assert choices_of(site, studies["ten"]) == ["left"]


def test_an_image_that_fails_is_fetched_again_and_then_asked_about(
    page: Page, site: LiveSite, studies: Studies
) -> None:
    left = re.compile(r"/left\.png$")
    page.context.route(left, lambda route: route.abort())
    enter(page, site, studies["ten"])
    expect(page.get_by_role("heading", name="An image could not be loaded")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.context.unroute(left)
    page.get_by_role("button", name="Try again").click()
    ready(page)
    assert page.get_by_alt_text("Left image").evaluate("(image) => image.naturalWidth") == 64
    expect(page.locator("[data-progress]")).to_have_text("Pair 1 of 10")
    assert votes_of(site, studies["ten"]) == []


def test_an_answer_given_while_a_reply_is_read_is_counted_at_once(page: Page, site: LiveSite, studies: Studies) -> None:
    page.add_init_script(SLOW_REPLIES)
    enter(page, site, studies["ten"])
    ready(page)
    with page.expect_response(VOTE):
        page.keyboard.press("ArrowLeft")
    # The first reply is here and being read; the second answer must not be lost between the two.
    page.wait_for_timeout(100)
    press(page, "ArrowLeft")
    expect(page.locator("[data-progress]")).to_have_text("Pair 3 of 10", timeout=500)


def test_another_raters_browser_storage_is_left_alone(chromium: Browser, site: LiveSite, studies: Studies) -> None:
    with chromium.new_context() as context:
        page = context.new_page()
        enter(page, site, studies["ten"])
        ready(page)
        context.route(VOTE, lambda route: route.abort())
        press(page, "ArrowLeft")
        ready(page)
        context.clear_cookies(name=re.compile("twinseed-rater"))
        context.unroute(VOTE)
        # Somebody else at the same machine, who has answered nothing.
        enter(page, site, studies["ten"])
        ready(page)
        expect(page.locator("[data-progress]")).to_have_text("Pair 1 of 10")
        page.wait_for_load_state("networkidle")
        assert page.evaluate(UNSENT) == 1
        assert votes_of(site, studies["ten"]) == []
