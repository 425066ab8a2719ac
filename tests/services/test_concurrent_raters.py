"""Forty raters at once, some of whose votes are sent twice, on both databases."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.live import LiveSite
from tests.services.http_rater import HttpRater

pytestmark = pytest.mark.services

N_RATERS, N_PAIRS, VOTES_WANTED = 40, 30, 8

COUNT = """
from collections import Counter
from survey_site.models import Comparison, Trial, Vote
result = {
    "votes_a_pair": sorted(Comparison.objects.values_list("n_votes", flat=True)),
    "open": sum(Comparison.objects.values_list("n_open", flat=True)),
    "tilts": [abs(pair.n_a_left - pair.n_a_right) for pair in Comparison.objects.all()],
    "votes": Vote.objects.count(),
    "voted_trials": Vote.objects.values("trial").distinct().count(),
    "most_by_one_rater_on_a_pair": max(Counter(Vote.objects.values_list("trial__rater", "trial__comparison")).values()),
}
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_forty_raters_meet_every_target_exactly(
    kind: str, new_database: Callable[[str], str | None], tmp_path: Path
) -> None:
    with LiveSite(tmp_path, database_url=new_database(kind)) as site:
        slug = site.study(n_pairs=N_PAIRS, votes_wanted=VOTES_WANTED)
        raters = [HttpRater(site.url, slug, seed=seed) for seed in range(N_RATERS)]
        with ThreadPoolExecutor(N_RATERS) as people:
            list(people.map(lambda rater: rater.rate_to_the_end(share_twice=0.1), raters))
        counts = site.python(COUNT)
        assert site.manage("recount", "--check").startswith("All counters of 30 comparisons are right")
    assert sum(rater.n_sent for rater in raters) > N_PAIRS * VOTES_WANTED, "some votes must have been sent twice"
    assert counts["votes_a_pair"] == [VOTES_WANTED] * N_PAIRS
    assert counts["votes"] == counts["voted_trials"] == N_PAIRS * VOTES_WANTED
    assert counts["most_by_one_rater_on_a_pair"] == 1
    assert counts["open"] == 0
    assert max(counts["tilts"]) <= 1


COUNT_BY_RATER = """
from collections import Counter
from survey_site.models import Comparison, Rater, Trial
result = {
    "normal_a_rater": sorted(Counter(Trial.objects.filter(kind="normal").values_list("rater", flat=True)).values()),
    "others": Trial.objects.exclude(kind="normal").count(),
    "votes_a_pair": sorted(Comparison.objects.filter(kind="normal").values_list("n_votes", flat=True)),
    "outcomes": sorted(set(Rater.objects.values_list("outcome", flat=True))),
    "unanswered": Trial.objects.filter(votes__isnull=True).count(),
}
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_raters_who_see_a_part_each_get_it_with_checks_and_judge_all_pairs_alike(
    kind: str, new_database: Callable[[str], str | None], tmp_path: Path
) -> None:
    design = {
        "order": {"trials_per_rater": 6},
        "checks": {"block": 5, "per_block": 1, "identical": 4, "mismatched": 4},
    }
    with LiveSite(tmp_path, database_url=new_database(kind)) as site:
        slug = site.study(n_pairs=12, design=design)
        raters = [HttpRater(site.url, slug, seed=seed) for seed in range(12)]
        with ThreadPoolExecutor(12) as people:
            list(people.map(lambda rater: rater.rate_to_the_end(share_twice=0.1), raters))
        counts = site.python(COUNT_BY_RATER)
        site.manage("recount", "--check")
    assert counts["normal_a_rater"] == [6] * 12
    assert counts["others"] >= 12
    assert sum(counts["votes_a_pair"]) == 12 * 6
    # Nobody dropped out: leases and classes in turn leave no pair behind by more than a rater or two.
    assert max(counts["votes_a_pair"]) - min(counts["votes_a_pair"]) <= 2
    assert counts["outcomes"] == ["complete"]
    assert counts["unanswered"] == 0
