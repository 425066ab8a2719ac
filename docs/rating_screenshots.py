"""The pictures of docs/rating.md: studies are set up by the researcher's own pages, then rated in a browser."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page

DESKTOP: dict[str, Any] = {"viewport": {"width": 1280, "height": 800}}
PHONE: dict[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "device_scale_factor": 2,
    "has_touch": True,
    "is_mobile": True,
}
BATCH = "SportBalls demo"
WHOLE_WAY = '''
[entry.endings.complete]
code = "C1ABCDEF"
[welcome]
consent = """
This study asks which of two images people prefer. It takes about five minutes.

You may stop at any time, and have your answers erased afterwards.
We keep your answers and how long they took; we do not know who you are.

Questions? Write to study@example.org."""
instructions = "Look at both images before you answer. Judge the ball, not the ground."
practice = 1
[[welcome.questionnaire]]
key = "age"
text = "How old are you?"
options = [{text = "18 to 39", quota = 50}, {text = "40 or older"}, {text = "younger than 18", screens_out = true}]
[[welcome.questionnaire]]
key = "vision"
text = "Do you wear glasses or contact lenses right now?"
options = [{text = "yes"}, {text = "no, I do not need any"}, {text = "no, but I should"}]
[[welcome.questionnaire]]
key = "job"
text = "What do you do?"
required = false
[order]
trials_per_rater = 2
break_after = 1
[checks]
per_block = 1
'''
QUESTIONS = """
[page]
strength = true
questions = [{key = "fit", text = "Which image shows the description better?"}]
"""
CHECKED = """
[order]
votes_min = 2
[checks]
per_block = 2
block = 6
"""


def take(browser: Browser, site: str, *, password: str, folder: Path) -> None:
    """Take them all."""
    folder.mkdir(exist_ok=True)
    researcher = browser.new_context(**DESKTOP).new_page()
    sign_in(researcher, site, password=password)

    def studied(title: str, toml: str, before_opening: Callable[[Page], None] = lambda page: None) -> str:
        return _open_study(researcher, site, title=title, toml=toml, before_opening=before_opening)

    _whole_way(browser.new_context(**DESKTOP).new_page(), studied("The whole way", WHOLE_WAY), folder=folder)
    _questions(browser.new_context(**DESKTOP).new_page(), studied("Two questions", QUESTIONS), folder=folder)
    plain = studied("Plain", "")
    _first_pair(browser.new_context(**DESKTOP).new_page(), plain, path=folder / "desktop.png")
    _first_pair(browser.new_context(**PHONE).new_page(), plain, path=folder / "phone.png")
    _first_pair(browser.new_context(**DESKTOP, color_scheme="dark").new_page(), plain, path=folder / "dark.png")
    _zoom(browser.new_context(**DESKTOP).new_page(), plain, path=folder / "zoom.png")
    checked = studied("Balls, with checks", CHECKED, before_opening=lambda page: _design(page, folder=folder))
    for key, pause in (("ArrowLeft", 0), ("ArrowRight", 700), ("ArrowDown", 500)):
        _rate(browser.new_context(**DESKTOP).new_page(), checked, key=key, pause=pause)
    _results_of_raters(researcher, site, checked, folder=folder)


def sign_in(page: Page, site: str, *, password: str) -> None:
    """Come in as the researcher."""
    page.goto(f"{site}/sign-in/")
    page.get_by_label("Username").fill("researcher")
    page.get_by_label("Password").fill(password)
    page.get_by_role("main").get_by_role("button", name="Sign in").click()


def _open_study(page: Page, site: str, *, title: str, toml: str, before_opening: Callable[[Page], None]) -> str:
    """Set up a study on the demo's images and return the address for raters."""
    page.goto(f"{site}/studies/new/")
    page.get_by_label("Title:").fill(title)
    batch = page.locator("option", has_text=BATCH).get_attribute("value")
    page.get_by_label("Batch:").select_option(batch)
    page.get_by_label("Votes per comparison").fill("20")
    page.get_by_role("button", name="Save as a draft").click()
    study = page.url
    page.goto(f"{study}design/")
    file: Any = {"name": "design.toml", "mimeType": "application/toml", "buffer": toml.encode()}
    page.get_by_label("Design as a file").set_input_files(file)
    page.get_by_role("button", name="Take the design from this file").click()
    before_opening(page)
    page.goto(study)
    page.get_by_role("button", name="Open the study").click()
    return f"{site}/rate/{study.rstrip('/').rpartition('/')[2]}/"


