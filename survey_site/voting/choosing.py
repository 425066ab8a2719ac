"""Which comparison a rater gets next, and on which side its first image stands.

Classes take turns in proportion to their sizes, and no class follows itself where there is another; then the least
judged comes first; within one load level a rater goes through an own random order, bent towards comparisons whose
less-shown side is also the one this rater has seen less. A choice is claimed only if its counters are still as they
were read, so that two raters who look at the same moment neither overshoot the target nor tip a balance.
"""

import hmac
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

from survey_site.design.designs import Sampling
from survey_site.models import Comparison, Rater
from survey_site.querysets import ComparisonQuerySet
from survey_site.voting.active_arms import draw_arms
from survey_site.voting.counters import claim
from survey_site.voting.orders import mixed, position_at
from survey_site.voting.pools import Pool
from survey_site.voting.sequences import Sequence
from survey_site.voting.statements import Statement

LOOK_AHEAD = 3
# Unseen comparisons weighed against each other; of so few free ones the rest of the study is looked at, too.
WINDOW = 32
FEW = 8
# A rater has seen image a this many times more on one side: then, and not before, the next trial makes up for it.
NOTICEABLE = 2


COLUMNS = ("pk", "votes_wanted", "n_votes", "n_open", "n_a_left", "n_a_right")


def _free(*keys: int) -> ComparisonQuerySet:
    return Comparison.objects.under_target().filter(pk__in=keys).order_by()


# A statement asks for a fixed number of keys: a window of them, or all where there are few.
FREE = {n: Statement(lambda *keys: _free(*keys).values_list(*COLUMNS), n=n) for n in (WINDOW, 2 * WINDOW)}
FREE_AND_HELD = Statement(
    lambda study, *keys: _free(*keys).with_n_held(study).values_list(*COLUMNS, "n_held"), n=1 + 2 * WINDOW
)


class Candidate(NamedTuple):
    """What decides whether a comparison is next. n_held: trials that anybody holds, where that was asked for."""

    pk: int
    votes_wanted: int | None
    n_votes: int
    n_open: int
    n_a_left: int
    n_a_right: int
    n_held: int = 0


@dataclass(frozen=True)
class Choice:
    """A comparison that was claimed for a rater, and its sides. propensity: of its arms, if they were drawn."""

    comparison: int
    swapped: bool
    propensity: float | None = None


@dataclass(frozen=True)
class Drawn:
    """The part of the pool to choose from, and how likely it was to be drawn."""

    pool: Pool
    propensity: float | None = None


def choose(sequence: Sequence) -> Choice | None:
    """Claim the comparison that comes next; None where nothing is free that others do not need more."""
    drawn = _drawn(sequence)
    choice = _choose(sequence, drawn)
    if choice is None and drawn.propensity is not None:
        # Nothing of the drawn arms is free: any comparison is better than none. Nobody drew its arms.
        return _choose(sequence, Drawn(sequence.pool))
    return choice


def choose_patiently(sequence: Sequence) -> Choice | None:
    """Claim a comparison, waiting for those that others lock; for a rater to whom `choose` gave nothing.

    The caller's transaction holds no other comparison, and all who wait here wait in the order of the keys:
    so nobody waits in a circle.
    """
    for candidate in sorted(_candidates(sequence, sequence.pool)[0]):
        locked = Comparison.objects.under_target().select_for_update(no_key=True)
        for comparison in locked.filter(pk=candidate.pk):
            swapped = _swapped(comparison, sequence=sequence)
            if claim(comparison, swapped=swapped):
                return Choice(comparison.pk, swapped=swapped)
    return None


def _drawn(sequence: Sequence) -> Drawn:
    if sequence.pool.design.order.sampling is not Sampling.ACTIVE:
        return Drawn(sequence.pool)
    rater = sequence.rater
    seed = f"arms {rater.study.secret} {rater.order_key} {sequence.next_position}"
    arms = draw_arms(rater, rng=random.Random(seed))
    if arms is None:
        return Drawn(sequence.pool)
    return Drawn(sequence.pool.between(arms.arm_a, arms.arm_b), arms.propensity)


def _choose(sequence: Sequence, drawn: Drawn) -> Choice | None:
    candidates, are_all = _candidates(sequence, drawn.pool)
    if are_all and sequence.held and _are_scarce(candidates, n_own=len(sequence.held)):
        return None
    for candidate in _ranked(candidates, sequence=sequence):
        swapped = _swapped(candidate, sequence=sequence)
        if claim(candidate, swapped=swapped):
            return Choice(candidate.pk, swapped=swapped, propensity=drawn.propensity)
    return None


def _candidates(sequence: Sequence, pool: Pool) -> tuple[list[Candidate], bool]:
    """Return unseen comparisons under target to choose among, and whether they are all there are."""
    study = sequence.rater.study
    keys, are_all = _near(sequence, pool)
    near = _read(keys, study_id=study.pk if are_all and study.votes_wanted else None) if keys else []
    if are_all or len(near) >= FEW:
        return near, are_all
    # Few of these are free: the index on load finds the rest, wherever they are.
    rest = Comparison.objects.under_target().unseen_by(sequence.rater).least_judged_first(below=study.votes_wanted)
    if pool is not sequence.pool:
        rest = rest.filter(pk__in=pool.keys.tolist())
    rows = rest.with_n_held(study.pk)[:WINDOW].values_list(*COLUMNS, "n_held")
    far = [Candidate(*row) for row in rows]
    return list({candidate.pk: candidate for candidate in near + far}.values()), len(far) < WINDOW


