"""Which two arms a rater is shown next, where a study draws them by expected information gain.

A draw costs the same at any number of votes: what the votes said is counted once, and then only what came since.
"""

import random
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Max
from django.utils import timezone

from analysis.active_sampling import next_batch
from analysis.intervals import Floats
from analysis.votes import Ints
from survey_site.design.designs import PREFERENCE, Sampling
from survey_site.models import Rater, Study, Trial, Vote
from survey_site.querysets import VoteQuerySet

# Seconds that a batch is drawn from at most, and at least: not anew with every vote of a rush.
LONGEST = 30.0
SHORTEST = 0.2
# A vote this old is in the database for good: its transaction cannot still be under way.
SETTLED = timedelta(minutes=1)
HALF_WON = {Vote.Outcome.A: (1.0, 0.0), Vote.Outcome.B: (0.0, 1.0), Vote.Outcome.TIE: (0.5, 0.5)}


class DrawnArms(NamedTuple):
    """Two arms by their keys, the one first by name first, as comparisons have them.

    propensity: how likely they were to come in this draw, before the order of the batch's turns was drawn.
    """

    arm_a: int
    arm_b: int
    propensity: float


@dataclass(frozen=True)
class Odds:
    """Every two arms that may be drawn, and those of the batch in turn; since which trial and moment."""

    pairs: tuple[DrawnArms, ...]
    turns: tuple[DrawnArms, ...]
    trial: int
    at: float


@dataclass(frozen=True)
class Tally:
    """What the votes up to the newest one said of every two arms. won: [K, K], as the analysis reads it."""

    won: Floats
    newest: int
    n_withdrawn: int


def draw_arms(rater: Rater, *, rng: random.Random) -> DrawnArms | None:
    """Draw the two arms of a rater's next normal trial, or return None where the study does not sample actively.

    The chances of all arms that can still be compared sum to one. None, too, if no two arms want another vote.
    """
    order = rater.study.how.order
    if order.sampling is not Sampling.ACTIVE:
        return None
    # Of all studies: one look at the end of an index. Each trial that is leased is the next one's turn.
    newest = int(Trial.objects.aggregate(newest=Max("pk", default=0))["newest"])
    odds = odds_of(rater.study, trial=newest, rng=rng)
    if not odds.pairs:
        return None
    if rng.random() < order.exploration:
        return rng.choice(odds.pairs)
    return odds.turns[(newest - odds.trial) % len(odds.turns)]


def odds_of(study: Study, *, trial: int, rng: random.Random) -> Odds:
    """Return a study's chances at the moment of some trial; kept until each pair of the batch has had its turn."""
    key = _key(study, "odds")
    kept = cache.get(key)
    if isinstance(kept, Odds) and _holds(kept, trial=trial):
        return kept
    arms = [arm.pk for arm in sorted(study.arms.all(), key=lambda arm: arm.name)]
    won = won_of(study, arms=arms)
    pairs, turns = _drawable(study, won, arms=arms, rng=rng)
    odds = Odds(pairs, turns, trial=trial, at=time.time())
    cache.set(key, odds)
    return odds


def won_of(study: Study, *, arms: list[int]) -> Floats:
    """Return the standing votes for each arm over each other, [K, K], in the order of some keys; Same is half for each.

    Settled votes are counted once, those of the last minute each time anew.
    """
    key, n_withdrawn = _key(study, "tally"), study.raters.filter(withdrawn_at__isnull=False).count()
    known = cache.get(key)
    if not isinstance(known, Tally) or known.n_withdrawn != n_withdrawn:
        # A rater who withdrew took votes along, wherever they were.
        known = Tally(np.zeros((len(arms), len(arms))), newest=0, n_withdrawn=n_withdrawn)
    settled = _newest_settled()
    if settled > known.newest:
        won = known.won + _counted(study, after=known.newest, upto=settled, arms=arms)
        known = Tally(won, newest=settled, n_withdrawn=n_withdrawn)
        cache.set(key, known)
    return known.won + _counted(study, after=known.newest, upto=None, arms=arms)


def _holds(odds: Odds, *, trial: int) -> bool:
    age = time.time() - odds.at
    return age < SHORTEST or (age < LONGEST and 0 <= trial - odds.trial < len(odds.turns))


def _drawable(
    study: Study, won: Floats, *, arms: list[int], rng: random.Random
) -> tuple[tuple[DrawnArms, ...], tuple[DrawnArms, ...]]:
    sizes = _sizes(study, arms=arms)
    possible = sizes > 0
    if study.votes_wanted is not None:
        possible &= won + won.T < study.votes_wanted * sizes
    if not possible.any():
        return (), ()
    exploration, draws = study.how.order.exploration, np.random.default_rng(rng.getrandbits(64))
    batch = next_batch(won, possible=possible, exploration=exploration, rng=draws)

    def drawn(places: Ints) -> tuple[DrawnArms, ...]:
        return tuple(DrawnArms(arms[a], arms[b], propensity=float(batch.chances[a, b])) for a, b in places)

    return drawn(np.argwhere(possible)), drawn(batch.turns)


def _sizes(study: Study, *, arms: list[int]) -> Floats:
    """How many comparisons there are of each two arms, [K, K], above the diagonal; fixed since the study opened."""
    key = _key(study, "sizes")
    kept = cache.get(key)
    if isinstance(kept, np.ndarray):
        return kept
    places, sizes = {arm: place for place, arm in enumerate(arms)}, np.zeros((len(arms), len(arms)))
    rows = study.comparisons.normal().order_by().values_list("image_a__arm", "image_b__arm")
    for arm_a, arm_b, n in rows.annotate(n=Count("pk")):
        sizes[places[arm_a], places[arm_b]] = n
    cache.set(key, sizes)
    return sizes


def _newest_settled() -> int:
    # Backwards from the newest vote: as many steps as there were votes in the last minute.
    settled = Vote.objects.filter(created_at__lt=timezone.now() - SETTLED)
    return settled.order_by("-pk").values_list("pk", flat=True).first() or 0


def _counted(study: Study, *, after: int, upto: int | None, arms: list[int]) -> Floats:
    """Count the votes after one and up to another, less those that they replaced."""
    window = Vote.objects.filter(pk__gt=after)
    if upto is not None:
        window = window.filter(pk__lte=upto)
    # By key from the few that replaced something: the other way round, every vote would be looked at.
    replaced = Vote.objects.filter(pk__in=window.replacing().order_by().values("replaces"))
    return _table(window, study, arms=arms) - _table(replaced, study, arms=arms)


def _table(votes: VoteQuerySet, study: Study, *, arms: list[int]) -> Floats:
    own = votes.filter(question=PREFERENCE, trial__kind=Trial.Kind.NORMAL, trial__comparison__study=study)
    places, won = {arm: place for place, arm in enumerate(arms)}, np.zeros((len(arms), len(arms)))
    columns = ("trial__comparison__image_a__arm", "trial__comparison__image_b__arm", "outcome")
    for arm_a, arm_b, outcome, n in own.with_outcome().order_by().values_list(*columns).annotate(n=Count("pk")):
        a, b = places[arm_a], places[arm_b]
        for_a, for_b = HALF_WON[outcome]
        won[a, b], won[b, a] = won[a, b] + n * for_a, won[b, a] + n * for_b
    return won


def _key(study: Study, what: str) -> str:
    # The secret, because keys of rows come again in another database beside the same cache.
    return f"active-{what}-{study.pk}-{study.secret[:16]}"
