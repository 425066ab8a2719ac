"""Which two arms a rater is shown next, where a study draws them by expected information gain.

A draw costs the same at any number of votes: what the votes said is counted once, and then only what came since.
"""

import random
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

import numpy as np
from django.core.cache import cache
from django.db.models import Count, Max
from django.utils import timezone

from analysis.active_sampling import chances_of_pairs
from analysis.intervals import Floats
from survey_site.designs import PREFERENCE, Sampling
from survey_site.models import Rater, Study, Trial, Vote
from survey_site.querysets import VoteQuerySet

# Chances are drawn with for a batch of votes, as ASAP does, but not longer than this; and not anew at every vote.
LONGEST = 30.0
SHORTEST = 0.2
# A vote this old is in the database for good: its transaction cannot still be under way.
SETTLED = timedelta(minutes=1)
HALF_WON = {Vote.Outcome.A: (1.0, 0.0), Vote.Outcome.B: (0.0, 1.0), Vote.Outcome.TIE: (0.5, 0.5)}


class DrawnArms(NamedTuple):
    """Two arms by their keys, the one first by name first, as comparisons have them; and how likely their draw was."""

    arm_a: int
    arm_b: int
    propensity: float


@dataclass(frozen=True)
class Odds:
    """Every two arms that may be drawn with their chance, for as long as few votes have come in since."""

    pairs: tuple[DrawnArms, ...]
    newest: int
    at: float


@dataclass(frozen=True)
class Tally:
    """What the votes up to one of them said of every two arms. won: [K, K], as the analysis reads it."""

    won: Floats
    newest: int
    n_withdrawn: int


def draw_arms(rater: Rater, *, rng: random.Random) -> DrawnArms | None:
    """Draw the two arms of a rater's next normal trial, or return None where the study does not sample actively.

    The chances of all arms that can still be compared sum to one. None, too, if no two arms want another vote.
    """
    if rater.study.how.order.sampling is not Sampling.ACTIVE:
        return None
    pairs = odds_of(rater.study, rng=rng).pairs
    return rng.choices(pairs, weights=[pair.propensity for pair in pairs])[0] if pairs else None


def odds_of(study: Study, *, rng: random.Random) -> Odds:
    """Return the chances of every two arms of a study; kept until as many votes came in as link all arms once."""
    key, newest = _key(study, "odds"), _newest_vote()
    kept = cache.get(key)
    if isinstance(kept, Odds) and _holds(kept, newest=newest):
        return kept
    arms = [arm.pk for arm in sorted(study.arms.all(), key=lambda arm: arm.name)]
    won = won_of(study, arms=arms)
    odds = Odds(tuple(_drawable(study, won, arms=arms, rng=rng)), newest=newest, at=time.time())
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


def _holds(odds: Odds, *, newest: int) -> bool:
    age, batch = time.time() - odds.at, max(1, _n_arms(odds) - 1)
    return age < SHORTEST or (age < LONGEST and newest < odds.newest + batch)


def _n_arms(odds: Odds) -> int:
    return len({arm for pair in odds.pairs for arm in (pair.arm_a, pair.arm_b)})


def _newest_vote() -> int:
    # Of all studies: one look at the end of an index.
    return int(Vote.objects.aggregate(newest=Max("pk", default=0))["newest"])


def _drawable(study: Study, won: Floats, *, arms: list[int], rng: random.Random) -> Iterator[DrawnArms]:
    sizes = _sizes(study, arms=arms)
    possible = sizes > 0
    if study.votes_wanted is not None:
        possible &= won + won.T < study.votes_wanted * sizes
    if not possible.any():
        return
    draws = np.random.default_rng(rng.getrandbits(64))
    exploration = study.how.order.exploration
    chances = chances_of_pairs(won, possible=possible, exploration=exploration, rng=draws)
    for first, second in zip(*np.nonzero(chances), strict=True):
        yield DrawnArms(arms[first], arms[second], propensity=float(chances[first, second]))


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
