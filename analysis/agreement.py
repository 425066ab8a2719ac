"""Do raters agree: vote by vote beyond chance, and in the picture that half of them give of the comparisons?

Votes are read in arm terms, never as left and right: two raters who saw the sides swapped and chose the same image
agree. Categories c: first arm, Same, second arm, in this order. n_ic: votes in category c on comparison i.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

import numpy as np

from analysis.intervals import Floats, Interval
from analysis.records import Method, Unavailable
from analysis.split_half import SPLITS, split_half
from analysis.votes import Ints, Votes

SEED = 4
ROUNDS = 1000
# With more than 4000 comparisons fewer rounds do, down to 200: the interval is then narrow and close to normal.
DRAWS = 4_000_000
FEWEST_ROUNDS = 200

# Cells of an array held at a time: memory does not grow with the log, and stays where a processor reads it fast.
DRAWN_AT_A_TIME = 50_000

# Krippendorff (2004), Content Analysis, chapter 11: the lowest alpha for tentative conclusions. Nunnally (1978),
# Psychometric Theory: a modest reliability.
TENTATIVE_ALPHA = 2 / 3
MODEST_RELIABILITY = 0.7

ALL_EQUAL = "all answers that could differ are equal, or there are none: nothing to compare with chance"

KRIPPENDORFF = "Krippendorff (2011), Computing Krippendorff's Alpha-Reliability; Hayes, Krippendorff (2007), CMM 1:77"

METHODS = (
    Method(
        "alpha_nominal",
        "Krippendorff's alpha, nominal",
        "raters are interchangeable; the three answers have no order",
        KRIPPENDORFF,
        "How often two votes on the same comparison agree beyond chance: 1 is always, 0 is as often as by chance.",
    ),
    Method(
        "alpha_interval",
        "Krippendorff's alpha, interval",
        "as nominal; Same stands halfway between the arms",
        KRIPPENDORFF,
        "The same with opposite choices counted as four times the disagreement of a choice and Same.",
    ),
    Method(
        "alpha_ordinal",
        "Krippendorff's alpha, ordinal",
        "as nominal; Same stands between the arms, as far from each as the answers' frequencies say",
        KRIPPENDORFF,
        "The same with the answers in the order first arm, Same, second arm.",
    ),
    Method(
        "alpha_side_only",
        "Krippendorff's alpha, without Same",
        "as nominal; leaving Same out does not depend on the comparison",
        KRIPPENDORFF,
        "The same among the votes that chose a side.",
    ),
    Method(
        "fleiss_kappa_generalised",
        "Fleiss' kappa for unequal numbers of votes",
        "raters are interchangeable; every comparison weighs the same",
        "Fleiss (1971), Psychological Bulletin 76:378",
        "Another agreement beyond chance, with every comparison counted once however many votes it has.",
    ),
    Method(
        "split_half_spearman_brown",
        "Split-half reliability",
        "raters are interchangeable",
        "Spearman (1910), British J. of Psychology 3:271; Brown (1910), same volume 3:296",
        "How alike the comparisons would be ordered by another panel of as many raters: 1 is exactly alike.",
    ),
)


@dataclass(frozen=True)
class Agreement:
    """How far raters agree on the same comparison, over the comparisons with at least two votes.

    n, pairs, raters: of the whole log; pairs_with_two_votes enter. alpha_*: Krippendorff's, 1 = always, 0 = as by
    chance; nominal (three answers), interval and ordinal (first arm - Same - second arm), side_only (Same left out).
    Interval and ordinal are None where all answers are equal, as nominal is undefined then.
    *_ci95: percentile interval over alpha_rounds draws of comparisons; None where it is undefined.
    percent_agreement_*: share (0 to 1) of vote pairs that agree, each comparison, or each pair of votes, weighing the
    same. split_half_r_mean: correlation of the comparisons' net preferences in two random halves of the raters, mean
    of `splits` halvings that have one (None without any); split_half_spearman_brown: the same for all raters.
    reading: what these say together, in a sentence. seed: of the draws, None for a generator of the caller's.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS
    n: int
    pairs: int
    raters: int
    pairs_with_two_votes: int
    alpha_nominal: float | Unavailable
    alpha_nominal_ci95: Interval | None
    alpha_interval: float | None
    alpha_interval_ci95: Interval | None
    alpha_ordinal: float | None
    alpha_ordinal_ci95: Interval | None
    alpha_side_only: float | Unavailable
    alpha_side_only_ci95: Interval | None
    alpha_rounds: int
    fleiss_kappa_generalised: float | Unavailable
    percent_agreement_mean_over_pairs: float
    percent_agreement_weighted_by_vote_pairs: float
    split_half_r_mean: float | None
    split_half_spearman_brown: float | None
    splits: int
    seed: int | None
    reading: str


