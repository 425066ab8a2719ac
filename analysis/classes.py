"""Do raters prefer one arm in some classes of images and the other in others? Many classes, few comparisons each.

A class with few comparisons looks extreme by luck. Each class mean is therefore also shown drawn towards the mean of
all classes, the more the less is known about it (partial pooling). Comparisons are the units: one comparison that
everybody votes on must not count as many.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from scipy import stats

from analysis.intervals import LEVEL, Floats, Interval
from analysis.multiplicity import Correction, Family, adjusted
from analysis.pair_tests import net_by_pair
from analysis.preference import Counts
from analysis.records import Method, Unavailable
from analysis.votes import Ints, Votes

FEWEST_CLASSES = 3

POOLED = (
    "DerSimonian, Laird (1986), Controlled Clinical Trials 7:177; Morris (1983), JASA 78:47; "
    "Kackar, Harville (1984), JASA 79:853"
)

METHODS = (
    Method(
        "classes",
        "Net preference by class, partially pooled",
        "comparisons scatter equally within every class; holds for this panel of raters",
        POOLED,
        "What raters prefer in each class; the shrunken figure guards against classes that look extreme by luck.",
    ),
    Method(
        "shrunken_pairs",
        "Net preference by comparison, partially pooled",
        "votes scatter equally on every comparison; holds for this panel of raters",
        POOLED,
        "What raters prefer in each comparison, drawn towards the mean the more the fewer votes it has.",
    ),
)


@dataclass(frozen=True)
class ClassRow:
    """One class: the mean of its comparisons' net preferences (-1 to 1, positive = first arm).

    pairs: its judged comparisons. ci95, p: Student t with the pooled within-class variance, against 0.
    shrunken: the mean drawn towards that of all classes; sd: of the class given that mean; shrunken_ci95 allows for
    the common mean's own error too. p_adjusted: p corrected for the number of classes.
    """

    class_label: str
    pairs: int
    mean: float
    ci95: Interval
    shrunken: float
    sd: float
    shrunken_ci95: Interval
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Classes:
    """All classes with a judged comparison, in the study's order.

    mu, mu_se: mean over classes and its error. tau2: variance between classes beyond what their few comparisons
    explain. s2: pooled variance of comparisons within a class, with df = pairs - classes degrees of freedom.
    q: Cochran's Q against equal classes, p_equal its chi-squared p-value with classes - 1 degrees of freedom.
    family: which classes' p-values were corrected together; left out are those without a judged comparison.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[:1]
    n: int
    pairs: int
    mu: float
    mu_se: float
    tau2: float
    s2: float
    df: int
    q: float
    p_equal: float
    family: Family
    rows: tuple[ClassRow, ...]


@dataclass(frozen=True)
class ShrunkenPair:
    """One comparison's net preference, as it is and drawn towards that of all comparisons; sd of the latter."""

    pair: str
    class_label: str
    votes: int
    mean: float
    shrunken: float
    sd: float


