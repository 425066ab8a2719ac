"""The laboratory's pages in a browser: a method that keeps what is typed, work that is followed, a phone's width."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live import LiveSite

pytestmark = pytest.mark.browser

SETTING = """
from django.contrib.auth.models import User
from generation.models import Arm, Checkpoint, Work
from tests.factories import make_batch
from tests.generation.factories import stored_checkpoint
if not User.objects.filter(username="bea").exists():
    User.objects.create_user("bea", password="bea")
denoiser = Checkpoint.objects.filter(name="small denoiser").first() or stored_checkpoint(name="small denoiser")
Checkpoint.objects.filter(name="small guide").first() or stored_checkpoint(name="small guide", role="classifier")
batch = make_batch()
work = Work.objects.create(kind="figure", title="Seed-matched rows: a batch", batch=batch)
result = [batch.pk, work.pk, denoiser.pk]
"""
BEGIN = """
from generation.holds import hold_work
from generation.models import Work
hold_work({work})
Work.objects.filter(pk={work}).update(done_units=3, all_units=10, note="column 3 of 10")
result = None
"""
FINISH = """
from generation.holds import Hold
from generation.models import Work
from tests.factories import drawn_ball
from generation.images import encode_png
work = Work.objects.get(pk={work})
hold = Hold(work, work.claimed_by)
hold.keep_file("pairs.png", encode_png(drawn_ball(1, noise=0.0)).data, content_type="image/png")
hold.finish(note="drawn")
result = None
"""


@pytest.fixture
def keys(site: LiveSite) -> list[int]:
    """A batch, a work of it and a denoiser, as fresh rows."""
    return list(site.python(SETTING))


@pytest.fixture
def page(chromium: Browser, site: LiveSite, keys: list[int]) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": 360, "height": 740})
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{site.url}/sign-in/")
    page.fill("[name=username]", "bea")
    page.fill("[name=password]", "bea")
    page.click("main button[type=submit]")
    yield page
    context.close()
    assert errors == []


def test_choosing_a_method_keeps_the_name_and_the_checkpoints(page: Page, site: LiveSite, keys: list[int]) -> None:
    page.goto(f"{site.url}/arms/new/")
    page.get_by_label("Name").fill("my arm")
    page.get_by_label("Denoiser:", exact=True).select_option(str(keys[2]))
    page.get_by_role("link", name="x0-prediction and EMA", exact=True).click()
    expect(page.get_by_label("Name")).to_have_value("my arm")
    expect(page.get_by_label("Denoiser:", exact=True)).to_have_value(str(keys[2]))
    expect(page.get_by_label("Stabiliser:")).to_have_value("ema")
    page.get_by_role("button", name="Make this arm").click()
    expect(page.get_by_role("alert")).to_contain_text("is to be guided by a classifier; choose which.")
    expect(page.get_by_label("Name")).to_have_value("my arm")


def test_a_figure_is_followed_to_its_end_without_a_reload(page: Page, site: LiveSite, keys: list[int]) -> None:
    batch, work, _ = keys
    page.goto(f"{site.url}/batches/{batch}/")
    page.evaluate("window.stayed = true")
    cancel = page.get_by_role("button", name="Cancel Seed-matched rows")
    cancel.focus()
    site.python(BEGIN.format(work=work))
    expect(page.locator("#laboratory progress")).to_have_attribute("value", "30")
    expect(page.get_by_text("column 3 of 10")).to_be_visible()
    expect(cancel).to_be_focused()
    site.python(FINISH.format(work=work))
    picture = page.locator("#laboratory figure img")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 64
    expect(cancel).to_have_count(0)
    assert page.evaluate("window.stayed")


def test_no_page_of_the_laboratory_scrolls_sideways_on_a_phone(page: Page, site: LiveSite, keys: list[int]) -> None:
    batch, work, denoiser = keys
    for path in (
        "/arms/",
        "/arms/new/?preset=elucd",
        "/checkpoints/",
        f"/checkpoints/{denoiser}/",
        f"/batches/{batch}/",
        f"/batches/{batch}/scores/new/",
        f"/batches/{batch}/figures/new/gradients/",
        "/batches/new/",
        "/works/",
        f"/works/{work}/",
        "/works/new/training/classifier/",
        "/works/new/reproduction/",
        "/works/new/registration/",
    ):
        page.goto(f"{site.url}{path}")
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, path
