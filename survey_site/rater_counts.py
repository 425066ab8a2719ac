"""How many raters came how far, and how many comparisons are judged too little; counts only, no results."""

from dataclasses import dataclass

from django.db.models import Count, Exists, OuterRef, Q

from survey_site.design.designs import Outcome
from survey_site.drafts.design_words import OUTCOMES
from survey_site.models import Study, Trial


@dataclass(frozen=True)
class RaterCounts:
    """entering: before the first pair. rating: between the first pair and the end. ended: by outcome."""

    entering: int
    rating: int
    withdrawn: int
    ended: dict[Outcome, int]

    @property
    def named(self) -> list[tuple[str, int]]:
        """Every state with its name for reading; outcomes that no rater has are left out, but for complete."""
        ended = [(OUTCOMES[outcome], n) for outcome, n in self.ended.items() if n or outcome is Outcome.COMPLETE]
        withdrawn = [("Withdrawn", self.withdrawn)] if self.withdrawn else []
        return [("Entering", self.entering), ("Rating", self.rating), *ended, *withdrawn]


def counts_of(study: Study) -> RaterCounts:
    """Count a study's raters by how far they came. Who withdrew is counted as that and as nothing else."""
    stays, begun = Q(withdrawn_at__isnull=True), Exists(Trial.objects.filter(rater=OuterRef("pk")))
    under_way = stays & Q(outcome="")
    counts = study.raters.aggregate(
        entering=Count("pk", filter=under_way & ~Q(begun)),
        rating=Count("pk", filter=under_way & Q(begun)),
        withdrawn=Count("pk", filter=~stays),
        **{outcome.value: Count("pk", filter=stays & Q(outcome=outcome)) for outcome in OUTCOMES},
    )
    ended = {outcome: counts[outcome.value] for outcome in OUTCOMES}
    return RaterCounts(counts["entering"], counts["rating"], counts["withdrawn"], ended)


def n_below(study: Study, n_votes: int) -> int:
    """Count the comparisons that have fewer votes than so many."""
    return study.comparisons.normal().filter(n_votes__lt=n_votes).count()
