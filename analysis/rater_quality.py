"""How each rater voted: sides, runs, times, gold comparisons and company; to be read, never to delete by itself.

A flag here is a question about a rater. Leaving somebody out is a rule with a name and a version, chosen before the
result is seen: `analysis.rater_filters`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from scipy import special, stats

from analysis.intervals import Floats, Interval, wilsons
from analysis.multiplicity import adjusted
from analysis.records import Method, Unavailable
from analysis.times import medians
from analysis.votes import LEFT, NO_TIME, RIGHT, SAME, Bools, Ints, Votes

SIGNIFICANT = 0.05
FAST_MS = 500
# With three gold comparisons one slip is already below 0.7; with four it takes two.
FEWEST_GOLD = 4

METHODS = (
    Method(
        "position_p",
        "Left against right, rater by rater",
        "a rater's choices are independent; sides were drawn at random",
        "Clopper, Pearson (1934), Biometrika 26:404; Holm (1979), Scandinavian J. of Statistics 6:65",
        "Which side an image stands on is drawn at random, so a rater who looks at the images presses left about as "
        "often as right.",
    ),
    Method(
        "runs_p",
        "Runs test, rater by rater",
        "sides were drawn at random",
        "Wald, Wolfowitz (1940), Annals of Mathematical Statistics 11:147; Swed, Eisenhart (1943), same 14:66",
        "Left and right follow each other by chance; somebody who alternates has too many changes, somebody who keeps "
        "a finger on one button too few.",
    ),
    Method(
        "fast_lt_500ms",
        "Votes in under half a second",
        "times are from the image's appearance",
        "",
        "Two images can hardly be compared in half a second, so many such votes were given without looking.",
    ),
    Method(
        "gold_accuracy",
        "Share of gold comparisons answered rightly",
        "the right answer is beyond doubt",
        "Wilson (1927), JASA 22:209",
        "Gold comparisons have a known answer; who often misses it does not look, or did not understand the question.",
    ),
    Method(
        "leave_one_out_agree",
        "Agreement with the majority of the others",
        "nothing; a description, never a reason to leave somebody out",
        "",
        "How often a rater chose what most others chose on the same pair: information only, because leaving out those "
        "who disagree would make the majority look larger than it is.",
    ),
)


@dataclass(frozen=True)
class RaterMarks:
    """One rater's way of voting; every figure but gold is over that rater's normal votes, in order of arrival.

    left, right, same: buttons. same_share: of all votes. position_p: two-sided exact binomial test of left against
    right (1 where no side was chosen); position_p_holm, position_p_bh: corrected over all raters.
    longest_run: most times in a row on one button, Same included. runs: stretches of one side with Same left out;
    runs_p: the exact two-sided runs test of them (1 with one side only), runs_p_holm: corrected over all raters.
    leave_one_out_agree of leave_one_out_of: side votes that went with the majority of the pair's other side votes,
    where there is one. Information only: to screen on it would favour the majority.
    timed: votes with a time; median_ms, fast_lt_500ms: of those; `no_times` where there is none.
    gold_seen, gold_right: gold votes; gold_accuracy (0 to 1) and gold_wilson95 are None where none was seen.
    flags: names of the screens that this rater fails, `position`, `runs`, `fast`, `gold`.
    """

    votes: int
    left: int
    right: int
    same: int
    same_share: float
    position_p: float
    position_p_holm: float
    position_p_bh: float
    longest_run: int
    runs: int
    runs_p: float
    runs_p_holm: float
    leave_one_out_agree: int
    leave_one_out_of: int
    timed: int
    median_ms: float | Unavailable
    fast_lt_500ms: int | Unavailable
    gold_seen: int
    gold_right: int
    gold_accuracy: float | None
    gold_wilson95: Interval | None
    flags: tuple[str, ...]


@dataclass(frozen=True)
class RaterQuality:
    """All raters of a log by name, in order of their first vote, and who fails which screen.

    median_ms_all: over all votes with a time, of which there are timed; `no_times` where there is none.
    n: raters, i.e. how many p-values each correction is over. gold_votes: gold votes of these raters.
    position_biased: position_p_holm below 0.05. alternating_or_stuck: runs_p_holm below 0.05.
    gold_below: gold accuracy below 0.7, however few were seen. mostly_fast: more than half of the times below 500 ms.
    """

    methods: ClassVar[tuple[Method, ...]] = METHODS
    n: int
    timed: int
    gold_votes: int
    median_ms_all: float | Unavailable
    raters: Mapping[str, RaterMarks]
    position_biased: tuple[str, ...] = field(metadata={"json": "position_biased_holm_0.05"})
    gold_below: tuple[str, ...] = field(metadata={"json": "gold_below_0.7"})
    alternating_or_stuck: tuple[str, ...] = field(metadata={"json": "runs_holm_0.05"})
    mostly_fast: tuple[str, ...] = field(metadata={"json": "fast_more_than_half_lt_500ms"})


def rater_quality(votes: Votes, screens: Screens | None = None) -> RaterQuality:
    """Describe every rater of a log of any number of arms; a log without votes has no raters to describe.

    screens: of these votes, where something else has looked at them already.
    """
    screens = screens or Screens(votes)
    timed = votes.response_ms != NO_TIME
    some_time = bool(timed.any())
    return RaterQuality(
        n=votes.n_raters,
        timed=int(timed.sum()),
        gold_votes=int(votes.gold.seen.sum()),
        median_ms_all=float(np.median(votes.response_ms[timed])) if some_time else _no_times("no vote"),
        raters=dict(zip(votes.rater_names, _marks(votes, screens), strict=True)),
        position_biased=_named(votes, screens.position),
        gold_below=_named(votes, _too_often_wrong(votes)),
        alternating_or_stuck=_named(votes, screens.runs),
        mostly_fast=_named(votes, screens.fast),
    )


@dataclass(frozen=True, eq=False)
class Screens:
    """What each rater of a log is screened on, as arrays [R]; each is computed when it is first asked for.

    position, runs, fast, gold: bool [R], who fails. No screen looks at which arm was preferred.
    """

    votes: Votes

    @cached_property
    def buttons(self) -> Ints:
        """How often each rater pressed LEFT, RIGHT and SAME, int64 [R, 3]."""
        codes = self.votes.rater * 3 + self.votes.choice
        return np.bincount(codes, minlength=3 * self.votes.n_raters).reshape(-1, 3)

    @cached_property
    def position_p(self) -> Floats:
        """The exact two-sided binomial test of left against right; 1 for a rater who never chose a side."""
        left, right = self.buttons[:, LEFT], self.buttons[:, RIGHT]
        # At one half both tails are equal, so this is scipy's binomtest, for all raters at once.
        return np.minimum(2 * stats.binom.cdf(np.minimum(left, right), left + right, 0.5), 1.0)

    @cached_property
    def position_p_holm(self) -> Floats:
        return adjusted(self.position_p, method="holm")

    @cached_property
    def in_order(self) -> Ints:
        """3 * rater + button of all votes, rater by rater, each rater's in order of arrival; int64 [N]."""
        n = self.votes.n_votes
        # Sorting numbers that hold all three is several times faster than a stable sort of the raters.
        keys: Ints = np.sort((self.votes.rater * n + np.arange(n)) * 3 + self.votes.choice)
        first: Ints = np.repeat(3 * np.arange(self.votes.n_raters), self.buttons.sum(axis=1))
        return first + keys % 3

    @cached_property
    def side_runs(self) -> Ints:
        """Into how many stretches of one side each rater's votes fall, Same left out, int64 [R]."""
        sides = self.in_order[self.in_order % 3 != SAME]
        return np.bincount(sides[_starts(sides)] // 3, minlength=self.votes.n_raters)

    @cached_property
    def longest_run(self) -> Ints:
        """The longest stretch of one button, Same included, int64 [R]."""
        starts = np.flatnonzero(_starts(self.in_order))
        lengths = np.diff(starts, append=self.votes.n_votes)
        of_rater = self.in_order[starts] // 3
        return np.maximum.reduceat(lengths, np.flatnonzero(np.diff(of_rater, prepend=-1))) if len(starts) else lengths

    @cached_property
    def runs_p(self) -> Floats:
        return runs_test(self.buttons[:, LEFT], self.buttons[:, RIGHT], runs=self.side_runs)

    @cached_property
    def runs_p_holm(self) -> Floats:
        return adjusted(self.runs_p, method="holm")

    @cached_property
    def timed(self) -> Ints:
        """Votes with a time, int64 [R]."""
        return np.bincount(self.votes.rater[self.votes.response_ms != NO_TIME], minlength=self.votes.n_raters)

    @cached_property
    def quick(self) -> Ints:
        """Votes in under half a second, int64 [R]."""
        is_quick = (self.votes.response_ms != NO_TIME) & (self.votes.response_ms < FAST_MS)
        return np.bincount(self.votes.rater[is_quick], minlength=self.votes.n_raters)

    @property
    def position(self) -> Bools:
        return self.position_p_holm < SIGNIFICANT

    @property
    def runs(self) -> Bools:
        return self.runs_p_holm < SIGNIFICANT

    @property
    def fast(self) -> Bools:
        return 2 * self.quick > self.timed

    @property
    def gold(self) -> Bools:
        return _too_often_wrong(self.votes) & (self.votes.gold.seen >= FEWEST_GOLD)


def runs_test(first: Ints, second: Ints, *, runs: Ints) -> Floats:
    """The exact two-sided test of the number of runs in each of R sequences of two kinds, float64 [R].

    first, second: how many of each kind, int64 [R], in any order equally likely. p is twice the smaller tail, at most
    1; 1 where there is one kind only. Distribution: Wald and Wolfowitz (1940); tables: Swed and Eisenhart (1943).
    """
    few, n = np.minimum(first, second), first + second
    log_factorial = special.gammaln(np.arange(int(n.max(initial=0)) + 1) + 1.0)
    # One entry for each possible number k of runs of the rarer kind: 2 k runs in all, or one more on either side.
    sequence = np.repeat(np.arange(len(few)), few)
    k = np.arange(len(sequence)) - np.repeat(np.cumsum(few) - few, few) + 1
    a, b, both, seen = (np.repeat(of_sequence, few) for of_sequence in (first, second, n, runs))
    # C(a-1, k-1) C(b-1, k-1) / C(a+b, a): what does not depend on k, and what does.
    fixed = log_factorial[[first - 1, second - 1, first, second]].sum(axis=0) - log_factorial[n]
    log_base = np.repeat(fixed, few) - log_factorial[a - k] - log_factorial[b - k] - 2 * log_factorial[k - 1]
    # C(a-1, k) C(b-1, k-1) + C(a-1, k-1) C(b-1, k) is the product of the two at k - 1, times (a + b - 2 k) / k.
    base = np.exp(log_base)
    even, odd = 2 * base, base * (both - 2 * k) / k
    at_most = even * (2 * k <= seen) + odd * (2 * k + 1 <= seen)
    at_least = even * (2 * k >= seen) + odd * (2 * k + 1 >= seen)
    tails = (np.bincount(sequence, weights=tail, minlength=len(few)) for tail in (at_most, at_least))
    return np.where(few > 0, np.minimum(2 * np.minimum(*tails), 1.0), 1.0)


def _starts(in_order: Ints) -> Bools:
    # Where a stretch begins: another button, or another rater.
    starts: Bools = np.diff(in_order, prepend=-1) != 0
    return starts


def _too_often_wrong(votes: Votes) -> Bools:
    # Fewer than 7 in 10 right, in integers.
    return 10 * votes.gold.right < 7 * votes.gold.seen


def _company(votes: Votes) -> tuple[Ints, Ints]:
    # Whom a vote is compared with: the pair's other side votes. Their majority is the sign of their sum.
    sums = np.bincount(votes.pair, weights=votes.outcome, minlength=votes.n_pairs).astype(np.int64)
    verdict = np.sign((sums[votes.pair] - votes.outcome) * votes.outcome)
    counts = np.bincount(votes.rater * 3 + verdict + 1, minlength=3 * votes.n_raters).reshape(-1, 3)
    return counts[:, 2], counts[:, 0] + counts[:, 2]


def _no_times(whose: str) -> Unavailable:
    return Unavailable("no_times", f"{whose} has a response time; fill the column response_ms to have this figure")


def _named(votes: Votes, flagged: Bools) -> tuple[str, ...]:
    return tuple(votes.rater_names[rater] for rater in np.flatnonzero(flagged))


def _marks(votes: Votes, screens: Screens) -> list[RaterMarks]:
    agree, decided = _company(votes)
    arrays = {
        "votes": screens.buttons.sum(axis=1),
        "left": screens.buttons[:, LEFT],
        "right": screens.buttons[:, RIGHT],
        "same": screens.buttons[:, SAME],
        "same_share": screens.buttons[:, SAME] / screens.buttons.sum(axis=1),
        "position_p": screens.position_p,
        "position_p_holm": screens.position_p_holm,
        "position_p_bh": adjusted(screens.position_p, method="fdr_bh"),
        "longest_run": screens.longest_run,
        "runs": screens.side_runs,
        "runs_p": screens.runs_p,
        "runs_p_holm": screens.runs_p_holm,
        "leave_one_out_agree": agree,
        "leave_one_out_of": decided,
        "timed": screens.timed,
        "gold_seen": votes.gold.seen,
        "gold_right": votes.gold.right,
    }
    # Any: one entry of a column, a number, an absence or a tuple, as the field of that name says.
    columns: dict[str, Sequence[Any]] = {name: column.tolist() for name, column in arrays.items()}
    columns |= _times(votes, screens) | _gold(votes) | {"flags": _flags(screens)}
    return [RaterMarks(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def _times(votes: Votes, screens: Screens) -> dict[str, Sequence[float | Unavailable]]:
    timed, none = votes.response_ms != NO_TIME, _no_times("no vote of this rater")
    middles = medians(votes.response_ms[timed], votes.rater[timed], clusters=votes.n_raters).tolist()
    known = screens.timed.tolist()
    return {
        "median_ms": [middle if n else none for middle, n in zip(middles, known, strict=True)],
        "fast_lt_500ms": [quick if n else none for quick, n in zip(screens.quick.tolist(), known, strict=True)],
    }


def _gold(votes: Votes) -> dict[str, Sequence[object]]:
    seen, right = votes.gold.seen, votes.gold.right
    ends = (end.tolist() for end in wilsons(right, np.maximum(seen, 1)))
    return {
        "gold_accuracy": [r / n if n else None for r, n in zip(right.tolist(), seen.tolist(), strict=True)],
        "gold_wilson95": [two if n else None for two, n in zip(zip(*ends, strict=True), seen.tolist(), strict=True)],
    }


def _flags(screens: Screens) -> list[tuple[str, ...]]:
    failed = {name: getattr(screens, name).tolist() for name in ("position", "runs", "fast", "gold")}
    rows = zip(*failed.values(), strict=True)
    return [tuple(name for name, fails in zip(failed, row, strict=True) if fails) for row in rows]
