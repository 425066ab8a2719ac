"""From a study's rows to its report: two queries, then numbers only."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from django.core.cache import cache
from django.db.models import Case, Count, F, Max, Min, Q, Sum, When

import analysis
from analysis import Report, analyse
from analysis.bootstrap import ROUNDS
from survey_site.models import Comparison, Study, Vote
from survey_site.vote_logs import pair_rows, votes_of

# Beyond this many votes a page does not wait for the bootstrap, which only checks the headline.
BOOTSTRAPPED = 50_000
RATER = ("trial__rater__external_id", "trial__rater__code")


class StandingVote(NamedTuple):
    """A vote that counts, with the arms that stood left and right."""

    pair_id: str
    rater_id: str
    left_arm: str
    right_arm: str
    choice: str
    response_ms: int | None


@dataclass(frozen=True)
class Tally:
    """Where a study stands: counts only, so that it can be looked at while the study is open."""

    comparisons: int
    judged: int
    votes: int
    open_trials: int
    fewest_votes: int
    raters: int


def tally_of(study: Study) -> Tally:
    """Count a study's comparisons, votes and raters from the comparisons' counters."""
    counts = study.comparisons.filter(kind=Comparison.Kind.NORMAL).aggregate(
        comparisons=Count("pk"),
        judged=Count("pk", filter=Q(n_votes__gt=0)),
        votes=Sum("n_votes", default=0),
        open_trials=Sum("n_open", default=0),
        fewest_votes=Min("n_votes", default=0),
    )
    return Tally(**counts, raters=study.raters.count())


def study_report(study: Study) -> Report:
    """Return every figure of a study; the page and each file are made from this one object.

    It is kept until another vote comes in. Raises `analysis.InvalidVotes` for a study without comparisons.
    """
    key = _state(study)
    report = cache.get(key)
    if not isinstance(report, Report):
        votes = votes_of(study)
        plan = study.analysis_plan if study.plan_sha256 else None
        report = analyse(votes, plan=plan, rounds=bootstrap_rounds(votes.n_votes))
        cache.set(key, report)
    return report


def bootstrap_rounds(n_votes: int) -> int:
    """Return how many rounds of the two-way bootstrap a study's page and its bundle do; 0 leaves it out."""
    return ROUNDS if n_votes <= BOOTSTRAPPED else 0


def labels_of(study: Study) -> dict[str, str]:
    """Return the class label of each normal comparison by its pair id."""
    return {pair.pair_id: pair.class_label for pair in pair_rows(study)}


def standing_votes(study: Study) -> Iterator[StandingVote]:
    """Yield the study's votes that count, in order of arrival."""
    arm_a, arm_b = F("trial__comparison__image_a__arm__name"), F("trial__comparison__image_b__arm__name")
    rows = (
        Vote.objects.standing()
        .filter(trial__comparison__study=study, trial__comparison__kind="normal", trial__kind="normal")
        .annotate(
            left_arm=Case(When(trial__swapped=True, then=arm_b), default=arm_a),
            right_arm=Case(When(trial__swapped=True, then=arm_a), default=arm_b),
        )
        .order_by("pk")
        .values_list("trial__comparison__pair_id", *RATER, "left_arm", "right_arm", "choice", "response_ms")
    )
    for pair_id, external_id, code, *answer in rows.iterator(chunk_size=2000):
        yield StandingVote(pair_id, external_id or code.hex, *answer)


def _state(study: Study) -> str:
    """Name everything that a report depends on: rows that never change once written, the plan, the software."""
    votes = study.comparisons.aggregate(n=Sum("n_votes", default=0))["n"]
    # A closed study takes no votes; elsewhere any new vote, be it a replacing one, may be this study's.
    newest = "" if study.status == Study.Status.CLOSED else Vote.objects.aggregate(newest=Max("pk"))["newest"]
    parts = (study.pk, study.secret, study.status, votes, newest, study.plan_sha256, study.is_simulated, _software())
    return "report-" + sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=1)
def _software() -> str:
    files = sorted(Path(analysis.__file__).parent.rglob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
