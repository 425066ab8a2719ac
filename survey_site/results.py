"""From a study's rows to its report: a log read as arrays, then numbers only."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from django.core.cache import cache
from django.db.models import Count, Max, Min, Q, Sum

import analysis
from analysis import Report, analyse
from analysis.bootstrap import ROUNDS
from survey_site.logs.vote_logs import votes_of
from survey_site.models import Comparison, Study, Vote

# Beyond this many votes a page does not wait for the bootstrap, which only checks the headline.
BOOTSTRAPPED = 50_000


@dataclass(frozen=True)
class Tally:
    """Where a study stands: counts only, so that it can be looked at while the study is open."""

    comparisons: int
    judged: int
    votes: int
    open_trials: int
    fewest_votes: int
    raters: int


class KeptReport(NamedTuple):
    """A report and the key of the cache that it lies under: other votes, plan or software, another key."""

    key: str
    report: Report


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
    return kept_report(study).report


def kept_report(study: Study, *, meanwhile: Callable[[], None] = lambda: None) -> KeptReport:
    """Return the report with the name that it is kept under; what is made from it may be kept under that name too.

    meanwhile: begun before a report is computed, and not when one is kept.
    """
    key = _state(study)
    report = cache.get(key)
    if not isinstance(report, Report):
        meanwhile()
        votes = votes_of(study)
        plan = study.analysis_plan if study.plan_sha256 else None
        report = analyse(votes, plan=plan, rounds=bootstrap_rounds(votes.n_votes))
        cache.set(key, report)
    return KeptReport(key, report)


def bootstrap_rounds(n_votes: int) -> int:
    """Return how many rounds of the two-way bootstrap a study's page and its bundle do; 0 leaves it out."""
    return ROUNDS if n_votes <= BOOTSTRAPPED else 0


def _state(study: Study) -> str:
    """Name everything that a report depends on: rows that never change once written, the plan, the software."""
    votes = study.comparisons.aggregate(n=Sum("n_votes", default=0))["n"]
    # A closed study takes no votes; elsewhere any new vote, be it a replacing one, may be this study's.
    newest = "" if study.status == Study.Status.CLOSED else Vote.objects.aggregate(newest=Max("pk"))["newest"]
    # Who withdraws may have answered nothing but checks.
    withdrawn = study.raters.filter(withdrawn_at__isnull=False).count()
    study_is = (study.pk, study.secret, study.status, study.plan_sha256, study.is_simulated)
    parts = (*study_is, votes, newest, withdrawn, _software())
    return "report-" + sha256(repr(parts).encode()).hexdigest()


@lru_cache(maxsize=1)
def _software() -> str:
    files = sorted(Path(analysis.__file__).parent.rglob("*.py"))
    return sha256(b"".join(file.read_bytes() for file in files)).hexdigest()