def _whole_way(page: Page, address: str, *, folder: Path) -> None:
    page.goto(address)
    _press(page, "Start")
    page.screenshot(path=folder / "consent.png")
    _press(page, "I agree")
    page.get_by_label("40 or older").check()
    page.screenshot(path=folder / "questionnaire.png")
    page.get_by_label("yes").check()
    _press(page, "Continue")
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "instructions.png")
    _press(page, "Start practice")
    _shown(page)
    page.keyboard.press("ArrowDown")
    page.locator("[data-panel=feedback]").wait_for()
    page.screenshot(path=folder / "practice.png")
    page.locator("[data-panel=feedback] [data-go-on]").click()
    _shown(page)
    page.keyboard.press("ArrowLeft")
    page.locator("[data-panel=break]").wait_for()
    page.screenshot(path=folder / "break.png")
    page.locator("[data-panel=break] [data-go-on]").click()
    _shown(page)
    page.keyboard.press("ArrowRight")
    page.get_by_text("C1ABCDEF").first.wait_for()
    page.screenshot(path=folder / "end.png")
    page.get_by_role("link", name="Erase my answers").click()
    page.screenshot(path=folder / "withdraw.png")


def _questions(page: Page, address: str, *, folder: Path) -> None:
    _enter(page, address)
    page.screenshot(path=folder / "strength.png")
    page.keyboard.press("ArrowLeft")
    page.get_by_text("Which image shows the description better?").first.wait_for()
    page.screenshot(path=folder / "questions.png")


def _first_pair(page: Page, address: str, *, path: Path) -> None:
    _enter(page, address)
    page.screenshot(path=path)


def _zoom(page: Page, address: str, *, path: Path) -> None:
    _enter(page, address)
    page.locator("[data-side=left] img").hover()
    page.keyboard.down("z")
    page.wait_for_timeout(400)
    page.screenshot(path=path)
    page.keyboard.up("z")


def _rate(page: Page, address: str, *, key: str, pause: int) -> None:
    """Press one key to the end; on every open pair after a pause in ms."""
    _enter(page, address)
    while page.url.endswith("/trial/"):
        if page.locator("[data-rating][data-state=open]").count():
            page.wait_for_timeout(pause)
            page.keyboard.press(key)
        page.wait_for_timeout(100)


def _design(page: Page, *, folder: Path) -> None:
    draft = page.url
    page.locator("summary", has_text="Checks").click()
    page.screenshot(path=folder / "design.png", full_page=True, clip=_down_to(page.locator("section.size")))
    page.goto(f"{draft}gold/")
    page.get_by_role("link", name="as the first").nth(0).click()
    page.get_by_role("link", name="as the second").last.click()
    page.wait_for_load_state("networkidle")
    page.screenshot(path=folder / "gold.png", full_page=True, clip=_down_to(page.locator(".stimuli li").nth(3)))


def _results_of_raters(page: Page, site: str, address: str, *, folder: Path) -> None:
    study = f"{site}/studies/{address.rstrip('/').rpartition('/')[2]}"
    page.goto(f"{study}/raters/")
    page.screenshot(path=folder / "raters.png", full_page=True)
    page.goto(f"{study}/blinding/")
    page.get_by_role("button", name="Audit now").click(timeout=120_000)
    page.get_by_role("button", name="Audit again").wait_for(timeout=120_000)
    page.screenshot(path=folder / "audit.png", full_page=True)


def _enter(page: Page, address: str) -> None:
    page.goto(address)
    _press(page, "Start")
    _shown(page)


def _press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()


def _shown(page: Page) -> None:
    page.locator("[data-rating][data-state=open]").wait_for()


def _down_to(element: Locator) -> Any:
    box = element.bounding_box()
    assert box is not None
    return {"x": 0, "y": 0, "width": 1280, "height": box["y"] + box["height"] + 16}