def _read(keys: list[int], *, study_id: int | None) -> list[Candidate]:
    """Read the comparisons with these keys that are under target; of a study, with `n_held`."""
    n = WINDOW if study_id is None and len(keys) <= WINDOW else 2 * WINDOW
    # A key that comes again changes nothing.
    wanted = keys + keys[-1:] * (n - len(keys))
    rows = FREE[n].rows(*wanted) if study_id is None else FREE_AND_HELD.rows(study_id, *wanted)
    return [Candidate(*row) for row in rows]


def _are_scarce(candidates: list[Candidate], *, n_own: int) -> bool:
    """Tell whether fewer votes are still wanted than others may be about to give: then nobody hoards."""
    if not candidates or any(candidate.votes_wanted is None for candidate in candidates):
        return False
    left = sum((candidate.votes_wanted or 0) - candidate.n_votes - candidate.n_open for candidate in candidates)
    return left + n_own < max(candidate.n_held for candidate in candidates) - n_own


def _near(sequence: Sequence, pool: Pool) -> tuple[list[int], bool]:
    """Return keys of unseen comparisons, of the classes whose turn it is, and whether they are all there are."""
    seen = pool.spots(sequence.seen)
    if len(pool) - len(seen) <= 2 * WINDOW:
        return [key for key in pool.keys.tolist() if key not in seen], True
    places: dict[int, set[int]] = {}
    for spot in seen.values():
        places.setdefault(spot.class_no, set()).add(spot.place)
    keys: list[int] = []
    order_key = sequence.rater.order_key
    for classes in _in_turn(sequence):
        left = WINDOW - len(keys)
        if left <= 0:
            break
        chosen = [classes[index] for index in _places(len(classes), avoid=(), key=order_key, at_most=left)]
        for class_no in chosen:
            n, key = pool.size_of(class_no), mixed(class_no, key=order_key)
            own = _places(n, avoid=places.get(class_no, ()), key=key, at_most=-(-left // len(chosen)))
            keys += [pool.key_at(class_no, place) for place in own]
    return keys, False


def _in_turn(sequence: Sequence) -> Iterator[list[int]]:
    """Yield the classes, those whose turn it is first; classes that have equal claims come together."""
    shown = sequence.shown
    yield _places(sequence.pool.n_classes, avoid=shown, key=sequence.rater.order_key, at_most=WINDOW)
    claims = sorted((_claim(class_no, sequence=sequence), class_no) for class_no in shown)
    for _, equal in groupby(claims, key=itemgetter(0)):
        yield [class_no for _, class_no in equal]


def _places(n: int, *, avoid: Collection[int], key: int, at_most: int) -> list[int]:
    """Return some of the places 0 ... n-1 but those to avoid, the next ones in the order that belongs to the key."""
    if n - len(avoid) <= at_most:
        return [place for place in range(n) if place not in avoid]
    # What was passed over lies a little behind. Past the end the order begins anew.
    first = max(0, len(avoid) - at_most // 2)
    walk = (position_at((first + step) % n, key=key, n=n) for step in range(min(n, 3 * at_most)))
    found = list(islice((place for place in walk if place not in avoid), at_most))
    return found or [place for place in range(n) if place not in avoid][:at_most]


def _claim(class_no: int, *, sequence: Sequence) -> tuple[bool, bool, float]:
    """Return what to minimise: more than one ahead of its share, the class of the last trial, the share shown."""
    n, size, shown = len(sequence.pool), sequence.pool.size_of(class_no), sequence.shown[class_no]
    is_ahead = (shown - 1) * n >= (len(sequence.normal) + 1) * size
    return is_ahead, class_no == sequence.last_class, shown / size


def _ranked(candidates: list[Candidate], *, sequence: Sequence) -> list[Candidate]:
    """Order candidates; among equals the next in the rater's own order comes first."""
    spots = sequence.pool.spots([candidate.pk for candidate in candidates])
    claims = {spot.class_no: _claim(spot.class_no, sequence=sequence) for spot in spots.values()}
    seen_more_left = _more_left(sequence)

    def rank(candidate: Candidate) -> tuple[tuple[bool, bool, float], int, bool, int]:
        tips_balance = (candidate.n_a_left - candidate.n_a_right) * seen_more_left < 0
        own_order = mixed(candidate.pk, key=sequence.rater.order_key)
        return claims[spots[candidate.pk].class_no], candidate.n_votes + candidate.n_open, tips_balance, own_order

    return sorted(candidates, key=rank)


def _more_left(sequence: Sequence) -> int:
    """Return by how many image a stood more often on the left of this rater; 0 as long as that is hardly noticeable.

    Were every single one made up for, the arms of each second pair would stand the other way round than before, and
    whoever recognised an arm once would know where it stands next.
    """
    more = len(sequence.normal) - 2 * sequence.n_swapped
    return more if abs(more) >= NOTICEABLE else 0


def _swapped(comparison: Candidate | Comparison, *, sequence: Sequence) -> bool:
    more_left = comparison.n_a_left - comparison.n_a_right or _more_left(sequence)
    return more_left > 0 if more_left else _drawn_bit(comparison.pk, rater=sequence.rater)


def _drawn_bit(comparison: int, *, rater: Rater) -> bool:
    message = f"side {rater.order_key} {comparison}".encode()
    return bool(hmac.digest(rater.study.secret.encode(), message, "sha256")[0] & 1)
