"""Which comparison a rater gets next, and on which side its first image stands.

Least judged first; within one load level a rater goes through an own random order, bent towards comparisons
whose less-shown side is also the one this rater has seen less. Every chosen row is locked and read anew before its
side is decided, so that two raters who look at the same moment neither overshoot the target nor tip a balance.
"""

import hmac
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from django.db.models import Count, Max, Q, Sum

from survey_site.models import Comparison, Rater
from survey_site.orders import mixed, position_at
from survey_site.querysets import ComparisonQuerySet

LOOK_AHEAD = 3
# Unseen comparisons weighed against each other, and how many places of a rater's order are looked up to find them.
WINDOW = 64
PLACES = 2 * WINDOW


class Candidate(NamedTuple):
    """What decides whether a comparison is next; a row of its own because hundreds are read for each vote."""

    pk: int
    position: int
    votes_wanted: int | None
    n_votes: int
    n_open: int
    n_a_left: int
    n_a_right: int


@dataclass(frozen=True)
class Seen:
    """How far a rater is, and how often image a stood on either side."""

    next_position: int
    a_left: int
    a_right: int

    def and_one(self, *, swapped: bool) -> "Seen":
        """Return what it is after one more trial."""
        side = {"a_right": self.a_right + 1} if swapped else {"a_left": self.a_left + 1}
        return replace(self, next_position=self.next_position + 1, **side)


@dataclass(frozen=True)
class Choice:
    """A locked comparison, its place in the rater's sequence and its sides."""

    comparison: Comparison
    position: int
    swapped: bool


def choose(rater: Rater, *, n_held: int) -> Iterator[Choice]:
    """Yield comparisons that fill up the look-ahead of a rater who holds `n_held` trials; skip what others lock."""
    seen = seen_by(rater)
    candidates = _candidates(rater, n_seen=seen.next_position)
    limit = 1 if _scarce(rater, candidates=candidates) else LOOK_AHEAD
    while candidates and n_held < limit:
        best = min(candidates, key=lambda candidate: _rank(candidate, seen=seen))
        candidates.remove(best)
        free = Comparison.objects.under_target().select_for_update(skip_locked=True, no_key=True)
        for comparison in free.filter(pk=best.pk):
            choice = _choice(comparison, rater=rater, seen=seen)
            seen, n_held = seen.and_one(swapped=choice.swapped), n_held + 1
            yield choice


def choose_patiently(rater: Rater) -> Iterator[Choice]:
    """Yield one comparison, waiting for those that others lock; for a rater to whom `choose` gave nothing.

    The caller's transaction holds no other comparison, and all who wait here wait in the order of the keys:
    so nobody waits in a circle.
    """
    seen = seen_by(rater)
    for candidate in sorted(_candidates(rater, n_seen=seen.next_position), key=lambda candidate: candidate.pk):
        locked = Comparison.objects.under_target().select_for_update(no_key=True)
        for comparison in locked.filter(pk=candidate.pk):
            yield _choice(comparison, rater=rater, seen=seen)
            return


def seen_by(rater: Rater) -> Seen:
    """Count what this rater has been shown; lapsed trials keep their position but are on no side's books."""
    held = Q(lapsed_at__isnull=True)
    counts = rater.trials.aggregate(
        last=Max("position", default=-1),
        a_left=Count("pk", filter=held & Q(swapped=False)),
        a_right=Count("pk", filter=held & Q(swapped=True)),
    )
    return Seen(counts["last"] + 1, a_left=counts["a_left"], a_right=counts["a_right"])


def _candidates(rater: Rater, *, n_seen: int) -> list[Candidate]:
    """Return up to `WINDOW` unseen comparisons under target, in this rater's own order from where the rater stands."""
    n = n_comparisons(rater.study_id)
    free = Comparison.objects.unseen_by(rater).under_target()
    if n <= PLACES:
        return _in_own_order(free, rater=rater)[:WINDOW]
    first = max(0, n_seen - WINDOW)
    places = {position_at((first + step) % n, key=rater.order_key, n=n): step for step in range(PLACES)}
    near = sorted(_rows(free.filter(position__in=places)), key=lambda row: places[row.position])[:WINDOW]
    if len(near) >= WINDOW // 2:
        return near
    # Few are left around here: the index on load finds the rest, wherever they are.
    far = _in_own_order(free.least_judged_first()[:WINDOW], rater=rater)
    return near + [row for row in far if row not in near]


def _in_own_order(rows: ComparisonQuerySet, *, rater: Rater) -> list[Candidate]:
    return sorted(_rows(rows), key=lambda row: mixed(row.position, key=rater.order_key))


def _rows(comparisons: ComparisonQuerySet) -> list[Candidate]:
    return [Candidate(*row) for row in comparisons.values_list(*Candidate._fields)]


def n_comparisons(study_id: int) -> int:
    """Return the number of normal comparisons of a study: one look into an index, because positions have no gaps."""
    last = Comparison.objects.normal().filter(study=study_id).aggregate(last=Max("position", default=-1))
    return int(last["last"]) + 1


def _scarce(rater: Rater, *, candidates: list[Candidate]) -> bool:
    """Tell whether fewer votes are still wanted than others may be about to give: then nobody hoards."""
    if len(candidates) >= WINDOW or any(candidate.votes_wanted is None for candidate in candidates):
        return False
    left = sum((candidate.votes_wanted or 0) - candidate.n_votes - candidate.n_open for candidate in candidates)
    held = Comparison.objects.filter(study=rater.study_id, n_open__gt=0).aggregate(n=Sum("n_open", default=0))
    return left < int(held["n"]) - rater.trials.open().count()


def _rank(candidate: Candidate, *, seen: Seen) -> tuple[int, bool]:
    """Return what to minimise; among equals the first, which is the next in the rater's own order, is taken."""
    more_left, seen_more_left = candidate.n_a_left - candidate.n_a_right, seen.a_left - seen.a_right
    tips_balance = more_left * seen_more_left < 0
    return candidate.n_votes + candidate.n_open, tips_balance


def _choice(comparison: Comparison, *, rater: Rater, seen: Seen) -> Choice:
    more_left = comparison.n_a_left - comparison.n_a_right or seen.a_left - seen.a_right
    swapped = more_left > 0 if more_left else _drawn_bit(comparison, rater=rater)
    return Choice(comparison, position=seen.next_position, swapped=swapped)


def _drawn_bit(comparison: Comparison, *, rater: Rater) -> bool:
    message = f"side {rater.order_key} {comparison.pk}".encode()
    return bool(hmac.digest(rater.study.secret.encode(), message, "sha256")[0] & 1)
