"""How each rater voted: sides, runs, times, gold comparisons and company; to be read, never to delete by itself.

A flag here is a question about a rater. Leaving somebody out is a rule with a name and a version, chosen before the
result is seen: `analysis.rater_filters`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from analysis.intervals import Interval
from analysis.records import Unavailable


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

    n: int
    timed: int
    gold_votes: int
    median_ms_all: float | Unavailable
    raters: Mapping[str, RaterMarks]
    position_biased: tuple[str, ...] = field(metadata={"json": "position_biased_holm_0.05"})
    gold_below: tuple[str, ...] = field(metadata={"json": "gold_below_0.7"})
    alternating_or_stuck: tuple[str, ...] = field(metadata={"json": "runs_holm_0.05"})
    mostly_fast: tuple[str, ...] = field(metadata={"json": "fast_more_than_half_lt_500ms"})
