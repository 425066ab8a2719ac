"""The tables of one pairing: thresholds, shares, tests, and what the headline's error is made of."""

from __future__ import annotations

from collections.abc import Iterator

from analysis.files.table import Cell, Column, Table, count, net, net_se, number, p_value, percent, share
from analysis.intervals import TwoWay
from analysis.pair_tests import FlipTest, MeanTest, PairSign, SignedRanks
from analysis.position import AdjustedNet
from analysis.preference import Share, Shares, ThresholdTable
from analysis.records import Unavailable
from analysis.significance import TestResult, Tests, VoteSign

Row = tuple[Cell, ...]


def threshold_rows(table: ThresholdTable, *, side_votes: str) -> Table:
    """In how many comparisons more than t % of the side votes prefer each arm.

    side_votes: how many votes chose a side on a comparison, in words.
    """
    first, second = table.arms
    return Table(
        name="threshold_table",
        title="Comparisons in which more than the threshold's share of those who chose a side chose one arm",
        arms=table.arms,
        columns=(
            Column("threshold_percent", "Threshold"),
            Column(first, first),
            Column(second, second),
            Column("no_preference", "No preference"),
        ),
        rows=tuple(
            (f"> {row.threshold} %", *(percent(cell.percent, cell.wilson95) for cell in row.cells))
            for row in table.rows
        ),
        keys=tuple(row.threshold for row in table.rows),
        notes=(
            f"{table.pairs} comparison{'' if table.pairs == 1 else 's'}, {side_votes}. Same is left out of the share; "
            "ties and comparisons without side votes are no preference. 95 % intervals: Wilson, comparisons as units, "
            "for this panel of raters. Tables with other numbers of side votes per comparison do not compare.",
        ),
    )


def share_rows(shares: Shares) -> Table:
    """How all votes divide over the arms and Same."""
    named = (*zip(shares.arms, (shares.first, shares.second), strict=True), ("Same", shares.same))
    return Table(
        name="shares",
        title="Shares of all votes",
        arms=shares.arms,
        columns=(
            Column("answer", "Answer"),
            Column("votes", "Votes"),
            Column("percent", "Share"),
            Column("percent_if_votes_were_independent", "If votes were independent"),
        ),
        rows=tuple((name, *_share(answer)) for name, answer in named),
        keys=(*shares.arms, "same"),
        notes=(
            f"Of {shares.n} votes. 95 % intervals of the shares allow for comparisons and raters; "
            "those in the last column (Wilson) would hold if votes were independent, which they are not.",
        ),
    )


def _share(answer: Share) -> Row:
    two_way = answer.two_way if isinstance(answer.two_way, Unavailable) else answer.two_way.ci95
    return count(answer.votes), percent(answer.percent, two_way), percent(answer.percent, answer.wilson95_votes)


def test_rows(tests: Tests, *, arms: tuple[str, str], planned: tuple[str, ...]) -> Table:
    """Every test of one pairing, the headline first, the one that takes votes for independent last.

    planned: names of the tests that a plan fixed before the votes.
    """
    titles = [method.title for method, _ in tests.rows() if method.name in planned]
    return Table(
        name="tests",
        title="Is it more than chance",
        arms=arms,
        columns=(
            Column("test", "Test"),
            Column("units", "Units"),
            Column("n", "n"),
            Column("estimate", "Estimate"),
            Column("p", "p"),
        ),
        rows=tuple((method.title, *_test(result)) for method, result in tests.rows()),
        keys=tuple(method.name for method, _ in tests.rows()),
        notes=(
            f"Estimates are for {arms[0]}: net preference and means in points of +1/0/-1, shares in per cent, flip "
            "tests as votes for minus votes against; with 95 % intervals where the test has one. All tests are "
            "two-sided. The tests after the first answer narrower questions or assume more.",
            *((f"Planned before the votes: {'; '.join(titles)}. The other tests are exploratory.",) if titles else ()),
        ),
    )


def _test(result: TestResult | VoteSign | Unavailable) -> Row:
    match result:
        case Unavailable():
            return None, None, result, result
        case TwoWay():
            shown = share if result.null else net
            return "votes", count(result.n), shown(result.estimate, result.ci95), p_value(result.p)
        case AdjustedNet():
            return "votes", count(result.n), net(result.net, result.net_ci95), p_value(result.net_p)
        case PairSign():
            return "comparisons", count(result.n), share(result.share, result.exact95), p_value(result.p)
        case SignedRanks():
            return "comparisons", count(result.pratt.n), None, p_value(result.pratt.p)
        case MeanTest():
            return None, count(result.n), net(result.mean, result.ci95), p_value(result.p)
        case FlipTest():
            return None, count(result.n), count(result.statistic), p_value(result.p)
        case VoteSign():
            return "votes", count(result.n), share(result.side_share, result.wilson95), p_value(result.p)


def error_rows(test: TwoWay, *, arms: tuple[str, str]) -> Table:
    """What the headline's standard error is made of: the answer to "why is p not smaller, with so many votes?"."""
    return Table(
        name="tests.two_way_net",
        title="What the headline's error is made of",
        arms=arms,
        columns=(Column("figure", "Figure"), Column("value", "Value")),
        rows=tuple(_parts(test)),
        notes=(
            "A design effect says how many times larger the variance is than if votes were independent. The variance "
            "used is the largest of: comparisons plus raters minus votes, comparisons, raters.",
        ),
    )


def _parts(test: TwoWay) -> Iterator[Row]:
    yield "Net preference", net(test.estimate, test.ci95)
    yield "Standard error, points", net_se(test.se)
    yield "Standard error if votes were independent, points", net_se(test.var_vote**0.5)
    yield "Design effect of comparisons", number(test.deff_pair)
    yield "Design effect of raters", number(test.deff_rater)
    yield "Comparisons, effective number", number(test.pairs_effective)
    yield "Raters, effective number", number(test.raters_effective)
    yield "Degrees of freedom", number(test.df)
    yield "t", number(test.t)
    yield "p", p_value(test.p)
