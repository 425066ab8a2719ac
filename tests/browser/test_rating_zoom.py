"""Looking closer: both images, at the same point, for as long as it is wanted."""

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.rating import PHONE, enter, press, ready, settled, votes_of
from tests.live import LiveSite

pytestmark = pytest.mark.browser

Studies = dict[str, str]
STYLES = "images => images.map(image => [image.style.transform, image.style.transformOrigin])"


def styles(page: Page) -> list[list[str]]:
    """Return how each image is enlarged, and at which point."""
    found: list[list[str]] = page.locator("[data-pair] img").evaluate_all(STYLES)
    return found


def box_of(page: Page, name: str) -> dict[str, float]:
    box = page.get_by_alt_text(name).bounding_box()
    assert box is not None
    return dict(box)  # type: ignore[arg-type]


def test_a_pressed_image_enlarges_both_at_the_same_point(page: Page, site: LiveSite, studies: Studies) -> None:
    enter(page, site, studies["two"])
    ready(page)
    box = box_of(page, "Right image")
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.75 * box["height"])
    page.mouse.down()
    page.wait_for_timeout(250)
    left, right = styles(page)
    assert left == right == ["scale(3)", "25% 75%"]
    page.mouse.move(box["x"] + 0.5 * box["width"], box["y"] - 40)
    assert styles(page) == [["scale(3)", "50% 0%"]] * 2
    page.mouse.up()
    assert styles(page) == [["", ""]] * 2
    press(page, "ArrowLeft")
    expect(page.locator("[data-progress]")).to_have_text("Pair 2 of 2")
    settled(page)
    (vote,) = votes_of(site, studies["two"])
    assert 200 <= vote["zoom_ms"] <= vote["response_ms"]


def test_z_enlarges_at_the_pointer_arrows_move_the_point_and_answer_nothing(
    page: Page, site: LiveSite, studies: Studies
) -> None:
    enter(page, site, studies["two"])
    ready(page)
    page.keyboard.down("z")
    assert styles(page) == [["scale(3)", "50% 50%"]] * 2
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowDown")
    assert styles(page) == [["scale(3)", "42% 58%"]] * 2
    box = box_of(page, "Left image")
    page.keyboard.up("z")
    assert styles(page) == [["", ""]] * 2
    box = box_of(page, "Left image")
    page.mouse.move(box["x"] + 0.25 * box["width"], box["y"] + 0.5 * box["height"])
    page.keyboard.down("z")
    assert styles(page) == [["scale(3)", "25% 50%"]] * 2
    page.keyboard.up("z")
    expect(page.locator("[data-progress]")).to_have_text("Pair 1 of 2")
    assert votes_of(site, studies["two"]) == []


def test_a_large_image_is_shown_pixel_by_pixel(chromium: Browser, site: LiveSite, studies: Studies) -> None:
    with chromium.new_context(viewport=PHONE) as context:
        page = context.new_page()
        enter(page, site, studies["large"])
        ready(page)
        width = box_of(page, "Left image")["width"]
        page.keyboard.down("z")
        scale = float(styles(page)[0][0].removeprefix("scale(").removesuffix(")"))
        assert scale == pytest.approx(512 / width, rel=0.01)


def test_a_finger_held_on_an_image_neither_answers_nor_opens_a_menu(
    chromium: Browser, site: LiveSite, studies: Studies
) -> None:
    with chromium.new_context(viewport=PHONE, has_touch=True, is_mobile=True) as context:
        page = context.new_page()
        enter(page, site, studies["two"])
        ready(page)
        box = box_of(page, "Left image")
        point = {"x": box["x"] + 0.5 * box["width"], "y": box["y"] + 0.5 * box["height"]}
        page.evaluate("() => addEventListener('contextmenu', (event) => { window.menu = !event.defaultPrevented; })")
        # Playwright itself only taps.
        finger = page.context.new_cdp_session(page)
        finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [point]})
        page.wait_for_timeout(900)  # longer than a long press
        assert styles(page) == [["scale(3)", "50% 50%"]] * 2
        moved = {**point, "x": box["x"] + 0.75 * box["width"]}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [moved]})
        assert styles(page) == [["scale(3)", "75% 50%"]] * 2
        finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        assert styles(page) == [["", ""]] * 2
        assert not page.evaluate("() => window.menu")
        expect(page.locator("[data-progress]")).to_have_text("Pair 1 of 2")
    assert votes_of(site, studies["two"]) == []
