"""What the tests of rating share: studies to rate, the way to the first pair, and the votes that came of it."""

import re
import sqlite3
from typing import Any

from playwright.sync_api import Page, ViewportSize

from tests.live import LiveSite

DESKTOP: ViewportSize = {"width": 1280, "height": 800}
PHONE: ViewportSize = {"width": 390, "height": 844}
QUESTIONS = [{"key": "photo", "text": "Which looks more like a photograph?"}]
STUDIES: dict[str, dict[str, Any]] = {
    "one": {"n_pairs": 1, "votes_wanted": 1},
    "two": {"n_pairs": 2},
    "ten": {"n_pairs": 10},
    "large": {"n_pairs": 4, "size": 512},
    "strong": {"n_pairs": 4, "design": {"page": {"strength": True}, "order": {"break_after": 2}}},
    "many": {"n_pairs": 3, "design": {"page": {"questions": QUESTIONS, "strength": True, "reason": True}}},
    "dark": {"n_pairs": 2, "design": {"page": {"frame": "dark"}}},
    "arabic": {"n_pairs": 2, "design": {"page": {"language": "ar"}}},
    "practice": {"n_pairs": 20, "design": {"welcome": {"practice": 2}, "checks": {"mismatched": 4}}},
}
"""Anybody may rate each of them, so one of each serves all tests."""
UNSENT = "() => Object.keys(localStorage).filter((name) => name.startsWith('twinseed.')).length"
"""A script that counts the answers that a browser keeps."""
OPEN_ALL = "from tests.factories import *; result = {{n: make_study_with_files(**o).slug for n, o in {0!r}.items()}}"
VOTES = """
SELECT vote.choice, vote.response_ms, vote.question, vote.strength, vote.reason, vote.hidden_ms, vote.zoom_ms,
       vote.pressed_with, vote.replaces_id IS NOT NULL AS takes_back, trial.kind, trial.position
FROM survey_vote vote JOIN survey_trial trial ON trial.id = vote.trial_id
WHERE trial.rater_id = (SELECT MAX(rater.id) FROM survey_rater rater JOIN survey_study study
                        ON study.id = rater.study_id WHERE study.slug = ?) ORDER BY vote.id
"""


def open_all(site: LiveSite) -> dict[str, str]:
    """Open the studies and return their slugs."""
    slugs: dict[str, str] = site.python(OPEN_ALL.format(STUDIES))
    return slugs


def enter(page: Page, site: LiveSite, slug: str) -> None:
    """Walk from the link to the first pair."""
    page.goto(f"{site.url}/rate/{slug}/")
    while not page.locator("[data-rating]").count():
        page.locator("form button.is-primary").click()
        page.wait_for_load_state()


def ready(page: Page) -> None:
    """Wait until both images are painted and an answer is taken."""
    page.locator("[data-rating][data-state=open]").wait_for()


def press(page: Page, *keys: str) -> None:
    """Answer one pair after the other."""
    for key in keys:
        ready(page)
        page.keyboard.press(key)


def settled(page: Page) -> None:
    """Wait until the server has confirmed every answer."""
    page.wait_for_function(f"() => ({UNSENT})() === 0")


def votes_of(site: LiveSite, slug: str) -> list[dict[str, Any]]:
    """Return the votes of the rater who entered the study last, in the order in which they came in."""
    with sqlite3.connect(f"file:{site.folder / 'twinseed.sqlite3'}?mode=ro", uri=True) as database:
        database.row_factory = sqlite3.Row
        return [dict(row) for row in database.execute(VOTES, [slug])]


def choices_of(site: LiveSite, slug: str) -> list[str]:
    """Return what that rater chose, answer by answer."""
    return [vote["choice"] for vote in votes_of(site, slug)]


def is_image(url: str) -> bool:
    """Tell a stimulus from everything else that a page fetches."""
    return re.search(r"/rate/image/", url) is not None
