"""People who press Start at one moment, some of them twice: one rater a person, and no place given twice."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from tests.live import LiveSite

pytestmark = pytest.mark.services

N_PEOPLE, N_PLACES = 8, 3
DESIGN = {
    "entry": {"way": "platform", "platform": "other", "person_parameter": "person", "raters_wanted": N_PLACES},
    "welcome": {"consent": "May we?"},
}
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
OUTCOMES = """
from survey_site.models import Rater
result = list(Rater.objects.values_list("outcome", flat=True))
"""


def enter(site: str, slug: str, *, person: str, together: Barrier) -> str:
    """Press Start at the same moment as all others, in a browser of one's own; return the page that follows."""
    with httpx.Client(base_url=site, follow_redirects=True, timeout=60) as browser:
        token = TOKEN.findall(browser.get(f"/rate/{slug}/", params={"person": person}).text)[0]
        together.wait(timeout=60)
        fields = {"csrfmiddlewaretoken": token, "person": person}
        return browser.post(f"/rate/{slug}/enter/", data=fields).raise_for_status().url.path


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_everybody_is_one_rater_and_no_place_is_given_twice(
    kind: str, new_database: Callable[[str], str | None], tmp_path: Path
) -> None:
    with LiveSite(tmp_path, database_url=new_database(kind)) as site:
        slug = site.study(n_pairs=2, design=DESIGN)
        people = [f"person-{number}" for number in range(N_PEOPLE)] * 2
        together = Barrier(len(people))
        with ThreadPoolExecutor(len(people)) as crowd:
            pages = list(crowd.map(lambda person: enter(site.url, slug, person=person, together=together), people))
        outcomes = site.python(OUTCOMES)
    assert sorted(outcomes) == [""] * N_PLACES + ["quota_full"] * (N_PEOPLE - N_PLACES)
    assert pages[:N_PEOPLE] == pages[N_PEOPLE:], "the second browser of a person is where the first one is"
    assert pages.count(f"/rate/{slug}/consent/") == 2 * N_PLACES
