"""A worker does a HIT inside a frame of Amazon's page; Amazon's two sites are pages of our own."""

from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, Route, expect

from tests.live import LiveSite

pytestmark = pytest.mark.browser
MTURK = {"entry": {"way": "platform", "platform": "mturk", "endings": {"complete": {"code": "D0NE"}}}}
WORKER = {"workerId": "A1", "assignmentId": "3X", "hitId": "H", "turkSubmitTo": "https://www.mturk.com"}


@pytest.fixture
def handed_in() -> list[str]:
    """What was posted to Amazon."""
    return []


@pytest.fixture
def outer(chromium: Browser, handed_in: list[str]) -> Iterator[Page]:
    """A page whose network ends at Amazon: it answers itself there."""

    def submit(route: Route) -> None:
        handed_in.append(f"{route.request.method} {route.request.url} {route.request.post_data}")
        route.fulfill(content_type="text/html", body="<h1>HIT submitted</h1>")

    with chromium.new_context(viewport={"width": 1100, "height": 800}) as context:
        page = context.new_page()
        page.route("https://www.mturk.com/mturk/externalSubmit", submit)
        yield page


def framed(page: Page, address: str, *, by: str) -> FrameLocator:
    """Show an address in a frame of another site's page."""
    body = f'<iframe src="{address}" width="1000" height="700"></iframe>'
    page.route(f"{by}/**", lambda route: route.fulfill(content_type="text/html", body=body))
    page.goto(f"{by}/task")
    return page.frame_locator("iframe")


def test_a_hit_is_done_in_amazon_s_frame_from_the_link_to_the_end(
    site: LiveSite, outer: Page, handed_in: list[str]
) -> None:
    slug = site.study(n_pairs=2, design=MTURK)
    frame = framed(outer, f"{site.url}/rate/{slug}/?{urlencode(WORKER)}", by="https://worker.mturk.com")
    frame.get_by_role("button", name="Start").click()
    for number in (1, 2):
        expect(frame.get_by_text(f"Pair {number} of 2")).to_be_visible()
        frame.locator("[data-rating][data-state=open]").wait_for()
        frame.get_by_role("button", name="Left", exact=True).click()
    expect(frame.get_by_text("D0NE")).to_be_visible(timeout=20_000)
    # Amazon learns of the cookies nothing: they are kept apart for its page and go nowhere else.
    cookies = {cookie["name"]: cookie for cookie in outer.context.cookies() if cookie["name"] != "csrftoken"}
    assert cookies
    assert all(cookie["sameSite"] == "None" and cookie["secure"] for cookie in cookies.values())
    frame.get_by_role("button", name="Submit the HIT on Mechanical Turk").click()
    expect(frame.get_by_role("heading", name="HIT submitted")).to_be_visible()
    method, address, said = handed_in[0].split(" ")
    assert (method, address) == ("POST", "https://www.mturk.com/mturk/externalSubmit")
    assert parse_qs(said) == {"assignmentId": ["3X"], "code": ["D0NE"]}


def test_a_preview_says_to_accept_the_hit_and_offers_no_start(site: LiveSite, outer: Page) -> None:
    slug = site.study(n_pairs=2, design=MTURK)
    preview = urlencode({"assignmentId": "ASSIGNMENT_ID_NOT_AVAILABLE", "hitId": "H"})
    frame = framed(outer, f"{site.url}/rate/{slug}/?{preview}", by="https://worker.mturk.com")
    expect(frame.get_by_text("Accept the HIT on MTurk to begin.")).to_be_visible()
    expect(frame.get_by_role("button", name="Start")).to_have_count(0)


def test_no_other_site_can_frame_the_study(site: LiveSite, outer: Page) -> None:
    slug = site.study(n_pairs=2, design=MTURK)
    frame = framed(outer, f"{site.url}/rate/{slug}/?{urlencode(WORKER)}", by="https://evil.example")
    outer.wait_for_timeout(500)
    expect(frame.get_by_role("button", name="Start")).to_have_count(0)
