"""Reports to write files of: the main paper's Table 2, four arms, and logs on which figures are missing."""

from functools import cache
from pathlib import Path

from analysis import Plan, Report, VoteColumns, Votes, analyse
from tests.analysis.degenerate import FOUR_ARM_LOG, LOGS, votes_of

FIXTURE = Path(__file__).parents[2] / "data" / "table2_votes.csv"
WITH_A_REPORT = (
    "one rater",
    "K arms, two components",
    "K arms, one never wins",
    "every vote is Same",
    "one pair",
    "two arms, one never wins, ties exist",
)
STRANGE_ARMS = (
    "[50 % \\ {a_b} & #1 ~^ <x> \"q\" -- 'r' |",
    "naïve Łódź β\N{MULTIPLICATION SIGN}2 ŵ 鲁棒 — 😀 q\N{COMBINING TILDE} \N{LEFT DOUBLE QUOTATION MARK}",
)


@cache
def table_2() -> Report:
    return analyse(FIXTURE)


@cache
def four_arms() -> Report:
    return analyse(votes_of(FOUR_ARM_LOG))


@cache
def degenerate(name: str) -> Report:
    return analyse(votes_of(LOGS[name]))


@cache
def planned() -> Report:
    return analyse(FIXTURE, plan=Plan(question="Which is better?", thresholds=("50", "66.7")))


def strange_names() -> Report:
    """Two arms and a class whose names hold everything that LaTeX, HTML and CSV treat specially."""
    return analyse(Votes.from_rows(_columns(*STRANGE_ARMS), arms=STRANGE_ARMS))


def _columns(first: str, second: str) -> VoteColumns:
    seats = [(rater, pair) for rater in range(5) for pair in range(9)]
    left = [(first, second)[(rater + pair) % 2] for rater, pair in seats]
    return VoteColumns(
        pair_id=[f"p&{pair}" for _, pair in seats],
        rater_id=[f"r_{rater}" for rater, _ in seats],
        left_arm=left,
        choice=[("left", "right", "same")[(rater * pair + rater) % 3] for rater, pair in seats],
        class_label=[f"50% <b>_{pair % 3}" for _, pair in seats],
        response_ms=[900 + 10 * pair for _, pair in seats],
    )
