"""Where a rater's attention checks stand: a plan of blocks, computed and not stored.

Each block of `checks.block` trials holds `checks.per_block` checks. They are never among a block's first two trials
and never next to each other, and all placements that keep to this are equally likely. Everything is derived from the
study's secret and the rater's order key: the same at every look, and unknown to whoever lacks the secret.
"""

from __future__ import annotations

import hmac
from bisect import bisect_right
from functools import lru_cache
from math import comb, factorial
from typing import NamedTuple

from survey_site.design.designs import Checks

NORMAL, REPEAT = "normal", "repeat"
# A block begins with trials of the study's own, so that the checks of two blocks never touch either.
LEAD = 2
# Normal trials up to which a rater's sequence is played through in thought; nobody answers more.
LONGEST = 2000


class Supply(NamedTuple):
    """What a study's checks are made of: pairs of each kind, and how many trials later a repeat may come."""

    gold: int
    identical: int
    repeat_after: int


def kind_at(position: int, *, checks: Checks, key: int, secret: str) -> str:
    """Return what stands at a place of a rater's sequence: "normal", "gold", "identical" or "repeat".

    position: 0, 1, 2, ... among the rater's trials without practice. key: the rater's order key.
    """
    if not checks.per_block:
        return NORMAL
    number, place = divmod(position, checks.block)
    places = _places(number, block=checks.block, n=checks.per_block, key=key, secret=secret)
    if place not in places:
        return NORMAL
    return _kind(number * checks.per_block + places.index(place), kinds=checks.kinds, key=key, secret=secret)


def kinds_from(kind: str, kinds: tuple[str, ...]) -> tuple[str, ...]:
    """Return the kinds of check to try where one is planned: it first, then the design's others in its place."""
    return () if kind == NORMAL else (kind, *(other for other in kinds if other != kind))


def n_trials(n_normal: int, *, checks: Checks, key: int, secret: str, supply: Supply | None = None) -> int:
    """Return how many trials, checks included, bring a rater to the last of some normal ones.

    supply: where it may run out, a normal trial takes a check's place, so that the sequence is shorter.
    """
    if n_normal <= 0 or not checks.per_block:
        return max(n_normal, 0)
    if supply is not None and n_normal <= LONGEST:
        # Without the gold pairs, which may be a thousand, settings are quickly told apart.
        return _played(n_normal, checks.model_copy(update={"gold": ()}), key=key, secret=secret, supply=supply)
    # The last block may be cut short, so it is looked at; every earlier one is whole.
    number, left = divmod(n_normal - 1, checks.block - checks.per_block)
    places = _places(number, block=checks.block, n=checks.per_block, key=key, secret=secret)
    normal = [place for place in range(checks.block) if place not in places]
    return number * checks.block + normal[left] + 1


# A vote asks for the same block again and again; a few thousand raters rate at once at most.
@lru_cache(maxsize=4096)
def _places(number: int, *, block: int, n: int, key: int, secret: str) -> tuple[int, ...]:
    """The places of a block's checks, ascending."""
    # n places of which no two are neighbours, among m: any n of m - n + 1, each moved on by those before it.
    free = block - LEAD - n + 1
    chosen = _combination(_drawn("places", number, key=key, secret=secret) % comb(free, n), n=n, among=free)
    return tuple(LEAD + place + earlier for earlier, place in enumerate(chosen))


def _kind(number: int, *, kinds: tuple[str, ...], key: int, secret: str) -> str:
    """The kind of a rater's check of some number: each kind comes once in a round, in an order drawn anew."""
    round_no, place = divmod(number, len(kinds))
    drawn = _drawn("kinds", round_no, key=key, secret=secret) % factorial(len(kinds))
    left = list(kinds)
    for _ in range(place):
        drawn, index = divmod(drawn, len(left))
        left.pop(index)
    return left[drawn % len(left)]


@lru_cache(maxsize=4096)
def _played(n_normal: int, checks: Checks, *, key: int, secret: str, supply: Supply) -> int:
    left, n_repeats, position = {"gold": supply.gold, "identical": supply.identical}, 0, 0
    normal: list[int] = []
    while len(normal) < n_normal:
        left[REPEAT] = bisect_right(normal, position - supply.repeat_after) - n_repeats
        planned = kind_at(position, checks=checks, key=key, secret=secret)
        kind = next((kind for kind in kinds_from(planned, checks.kinds) if left[kind] > 0), NORMAL)
        if kind == NORMAL:
            normal.append(position)
        elif kind == REPEAT:
            n_repeats += 1
        else:
            left[kind] -= 1
        position += 1
    return position


def _combination(rank: int, *, n: int, among: int) -> list[int]:
    """The combination of some rank, of all that take n of the numbers 0 ... among - 1, in lexicographic order."""
    chosen: list[int] = []
    for number in range(among):
        with_it = comb(among - number - 1, n - len(chosen) - 1) if len(chosen) < n else 0
        if rank < with_it:
            chosen.append(number)
        else:
            rank -= with_it
    return chosen


def _drawn(purpose: str, number: int, *, key: int, secret: str) -> int:
    # 512 bits: so many more than any count of placements (below 2^140) that taking the remainder favours none.
    message = f"checks {purpose} {key} {number}".encode()
    return int.from_bytes(hmac.digest(secret.encode(), message, "sha512"))