@dataclass(frozen=True)
class ShrunkenPairs:
    """All judged comparisons, in the study's order, partially pooled as classes are.

    s2: pooled variance of the votes within a comparison, with df = votes - pairs degrees of freedom.
    mu, mu_se, tau2: mean over comparisons, its error, and the variance between comparisons.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS[1:]
    n: int
    pairs: int
    mu: float
    mu_se: float
    tau2: float
    s2: float
    df: int
    rows: tuple[ShrunkenPair, ...]


def classes(votes: Votes, *, correction: Correction = Correction.BH) -> Classes | Unavailable:
    """Net preference per class of a two-arm log, with the pair as the unit.

    The between-class variance is DerSimonian and Laird's (1986). Unavailable `no_votes`, `too_few_classes` (below 3
    with a judged pair), `zero_variance` (no class has pairs that differ), `one_pair_per_class` (nothing to learn that
    variance from: see `shrunken_pairs`).
    """
    if not votes.n_votes:
        return Unavailable("no_votes", "nobody has voted yet")
    counts = Counts.of(votes)
    grouped = _Grouped.of(counts)
    if problem := _problem(grouped):
        return problem
    s2 = float(np.square(grouped.net - grouped.means[grouped.of_pair]).sum()) / grouped.df
    pooled = _Pooled.of(grouped.means, s2 / grouped.sizes)
    left_out = tuple(label for label in dict.fromkeys(counts.class_labels) if label not in grouped.labels)
    entered = len(grouped.labels)
    return Classes(
        n=votes.n_votes,
        pairs=len(grouped.net),
        mu=pooled.mu,
        mu_se=pooled.mu_se,
        tau2=pooled.tau2,
        s2=s2,
        df=grouped.df,
        q=pooled.q,
        p_equal=float(stats.chi2.sf(pooled.q, entered - 1)),
        family=Family(correction, entered, entered + len(left_out), left_out),
        rows=_class_rows(grouped, pooled, s2=s2, correction=correction),
    )


def shrunken_pairs(votes: Votes) -> ShrunkenPairs | Unavailable:
    """Net preference per judged pair of a two-arm log, drawn towards the mean of all pairs.

    For designs with one pair per class. A pair's own error is s2 / votes, with s2 the variance of votes (+1, 0, -1)
    within a pair, pooled over pairs as a few votes alone often agree by luck; the between-pair variance is
    DerSimonian and Laird's. Unavailable `no_votes`, `one_pair`, `no_pair_with_two_votes`, `zero_variance`.
    """
    counts = Counts.of(votes)
    judged = counts.all > 0
    sizes, pairs = counts.all[judged], int(judged.sum())
    if problem := _pair_problem(counts, votes=votes.n_votes, pairs=pairs):
        return problem
    net = net_by_pair(counts)
    df = votes.n_votes - pairs
    # Sum over votes of (y - mean)^2 = sum of y^2 - votes * mean^2, and y^2 is 1 for side votes.
    s2 = float((counts.side[judged] - sizes * np.square(net)).sum()) / df
    pooled = _Pooled.of(net, s2 / sizes)
    return ShrunkenPairs(
        n=votes.n_votes,
        pairs=pairs,
        mu=pooled.mu,
        mu_se=pooled.mu_se,
        tau2=pooled.tau2,
        s2=s2,
        df=df,
        rows=_pair_rows(counts, np.flatnonzero(judged), net=net, pooled=pooled),
    )


@dataclass(frozen=True, eq=False)
class _Grouped:
    """Judged pairs by class. net: [P] net preference, of_pair: [P] its class; means, sizes, first: [C] of classes."""

    labels: dict[str, int]
    net: Floats
    of_pair: Ints
    means: Floats
    sizes: Ints
    first: Ints

    @classmethod
    def of(cls, counts: Counts) -> _Grouped:
        judged = np.flatnonzero(counts.all)
        names = [counts.class_labels[pair] for pair in judged]
        labels = {name: code for code, name in enumerate(dict.fromkeys(names))}
        of_pair = np.array([labels[name] for name in names], dtype=np.int64)
        net, sizes = net_by_pair(counts), np.bincount(of_pair)
        first = np.unique(of_pair, return_index=True)[1]
        return cls(labels, net, of_pair, np.bincount(of_pair, net) / sizes, sizes, first)

    @property
    def df(self) -> int:
        return len(self.net) - len(self.labels)


def _problem(grouped: _Grouped) -> Unavailable | None:
    entered = len(grouped.labels)
    if entered < FEWEST_CLASSES:
        judged = "one class was" if entered == 1 else f"{entered or 'no'} classes were"
        return Unavailable("too_few_classes", f"{judged} judged; {FEWEST_CLASSES} are needed")
    # Asked of the pairs themselves: residuals from a mean are zero only to rounding.
    differ = grouped.net != grouped.net[grouped.first][grouped.of_pair]
    if not grouped.df and np.ptp(grouped.net) > 0:
        return Unavailable("one_pair_per_class", "within-class variance unknown: look at the shrunken pairs instead")
    if not differ.any():
        return Unavailable("zero_variance", "the pairs of a class never differ: no error to estimate")
    return None


def _pair_problem(counts: Counts, *, votes: int, pairs: int) -> Unavailable | None:
    if not votes:
        return Unavailable("no_votes", "nobody has voted yet")
    if pairs < 2:
        return Unavailable("one_pair", "one pair cannot be drawn towards others; two are needed")
    if votes == pairs:
        return Unavailable("no_pair_with_two_votes", "how votes on a pair differ is unknown; two on one are needed")
    if not (counts.a * counts.b + counts.same * counts.side).any():
        return Unavailable("zero_variance", "the votes on a pair never differ: no error to estimate")
    return None


@dataclass(frozen=True, eq=False)
class _Pooled:
    """Means [k] with known variances [k] under a common normal distribution with mean mu and variance tau2.

    pull: [k], how far each is drawn to mu, 0 to 1. shrunken: [k]; sd: [k], of the true value given mu; se: [k],
    allowing for the error of mu too, so that it is not 0 where tau2 is.
    """

    mu: float
    mu_se: float
    tau2: float
    q: float
    shrunken: Floats
    sd: Floats
    se: Floats

    @classmethod
    def of(cls, means: Floats, variances: Floats) -> _Pooled:
        """DerSimonian and Laird (1986): tau2 by equating Q to its expectation, at least 0."""
        weights = 1 / variances
        q = float((weights * np.square(means - np.average(means, weights=weights))).sum())
        spread = weights.sum() - np.square(weights).sum() / weights.sum()
        tau2 = max(0.0, float((q - (len(means) - 1)) / spread))
        total = variances + tau2
        mu, mu_se = float(np.average(means, weights=1 / total)), float((1 / total).sum() ** -0.5)
        pull = variances / total
        sd = np.sqrt(tau2 * pull)
        return cls(mu, mu_se, tau2, q, mu + (1 - pull) * (means - mu), sd, np.hypot(sd, pull * mu_se))


def _class_rows(grouped: _Grouped, pooled: _Pooled, *, s2: float, correction: Correction) -> tuple[ClassRow, ...]:
    se = np.sqrt(s2 / grouped.sizes)
    ps = 2 * stats.t.sf(np.abs(grouped.means) / se, grouped.df)
    numbers = grouped.means, pooled.shrunken, pooled.sd, ps, adjusted(ps, method=correction)
    intervals = _around(grouped.means, se, df=grouped.df), _around(pooled.shrunken, pooled.se, df=grouped.df)
    columns = (column.tolist() for column in (grouped.sizes, *numbers))
    return tuple(
        ClassRow(label, pairs, mean, ci95, shrunken, sd, shrunken_ci95, p, p_adjusted)
        for label, pairs, mean, shrunken, sd, p, p_adjusted, ci95, shrunken_ci95 in zip(
            grouped.labels, *columns, *intervals, strict=True
        )
    )


def _around(estimates: Floats, se: Floats, *, df: int) -> list[Interval]:
    half = stats.t.ppf((1 + LEVEL) / 2, df) * se
    return list(zip((estimates - half).tolist(), (estimates + half).tolist(), strict=True))


def _pair_rows(counts: Counts, judged: Ints, *, net: Floats, pooled: _Pooled) -> tuple[ShrunkenPair, ...]:
    columns = judged.tolist(), net.tolist(), pooled.shrunken.tolist(), pooled.sd.tolist()
    sizes = counts.all.tolist()
    return tuple(
        ShrunkenPair(counts.pair_names[pair], counts.class_labels[pair], sizes[pair], mean, shrunken, sd)
        for pair, mean, shrunken, sd in zip(*columns, strict=True)
    )
