"""The comparisons that serve as attention checks and for practice, built when a study opens.

Identical pairs show an image beside itself. Mismatched pairs show an image of the label's class beside one of another
class, of the same arm and batch, so that no arm gains or loses by them. Others are the researcher's own. No two of
them show the same two images.
"""

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from django.utils.translation import gettext_noop

from survey_site.design.designs import Checks, GoldPair
from survey_site.drafts.check_images import CheckImages
from survey_site.models import Comparison, Study

# Told to raters after practice, in their language.
ONE_FITS = gettext_noop("Only one of the two images shows what the label says.")
BOTH_ARE_ONE = gettext_noop("Both images are the same, so Same is the right answer.")

Kind = Comparison.Kind
Expected = Comparison.Expected


class InvalidChecks(ValueError):
    """The checks that the design asks for cannot be built; the message says which, and what to change."""


class Pair(NamedTuple):
    """Two images by their keys, and which answer is right; the label shown is that of image a."""

    kind: Kind
    image_a: int
    image_b: int
    expected: str
    explanation: str = ""


def check_comparisons(study: Study, *, rng: random.Random) -> list[Comparison]:
    """Return the gold, identical and practice comparisons that the design of a study asks for, not yet saved.

    Of identical and mismatched pairs there may be fewer than asked for, where the study has too few images; there is
    none without checks and practice. Raises `InvalidChecks`.
    """
    checks, n_practice = study.how.checks, study.how.welcome.practice
    if not (checks.per_block or checks.gold or n_practice):
        return []
    images = CheckImages(study, rng=rng)
    picked = _picked(checks.gold, images=images)
    pairs = list(_practice(n_practice, [pair for pair in picked if pair.kind is Kind.PRACTICE], images=images))
    if checks.per_block and "gold" in checks.kinds:
        gold = _gold(checks, [pair for pair in picked if pair.kind is Kind.GOLD], images=images)
        pairs += rng.sample(gold, k=len(gold))
    if checks.per_block and "identical" in checks.kinds:
        pairs += _identical(checks, images=images)
    return _comparisons(study, pairs, rng=rng)


def _picked(picks: Sequence[GoldPair], *, images: CheckImages) -> list[Pair]:
    """The researcher's own pairs, each looked at; they come first, so that no drawn pair shows the same two images."""
    pairs: list[Pair] = []
    for number, pick in enumerate(picks, start=1):
        problem = _problem_of(pick, images=images)
        if problem:
            raise InvalidChecks(f"checks.gold, pair {number}: {problem}")
        images.take(pick.image_a, pick.image_b)
        kind = Kind.PRACTICE if pick.for_practice else Kind.GOLD
        pairs.append(Pair(kind, pick.image_a, pick.image_b, pick.expected, pick.explanation))
    return pairs


def _problem_of(pick: GoldPair, *, images: CheckImages) -> str:
    for key in (pick.image_a, pick.image_b):
        if images.size_of(key) is None:
            return f"image {key} is no finished image of this study's batches and arms; pick another"
    if pick.image_a == pick.image_b and pick.expected != "tie":
        return f'it shows image {pick.image_a} beside itself, so the right answer is "tie"; correct it'
    if images.size_of(pick.image_a) != images.size_of(pick.image_b):
        return f"images {pick.image_a} and {pick.image_b} differ in size; pick two of one size"
    if images.is_taken(pick.image_a, pick.image_b):
        return f"images {pick.image_a} and {pick.image_b} are picked once already; leave one of the two out"
    return ""


def _practice(n_wanted: int, picked: Sequence[Pair], *, images: CheckImages) -> list[Pair]:
    if len(picked) > n_wanted:
        raise InvalidChecks(
            f"checks.gold: {len(picked)} pairs are picked for practice, but welcome.practice is {n_wanted}; make them "
            "equal"
        )
    drawn = list(_drawn_practice(n_wanted - len(picked), images=images))
    if len(picked) + len(drawn) < n_wanted:
        raise InvalidChecks(
            f"welcome.practice: the study's images allow {len(picked) + len(drawn)} practice pairs, not {n_wanted}; "
            "ask for fewer"
        )
    return [*picked, *drawn]


def _drawn_practice(n_wanted: int, *, images: CheckImages) -> Iterator[Pair]:
    # One class only, and there is nothing to mismatch: then all of them are identical.
    mismatched = images.mismatched((n_wanted + 1) // 2)
    identical = images.identical(n_wanted - len(mismatched))
    for turn in range(max(len(mismatched), len(identical))):
        yield from (Pair(Kind.PRACTICE, a, b, Expected.A, ONE_FITS) for a, b in mismatched[turn : turn + 1])
        yield from (Pair(Kind.PRACTICE, a, a, Expected.TIE, BOTH_ARE_ONE) for a, _ in identical[turn : turn + 1])


def _gold(checks: Checks, picked: Sequence[Pair], *, images: CheckImages) -> list[Pair]:
    mismatched = images.mismatched(checks.mismatched)
    if checks.mismatched and not mismatched:
        raise InvalidChecks(
            "checks.mismatched: a mismatched pair needs two classes of one batch, and there is none left to build; set "
            'it to 0 and pick gold pairs (checks.gold), or leave "gold" out of checks.kinds'
        )
    if not (picked or mismatched):
        raise InvalidChecks(
            'checks.kinds names "gold", but no gold pair is picked and checks.mismatched is 0; pick some, raise it, or '
            'leave "gold" out'
        )
    return [*picked, *(Pair(Kind.GOLD, a, b, Expected.A) for a, b in mismatched)]


def _identical(checks: Checks, *, images: CheckImages) -> list[Pair]:
    identical = images.identical(checks.identical)
    if not identical:
        reason = "no image is left for one" if checks.identical else "checks.identical is 0"
        raise InvalidChecks(
            f'checks.kinds names "identical", but {reason}; build at least one such pair, or leave "identical" out'
        )
    return [Pair(Kind.IDENTICAL, image, image, Expected.TIE) for image, _ in identical]


def _comparisons(study: Study, pairs: Sequence[Pair], *, rng: random.Random) -> list[Comparison]:
    # The name in exports is drawn: it tells neither kind nor class.
    names = rng.sample(range(16**8), k=len(pairs))
    n_before = dict.fromkeys(Kind, 0)
    rows = []
    for pair, name in zip(pairs, names, strict=True):
        rows.append(
            Comparison(
                study=study,
                kind=pair.kind,
                position=n_before[pair.kind],
                pair_id=f"p-{name:08x}",
                image_a_id=pair.image_a,
                image_b_id=pair.image_b,
                expected=pair.expected,
                explanation=pair.explanation,
            )
        )
        n_before[pair.kind] += 1
    return rows
