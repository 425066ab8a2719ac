"""From a study's rows to its report: two queries, then numbers only."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from django.db.models import Case, CharField, Count, F, Min, Q, Sum, When
from django.db.models.functions import Cast

from analysis import Report, Votes, analyse
from analysis.votes import Pair, VoteColumns
from survey_site.models import Comparison, Study, Vote


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

    Raises `analysis.InvalidVotes` for a study without comparisons.
    """
    return analyse(votes_of(study), plan=study.analysis_plan if study.plan_sha256 else None)


def votes_of(study: Study) -> Votes:
    """Return the votes that count, with every normal comparison, judged or not."""
    votes = list(standing_votes(study))
    columns = VoteColumns(
        pair_id=[vote.pair_id for vote in votes],
        rater_id=[vote.rater_id for vote in votes],
        left_arm=[vote.left_arm for vote in votes],
        right_arm=[vote.right_arm for vote in votes],
        choice=[vote.choice for vote in votes],
        response_ms=[vote.response_ms for vote in votes],
    )
    return Votes.from_rows(columns, pairs=list(_pairs(study)))


def labels_of(study: Study) -> dict[str, str]:
    """Return the class label of each normal comparison by its pair id."""
    return {pair.pair_id: pair.class_label for pair in _pairs(study)}


def standing_votes(study: Study) -> Iterator[StandingVote]:
    """Yield the study's votes that count, in order of arrival."""
    arm_a, arm_b = F("trial__comparison__image_a__arm__name"), F("trial__comparison__image_b__arm__name")
    code = Cast("trial__rater__code", CharField())
    rows = (
        Vote.objects.standing()
        .filter(trial__comparison__study=study, trial__comparison__kind="normal", trial__kind="normal")
        .annotate(
            left_arm=Case(When(trial__swapped=True, then=arm_b), default=arm_a),
            right_arm=Case(When(trial__swapped=True, then=arm_a), default=arm_b),
            rater_name=Case(When(trial__rater__external_id="", then=code), default=F("trial__rater__external_id")),
        )
        .order_by("pk")
        .values_list("trial__comparison__pair_id", "rater_name", "left_arm", "right_arm", "choice", "response_ms")
    )
    return (StandingVote(*row) for row in rows.iterator(chunk_size=2000))


def _pairs(study: Study) -> Iterable[Pair]:
    comparisons = (
        Comparison.objects.filter(study=study, kind=Comparison.Kind.NORMAL)
        .select_related("image_a__batch", "image_a__arm", "image_b__arm")
        .order_by("position")
    )
    for comparison in comparisons:
        a, b = comparison.image_a, comparison.image_b
        group = f"{a.batch_id}/{a.class_index}/{a.seed}"
        yield Pair(comparison.pair_id, comparison.class_label, (a.arm.name, b.arm.name), group)
