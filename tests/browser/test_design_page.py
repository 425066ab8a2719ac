"""Setting how a study asks, in a browser: rows are added, numbers follow, it fits a phone, works without scripts."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.live import LiveSite

pytestmark = pytest.mark.browser

SETTING = """
from django.contrib.auth.models import User
from survey_site.models import Study
from tests.factories import *
from tests.factories import _draft
if not User.objects.filter(username="ada").exists():
    User.objects.create_user("ada", password="ada")
batch = make_batch(12, made=False)
save_images([(image, drawn_ball(image.seed, noise=0.0)) for image in batch.images.all()], made_with=MadeWith())
result = _draft(batch, votes_wanted=4, slug=None).slug
"""


@pytest.fixture
def draft(site: LiveSite) -> str:
    """The address of a draft's design page."""
    return f"{site.url}/studies/{site.python(SETTING)}/design/"


def signed_in(context: BrowserContext, site: LiveSite) -> Page:
    page = context.new_page()
    page.goto(f"{site.url}/sign-in/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "ada")
    page.click("main button[type=submit]")
    return page


@pytest.fixture(params=[True, False], ids=["with scripts", "without"])
def page(request: pytest.FixtureRequest, chromium: Browser, site: LiveSite, draft: str) -> Iterator[Page]:
    with chromium.new_context(viewport={"width": 1280, "height": 900}, java_script_enabled=request.param) as context:
        page = signed_in(context, site)
        page.goto(draft)
        yield page


def test_a_questionnaire_is_typed_and_saved(page: Page) -> None:
    page.locator("summary", has_text="Before the first pair").click()
    page.get_by_label("Question:").first.fill("How old are you?")
    page.get_by_label("Options, one a line").first.fill("18 or older\nyounger | screens out")
    page.get_by_role("button", name="Save how it asks").click()
    expect(page.get_by_role("status")).to_contain_text("is saved")
    expect(page.get_by_role("listitem").filter(has_text="younger").last).to_contain_text("ends the study")


def test_a_fault_opens_its_section_and_keeps_what_was_typed(page: Page) -> None:
    page.locator("summary", has_text="Checks").click()
    page.get_by_label("Checks in each block").fill("9")
    # Enter saves, like the button at the end.
    page.get_by_label("Checks in each block").press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("What you typed is still here.")
    expect(page.get_by_text("At most 4 fit into a block of 10 trials.")).to_be_visible()
    expect(page.get_by_label("Checks in each block")).to_have_value("9")


def test_a_gold_pair_is_chosen_from_pictures(page: Page) -> None:
    page.locator("summary", has_text="Checks").click()
    page.get_by_role("button", name="Save, and choose gold pairs").click()
    page.get_by_role("link", name="as the first").nth(0).click()
    page.get_by_role("link", name="as the second").nth(1).click()
    page.get_by_label("The second image").check()
    page.get_by_role("button", name="Save this pair").click()
    expect(page.get_by_text("the second is right")).to_be_visible()


def test_numbers_follow_what_is_typed_and_rows_are_added(chromium: Browser, site: LiveSite, draft: str) -> None:
    with chromium.new_context() as context:
        page = signed_in(context, site)
        page.goto(draft)
        needed = page.locator("#size dd").nth(3)
        expect(needed).to_have_text("4")
        page.locator("summary", has_text="Order and votes").click()
        page.get_by_label("Comparisons per rater").fill("6")
        expect(needed).to_have_text("8")
        page.locator("summary", has_text="Before the first pair").click()
        page.get_by_role("button", name="Another question").first.click()
        page.locator("[name=items-2-text]").fill("Third?")
        page.get_by_role("button", name="Save how it asks").click()
        page.locator("summary", has_text="Before the first pair").click()
        expect(page.locator("[name=items-0-text]")).to_have_value("Third?")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_fit_a_phone_and_hold_nothing_that_axe_minds(
    chromium: Browser, site: LiveSite, draft: str, scheme: str
) -> None:
    study = draft.removesuffix("design/")
    opened = site.study(n_pairs=4, design={"entry": {"way": "invited"}, "welcome": {"consent": "May we?"}})
    pages = [draft, f"{draft}gold/", study, *(f"{site.url}/studies/{opened}/{name}" for name in OPENED)]
    with chromium.new_context(viewport={"width": 320, "height": 640}, color_scheme=scheme) as context:  # type: ignore[arg-type]  # one of its words
        page = signed_in(context, site)
        for address in pages:
            page.goto(address)
            page.evaluate("document.querySelectorAll('details').forEach((details) => (details.open = true))")
            assert page.evaluate("document.documentElement.scrollWidth") <= 320, address
            found = Axe().run(page)
            assert found.violations_count == 0, f"{address}: {found.generate_report()}"


OPENED = ("", "design/", "raters/", "invitations/", "consent/")
