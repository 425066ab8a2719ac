"""The results page in a browser: charts that fit a phone, turn dark and need no script."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.live import ROOT, LiveSite

pytestmark = pytest.mark.browser

FIXTURE = ROOT / "tests" / "data" / "table2_votes.csv"
DARK_SURFACE = "rgb(32, 35, 38)"


@pytest.fixture(scope="module")
def table_2(site: LiveSite) -> str:
    return site.manage("import_votes", str(FIXTURE), "--title", "Table 2 in a browser").splitlines()[-1]


@pytest.fixture(scope="module")
def four_arms(site: LiveSite, tmp_path_factory: pytest.TempPathFactory) -> str:
    table: Path = tmp_path_factory.mktemp("votes") / "four.csv"
    words = ("--arms", "cfg,robust,smoothed,vanilla", "--pairs", "24", "--classes", "4", "--seed", "1")
    site.manage("simulate_votes", *words, "--out", str(table))
    return site.manage("import_votes", str(table), "--title", "Four arms in a browser").splitlines()[-1]


# Options of a browser's context are of many types.
def page_at(chromium: Browser, site: LiveSite, slug: str, **options: Any) -> Page:
    site.python(
        "from django.contrib.auth.models import User\n"
        "result = User.objects.filter(username='ada').exists() or User.objects.create_user('ada', password='ada').pk"
    )
    page = chromium.new_context(**options).new_page()
    page.goto(f"{site.url}/sign-in/?next=/studies/{slug}/results/")
    page.fill("[name=username]", "ada")
    page.fill("[name=password]", "ada")
    page.click("main button[type=submit]")
    expect(page.locator("#take-away")).to_be_visible()
    return page


@pytest.fixture
def phone(chromium: Browser, site: LiveSite, table_2: str) -> Iterator[Page]:
    page = page_at(
        chromium,
        site,
        table_2,
        viewport={"width": 390, "height": 844},
        color_scheme="dark",
        java_script_enabled=False,
    )
    yield page
    page.context.close()


def test_on_a_phone_without_scripts_every_chart_fits(phone: Page) -> None:
    charts = phone.locator(".chart svg").all()
    assert len(charts) >= 6
    for chart in charts:
        box = chart.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390
        assert box["width"] > 300


def test_charts_say_their_numbers_to_a_screen_reader(phone: Page) -> None:
    table = phone.get_by_role("img", name="robust 61.5 %, vanilla 31.5 %, no preference 7.0 %")
    expect(table).to_be_visible()


def test_charts_turn_dark_with_the_page(chromium: Browser, site: LiveSite, table_2: str) -> None:
    page = page_at(chromium, site, table_2, color_scheme="dark")
    grounds = page.locator(".chart svg > rect").evaluate_all("all => all.map(one => getComputedStyle(one).fill)")
    assert set(grounds) == {DARK_SURFACE}
    inks = page.locator(".chart svg text").evaluate_all("all => all.map(one => getComputedStyle(one).fill)")
    assert "rgb(29, 31, 33)" not in inks
    page.context.close()


def test_no_text_of_a_chart_is_cut_off(chromium: Browser, site: LiveSite, table_2: str) -> None:
    page = page_at(chromium, site, table_2)
    cut = page.locator(".chart svg").evaluate_all(
        """charts => charts.flatMap(chart => {
            const frame = chart.getBoundingClientRect()
            return [...chart.querySelectorAll('text')].filter(text => {
                const box = text.getBoundingClientRect()
                return box.width && (box.left < frame.left - 1 || box.right > frame.right + 1)
            }).map(text => text.textContent)
        })"""
    )
    assert cut == []
    page.context.close()


def test_a_folded_pairing_fetches_its_charts_when_it_is_opened(
    chromium: Browser, site: LiveSite, four_arms: str
) -> None:
    page = page_at(chromium, site, four_arms)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(300)
    assert not [address for address in asked if "/charts/" in address]
    pairing = page.locator("#pairing-2")
    pairing.locator("summary").first.click()
    chart = pairing.get_by_role("img", name="Comparisons preferred at each threshold")
    chart.scroll_into_view_if_needed()
    expect(chart).to_be_visible()
    page.wait_for_function("image => image.complete && image.naturalWidth === 400", arg=chart.element_handle())
    assert any("/charts/2/thresholds.svg" in address for address in asked)
    page.context.close()


def test_the_links_of_the_page_lead_to_sections_and_files(chromium: Browser, site: LiveSite, table_2: str) -> None:
    page = page_at(chromium, site, table_2)
    anchors = page.locator(".contents a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert len(anchors) >= 6
    for anchor in anchors:
        expect(page.locator(anchor)).to_have_count(1)
    files = page.locator("#take-away a, .chart.is-thresholds .chart-files a")
    for address in files.evaluate_all("all => all.map(one => one.href)"):
        assert page.request.get(address).ok, address
    page.context.close()
