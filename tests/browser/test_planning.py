"""Planning in a browser: a wish is typed, answered, kept in the address, and fits a phone by day and by night."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live import LiveSite

pytestmark = pytest.mark.browser

SETTING = """
from django.contrib.auth.models import User
from tests.factories import make_rater, make_study, rate, take_turns
if not User.objects.filter(username="pia").exists():
    User.objects.create_user("pia", password="pia")
study = make_study(24, slug="pilot-study")
for number, rater in enumerate([make_rater(study) for _ in range(9)]):
    rate(rater, ("left", "right", "same")[number % 3])
result = study.slug
"""


@pytest.fixture(scope="module")
def pilot(site: LiveSite) -> str:
    """A study whose raters lean: each presses one button."""
    return str(site.python(SETTING))


@pytest.fixture(params=["light", "dark"])
def page(request: pytest.FixtureRequest, chromium: Browser, site: LiveSite, pilot: str) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 360, "height": 740}, color_scheme=request.param)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{site.url}/sign-in/")
    page.fill("[name=username]", "pia")
    page.fill("[name=password]", "pia")
    page.click("main button[type=submit]")
    page.get_by_role("link", name="Planning").click()
    yield page
    context.close()
    assert errors == []


def test_a_wish_is_answered_from_a_pilot_and_kept_in_the_address(page: Page, pilot: str) -> None:
    expect(page.get_by_role("status")).to_contain_text("ask 30 raters")
    page.get_by_label("Difference, points").fill("12")
    page.get_by_label("Raters:", exact=True).fill("20")
    page.get_by_label("Variances from").select_option(pilot)
    page.get_by_role("button", name="Plan").click()
    expect(page.get_by_role("status")).to_contain_text("200 pairs and 20 raters (4,000 votes, 200 from each)")
    expect(page.get_by_label("Command that gives the same answer")).to_have_value(
        f"manage.py plan_study --difference 12 --power 80% --alpha 5% --pairs 200 --raters 20 --pilot {pilot}"
    )
    page.reload()
    expect(page.get_by_label("Difference, points")).to_have_value("12")
    expect(page.get_by_role("img", name="Power for a difference of 12.0 points")).to_be_visible()


def test_the_page_fits_a_phone_whatever_it_says(page: Page) -> None:
    for wish in ("", "?raters=5&pairs=15&purpose=table", "?difference=x&pairs=1&raters=0&judged=half"):
        page.goto(page.url.split("?")[0] + wish)
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, wish


def test_a_wrong_entry_is_marked_for_those_who_hear_the_page(page: Page) -> None:
    page.get_by_label("Power, %").fill("100")
    page.get_by_role("button", name="Plan").click()
    power = page.get_by_label("Power, %")
    expect(power).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("alert")).to_contain_text("This cannot be planned for.")
    expect(page.get_by_text("The power must be from 50 to 99.9 %; 80 is usual.")).to_be_visible()