def agreement(
    votes: Votes, *, rng: int | np.random.Generator = SEED, rounds: int | None = None, splits: int = SPLITS
) -> Agreement | Unavailable:
    """Agreement of the raters of a log, in arm terms.

    Unavailable `no_votes`, `one_rater`, `no_pair_with_two_votes`; inside, where all answers are equal,
    `alpha_undefined` and `kappa_undefined`. rng: a seed, or a generator to draw from. rounds: 1000 unless told, fewer
    with more than 4000 comparisons.
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    if votes.n_raters < 2:
        return Unavailable("one_rater", "one rater has nobody to agree with; two are needed")
    counts = _counts(votes)
    shared = counts[counts.sum(axis=1) >= 2]
    if not len(shared):
        return Unavailable("no_pair_with_two_votes", "no comparison has two votes, so none can agree")
    generator = np.random.default_rng(rng)
    rounds = rounds or min(ROUNDS, max(FEWEST_ROUNDS, DRAWS // len(shared)))
    nominal, interval, ordinal = (krippendorff_alpha(shared, metric=metric) for metric in Metric)
    intervals = _alpha_intervals(shared, rng=generator, rounds=rounds)
    halves = split_half(votes, rng=generator, splits=splits)
    agreeing, vote_pairs = _ordered_pairs(shared).sum(axis=1), _ordered_pairs(shared.sum(axis=1))
    return Agreement(
        n=votes.n_votes,
        pairs=votes.n_pairs,
        raters=votes.n_raters,
        pairs_with_two_votes=len(shared),
        alpha_nominal=nominal,
        alpha_nominal_ci95=intervals[0],
        alpha_interval=_number(interval),
        alpha_interval_ci95=intervals[1],
        alpha_ordinal=_number(ordinal),
        alpha_ordinal_ci95=intervals[2],
        alpha_side_only=krippendorff_alpha(shared[:, ::2], metric=Metric.NOMINAL),
        alpha_side_only_ci95=intervals[3],
        alpha_rounds=rounds,
        fleiss_kappa_generalised=_fleiss_kappa(shared),
        percent_agreement_mean_over_pairs=float((agreeing / vote_pairs).mean()),
        percent_agreement_weighted_by_vote_pairs=float(agreeing.sum() / vote_pairs.sum()),
        split_half_r_mean=halves.r_mean,
        split_half_spearman_brown=halves.spearman_brown,
        splits=halves.splits,
        seed=rng if isinstance(rng, int) else None,
        reading=_reading(_number(nominal), halves.spearman_brown),
    )


def _counts(votes: Votes) -> Ints:
    """Votes per comparison and category, int64 [P, 3]."""
    cells = votes.pair * 3 + (1 - votes.outcome)
    return np.bincount(cells, minlength=3 * votes.n_pairs).reshape(-1, 3).astype(np.int64)


def _ordered_pairs(counts: Ints) -> Ints:
    return counts * (counts - 1)


class Metric(StrEnum):
    """What counts as how much disagreement. Interval: categories are evenly spaced in their order."""

    NOMINAL = "nominal"
    INTERVAL = "interval"
    ORDINAL = "ordinal"


def krippendorff_alpha(counts: Ints, *, metric: Metric) -> float | Unavailable:
    """Krippendorff's alpha of a table of votes, int64 [P, C], C categories in order, any number of votes in a row.

    1 = always agreed, 0 = as by chance; rows with fewer than two votes do not enter. `alpha_undefined` when those
    that do hold one category only, or there are none. Krippendorff (2011), section C.
    """
    value = float(_alpha_of(_parts(counts).sum(axis=0), categories=counts.shape[1], metric=metric))
    return value if np.isfinite(value) else Unavailable("alpha_undefined", ALL_EQUAL)


def _number(value: float | Unavailable) -> float | None:
    return None if isinstance(value, Unavailable) else value


def _alpha_intervals(counts: Ints, *, rng: np.random.Generator, rounds: int) -> list[Interval | None]:
    """Percentile intervals of the nominal, interval, ordinal and side-only alpha; None from a single comparison."""
    if len(counts) < 2:
        return [None] * 4
    # Every alpha is a function of sums over comparisons, so a resampled alpha is one of resampled sums.
    every, sides = _parts(counts), _parts(counts[:, ::2])
    drawn = _resampled_sums(np.concatenate([every, sides], axis=1), rng=rng, rounds=rounds)
    of_every, of_sides = drawn[:, : every.shape[1]], drawn[:, every.shape[1] :]
    alphas = [_alpha_of(of_every, categories=3, metric=metric) for metric in Metric]
    return [_percentiles(alpha) for alpha in (*alphas, _alpha_of(of_sides, categories=2, metric=Metric.NOMINAL))]


def _percentiles(drawn: Floats) -> Interval | None:
    defined = drawn[np.isfinite(drawn)]
    if not len(defined):
        return None
    low, high = np.percentile(defined, [2.5, 97.5]).tolist()
    return low, high


def _parts(counts: Ints) -> Floats:
    """What each comparison adds to n_c and to the coincidences o_ck of unlike categories, [P, C + C (C - 1) / 2].

    o_ck adds n_ic n_ik / (n_i - 1) for c < k; nothing from comparisons with fewer than two votes. Coincidences of
    like categories have distance 0 and are not needed.
    """
    total = counts.sum(axis=1)
    held = np.where(total[:, None] >= 2, counts, 0)
    met = _products(held) / np.maximum(total - 1, 1)[:, None]
    return np.concatenate([held, met], axis=1)


def _alpha_of(sums: Floats, *, categories: int, metric: Metric) -> Floats:
    """Alpha [...] of sums of parts [..., C + C (C - 1) / 2]; NaN where only one category was used."""
    # alpha = 1 - (n - 1) sum o_ck d_ck^2 / sum n_c n_k d_ck^2, over c < k: both sums are symmetric.
    held, met = sums[..., :categories], sums[..., categories:]
    squared = np.square(_distances(held, metric))
    by_chance = (_products(held) * squared).sum(axis=-1)
    observed = (held.sum(axis=-1) - 1) * (met * squared).sum(axis=-1)
    alpha: Floats = np.full_like(by_chance, np.nan)
    np.divide(by_chance - observed, by_chance, out=alpha, where=by_chance > 0)
    return alpha


def _products(held: Ints | Floats) -> Floats:
    first, second = np.triu_indices(held.shape[-1], 1)
    return (held[..., first] * held[..., second]).astype(np.float64)


def _distances(held: Floats, metric: Metric) -> Floats:
    """Distances of categories c < k, [..., C (C - 1) / 2], between their places on a line."""
    first, second = np.triu_indices(held.shape[-1], 1)
    if metric is Metric.NOMINAL:
        return np.ones(len(first))
    # Ordinal: a category's place is the middle of its votes when all votes are lined up in order.
    places: Floats = (
        np.arange(held.shape[-1], dtype=np.float64) if metric is Metric.INTERVAL else held.cumsum(axis=-1) - held / 2
    )
    return places[..., second] - places[..., first]


def _resampled_sums(parts: Floats, *, rng: np.random.Generator, rounds: int) -> Floats:
    """Sums over as many comparisons as there are, drawn with replacement, [rounds, parts]."""
    pairs = len(parts)
    step = max(1, DRAWN_AT_A_TIME // pairs)
    chunks = [min(step, rounds - done) for done in range(0, rounds, step)]
    sums: list[Floats] = [_drawn(pairs, rounds=size, rng=rng) @ parts for size in chunks]
    return np.concatenate(sums)


def _drawn(pairs: int, *, rounds: int, rng: np.random.Generator) -> Floats:
    """How often each comparison was drawn, float64 [rounds, pairs]."""
    cells = rng.integers(0, pairs, (rounds, pairs)) + pairs * np.arange(rounds)[:, None]
    drawn = np.bincount(cells.ravel(), minlength=rounds * pairs).astype(np.float64)
    return drawn.reshape(rounds, pairs)


def _fleiss_kappa(counts: Ints) -> float | Unavailable:
    total = counts.sum(axis=1)
    observed = float((_ordered_pairs(counts).sum(axis=1) / _ordered_pairs(total)).mean())
    in_category = counts.sum(axis=0)
    if (in_category == total.sum()).any():
        return Unavailable("kappa_undefined", ALL_EQUAL)
    by_chance = float(np.square(in_category / total.sum()).sum())
    return (observed - by_chance) / (1 - by_chance)


def _reading(alpha: float | None, reliability: float | None) -> str:
    if alpha is None:
        return "All answers are equal, so agreement beyond chance cannot be told from raters who always say the same."
    if reliability is None:
        return (
            f"Single votes agree as alpha = {alpha:.2f} says (1 is always, 0 is by chance); there are too few "
            "comparisons or raters to compare two halves of the panel."
        )
    numbers = f"(alpha {alpha:.2f}, split-half reliability {reliability:.2f})"
    if alpha < TENTATIVE_ALPHA and reliability >= MODEST_RELIABILITY:
        return (
            f"Low alpha with high split-half is normal {numbers}: single votes are noisy, but two halves of the "
            "raters see the same comparisons lean the same way."
        )
    if reliability >= MODEST_RELIABILITY:
        return f"Raters agree vote by vote, and so do two halves of them {numbers}."
    return (
        f"Two halves of the raters do not order the comparisons alike {numbers}: read no single comparison, only "
        "averages over many of them, or collect more votes on each."
    )
