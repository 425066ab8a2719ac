"""A live site and a fake Prolific talk to each other, on both databases."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, build_opener

import pytest

from tests.live import LiveSite
from tests.services.http_rater import TOKEN as CSRF
from tests.survey_site.fake_prolific import TOKEN, FakeProlific

pytestmark = pytest.mark.services
SECRET = "told by the platform"
OPEN = f"""
from survey_site.models import Study
from tests.factories import make_study
study = make_study(6, votes_wanted=1, design={{"entry": {{"way": "platform", "platform": "prolific"}}}})
Study.objects.filter(pk=study.pk).update(platform_secret={SECRET!r})
result = study.slug
"""
STATE = """
from survey_site.models import Comparison, PlatformEvent, Rater, Trial
result = {
    "outcomes": [rater.outcome for rater in Rater.objects.order_by("pk")],
    "open": [rater.trials.open().count() for rater in Rater.objects.order_by("pk")],
    "events": PlatformEvent.objects.count(),
    "miscounted": Comparison.objects.miscounted().count(),
}
"""


def enter(site: LiveSite, slug: str, *, person: str, submission: str) -> None:
    """Follow Prolific's link and press Start, as a browser does."""
    said = {"PROLIFIC_PID": person, "STUDY_ID": "p1", "SESSION_ID": submission}
    browser = build_opener(HTTPCookieProcessor())
    with browser.open(f"{site.url}/rate/{slug}/?{urlencode(said)}", timeout=20) as page:
        token = CSRF.search(page.read().decode())
    assert token is not None
    body = urlencode({**said, "csrfmiddlewaretoken": token[1]}).encode()
    with browser.open(f"{site.url}/rate/{slug}/enter/", body, timeout=20) as page:
        assert page.status == 200


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_messages_and_the_list_give_pairs_back_to_others(
    kind: str, new_database: Callable[[str], str | None], tmp_path: Path
) -> None:
    with FakeProlific() as platform, LiveSite(tmp_path, database_url=new_database(kind)) as site:
        site.env |= {"TWINSEED_PROLIFIC_TOKEN": TOKEN, "TWINSEED_PROLIFIC_URL": platform.url}
        slug = site.python(OPEN)
        target = f"{site.url}/platforms/prolific/{slug}/"
        enter(site, slug, person="a", submission="s1")
        enter(site, slug, person="b", submission="s2")

        # The platform is not sure that it was heard, and says it eight times at once.
        with ThreadPoolExecutor(8) as lines:
            said = {"submission": "s1", "status": "RETURNED", "secret": SECRET, "event": "e1"}
            answers = list(lines.map(lambda _line: platform.report(target, **said)["result"], range(8)))
        assert Counter(answers) == {"done": 1, "known": 7}
        with pytest.raises(HTTPError) as refusal:
            platform.report(target, submission="s2", status="RETURNED", secret="guessed")
        refusal.value.close()
        assert refusal.value.code == 401
        state = site.python(STATE)
        assert (state["outcomes"], state["open"][0], state["events"]) == (["returned", ""], 0, 1)
        assert state["open"][1] > 0

        # This message never came; the list of submissions tells.
        platform.add_submission("p1", submission="s1", participant="a", status="RETURNED")
        platform.add_submission("p1", submission="s2", participant="b", status="TIMED-OUT")
        assert "Of 2 submissions, 1 ended here" in site.manage("sync_prolific", slug, "--prolific-study", "p1")
        enter(site, slug, person="c", submission="s3")
        state = site.python(STATE)
        assert (state["outcomes"], state["open"][:2]) == (["returned", "timed_out", ""], [0, 0])
        assert state["open"][2] > 0
        assert state["miscounted"] == 0
