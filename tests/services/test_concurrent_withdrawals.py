"""Raters withdraw while others vote, on both databases: nobody waits in a circle, nothing is miscounted."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import HTTPError

import pytest

from tests.live import LiveSite
from tests.services.http_rater import HttpRater

pytestmark = pytest.mark.services

N_RATERS, N_PAIRS, VOTES_WANTED, N_LEAVING = 16, 20, 6, 6

LEAVE = f"""
import time
from survey_site.models import Rater
from survey_site.voting.withdrawals import withdraw
result = 0
while result < {N_LEAVING}:
    rater = Rater.objects.filter(withdrawn_at=None, trials__votes__isnull=False).order_by("?").first()
    if rater is not None:
        withdraw(rater)
        result += 1
    time.sleep(0.05)
"""

COUNT = """
from survey_site.models import Comparison, Rater, Vote
result = {
    "votes_a_pair": sorted(Comparison.objects.values_list("n_votes", flat=True)),
    "withdrawn": Rater.objects.exclude(withdrawn_at=None).count(),
    "votes_of_withdrawn": Vote.objects.exclude(trial__rater__withdrawn_at=None).count(),
}
"""


def rate_or_be_gone(rater: HttpRater) -> None:
    """Rate to the end, or until the site no longer knows this browser."""
    try:
        rater.rate_to_the_end(share_twice=0.1)
    except HTTPError as refusal:
        if refusal.code not in {404, 409}:
            raise


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_raters_withdraw_while_others_vote(
    kind: str, new_database: Callable[[str], str | None], tmp_path: Path
) -> None:
    with LiveSite(tmp_path, database_url=new_database(kind)) as site:
        slug = site.study(n_pairs=N_PAIRS, votes_wanted=VOTES_WANTED)
        raters = [HttpRater(site.url, slug, seed=seed) for seed in range(N_RATERS)]
        with ThreadPoolExecutor(N_RATERS + 1) as people:
            leaving = people.submit(site.python, LEAVE)
            list(people.map(rate_or_be_gone, raters))
            assert leaving.result() == N_LEAVING
        for seed in range(N_LEAVING):
            # Whoever left after the others were done has left places that are still to be filled.
            HttpRater(site.url, slug, seed=100 + seed).rate_to_the_end(share_twice=0)
        counts = site.python(COUNT)
        assert site.manage("recount", "--check").startswith(f"All counters of {N_PAIRS} comparisons are right")
    assert counts == {
        "votes_a_pair": [VOTES_WANTED] * N_PAIRS,
        "withdrawn": N_LEAVING,
        "votes_of_withdrawn": 0,
    }
