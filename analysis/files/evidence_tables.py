"""The tables of one pairing beyond its headline: classes of images, looks while votes came in, resampled intervals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeVar

from analysis.bootstrap import PairBootstrap, TwoWayBootstrap
from analysis.classes import Classes, ShrunkenPairs
from analysis.files.table import Cell, Column, Table, count, net, net_se, number, p_value, percent
from analysis.precision import Components
from analysis.preference import Shares, ThresholdTable
from analysis.records import Unavailable
from analysis.sequential import Look, PlannedLooks, Sequential, TwoWayNormalMixture

# Every look is in the JSON; a page has room for these.
LOOKS_SHOWN = 20
FIGURE_COLUMNS = (Column("figure", "Figure"), Column("value", "Value"))
Row = tuple[Cell, ...]
T = TypeVar("T")


def class_rows(classes: Classes, *, arms: tuple[str, str]) -> Table:
    """The preference in each class of images, as seen and drawn towards that of all classes."""
    return Table(
        name="classes",
        title="Net preference by class",
        arms=arms,
        columns=(
            Column("class_label", "Class"),
            Column("pairs", "Comparisons"),
            Column("mean", "As seen"),
            Column("shrunken", "Partially pooled"),
            Column("p", "p"),
            Column("p_adjusted", f"p ({classes.family.correction})"),
        ),
        rows=tuple(
            (
                row.class_label,
                count(row.pairs),
                net(row.mean, row.ci95),
                net(row.shrunken, row.shrunken_ci95),
                p_value(row.p),
                p_value(row.p_adjusted),
            )
            for row in classes.rows
        ),
        notes=(
            f"Points of net preference for {arms[0]}, comparisons as units. Classes with few comparisons look extreme "
            "by luck; partial pooling draws them towards the mean of all classes. "
            f"{classes.family.entered} of {classes.family.of} classes entered the correction.",
        ),
    )


def monitor_rows(sequential: Sequential, *, arms: tuple[str, str]) -> Iterator[Table]:
    """What looking while votes came in showed, under each rule that allows for it."""
    mixture = sequential.two_way_normal_mixture
    yield _figures("sequential", "Looking while votes came in", tuple(_summary(sequential)), arms=arms)
    if not isinstance(mixture, Unavailable):
        yield _looks(mixture, arms=arms)
    if sequential.planned_looks is not None:
        yield _planned(sequential.planned_looks, arms=arms)


def _summary(sequential: Sequential) -> Iterator[Row]:
    mixture, bets = sequential.two_way_normal_mixture, sequential.rater_level
    if isinstance(mixture, Unavailable):
        yield "Normal-mixture boundary", mixture
    else:
        yield "First look after raters", count(mixture.first_look_after_raters)
        stopped = mixture.stop_after_raters
        yield "Boundary reached after raters", "not reached" if stopped is None else count(stopped)
        yield "Net preference at the last look", net(mixture.looks[-1].estimate, mixture.confidence_sequence_final)
        yield "Always-valid p", p_value(mixture.always_valid_p)
    yield "Always-valid p, bets on raters", p_value(bets.always_valid_p)


def _looks(mixture: TwoWayNormalMixture, *, arms: tuple[str, str]) -> Table:
    return Table(
        name="sequential.two_way_normal_mixture",
        title="The preference as raters arrived",
        arms=arms,
        columns=(
            Column("raters", "Raters"),
            Column("votes", "Votes"),
            Column("net", "Net preference"),
            Column("log_e", "Log evidence"),
            Column("boundary", "Boundary"),
        ),
        rows=tuple(_look(look) for look in _thinned(mixture.looks)),
        notes=(
            f"Intervals hold at all looks together; alpha {mixture.alpha:g}, rho {mixture.rho:g}. "
            f"{len(mixture.looks)} looks were taken"
            + (f", of which {LOOKS_SHOWN} are shown." if len(mixture.looks) > LOOKS_SHOWN else "."),
        ),
    )


def _look(look: Look) -> Row:
    estimate = net(look.estimate, (look.low, look.high))
    return str(look.raters), count(look.votes), estimate, number(look.log_e), number(look.boundary)


def _thinned(looks: Sequence[T]) -> Sequence[T]:
    """At most so many looks, evenly spaced, the first and the last among them."""
    if len(looks) <= LOOKS_SHOWN:
        return looks
    step = (len(looks) - 1) / (LOOKS_SHOWN - 1)
    return [looks[round(place * step)] for place in range(LOOKS_SHOWN)]


def _planned(looks: PlannedLooks, *, arms: tuple[str, str]) -> Table:
    return Table(
        name="sequential.planned_looks",
        title="The planned looks",
        arms=arms,
        columns=(
            Column("raters", "Raters"),
            Column("votes", "Votes"),
            Column("net", "Net preference"),
            Column("se", "SE"),
            Column("p", "p"),
            Column("rejects", "Rejects"),
        ),
        rows=tuple(
            (
                str(look.raters),
                count(look.votes),
                net(look.estimate, (look.low, look.high)),
                net_se(look.se),
                p_value(look.p),
                "yes" if look.rejects else "no",
            )
            for look in looks.looks
        ),
        notes=(
            f"{looks.looks_planned} looks share alpha {looks.alpha:g}, so each rejects below {looks.alpha_per_look:g}; "
            "the intervals are at that level.",
        ),
    )


def component_rows(components: Components, *, arms: tuple[str, str]) -> Table:
    """What comparisons, raters and votes bring to the error, for planning the next study."""
    return _figures(
        "planning",
        "What the next study can be planned from",
        (
            ("Variance between comparisons, c_P", number(components.pair)),
            ("Variance between raters, c_R", number(components.rater)),
            ("Variance of single votes, c_E", number(components.vote)),
        ),
        arms=arms,
        notes=("A study of P comparisons, R raters and N votes has the variance c_P/P + c_R/R + c_E/N.",),
    )


def _figures(
    name: str, title: str, rows: tuple[Row, ...], *, arms: tuple[str, str], notes: tuple[str, ...] = ()
) -> Table:
    return Table(name, title, FIGURE_COLUMNS, rows, arms, notes)


def shrunken_pair_rows(pairs: ShrunkenPairs, *, arms: tuple[str, str]) -> Table:
    """Every comparison's preference, as seen and drawn towards that of all comparisons."""
    return Table(
        name="shrunken_pairs",
        title="Net preference by comparison",
        arms=arms,
        columns=(
            Column("pair", "Comparison"),
            Column("class_label", "Class"),
            Column("votes", "Votes"),
            Column("mean", "As seen"),
            Column("shrunken", "Partially pooled"),
            Column("sd", "SD"),
        ),
        rows=tuple(
            (row.pair, row.class_label, count(row.votes), net(row.mean), net(row.shrunken), net_se(row.sd))
            for row in pairs.rows
        ),
        notes=(f"Points of net preference for {arms[0]}. No class has two comparisons, so these are pooled instead.",),
    )


def two_way_bootstrap_rows(drawn: TwoWayBootstrap, *, shares: Shares | Unavailable, arms: tuple[str, str]) -> Table:
    """The headline by resampling pairs and raters: a cross-check that errs on the safe side."""
    rows: list[Row] = [("SE of the net preference", net_se(drawn.se_net)), ("p", p_value(drawn.p_net))]
    if isinstance(shares, Shares):
        seen = dict(zip((*shares.arms, "same"), (shares.first, shares.second, shares.same), strict=True))
        rows += [(f"Share of {name}", percent(seen[name].percent, ci95)) for name, ci95 in drawn.share_ci95.items()]
    return _figures(
        "bootstrap_two_way",
        "Resampling comparisons and raters",
        tuple(rows),
        arms=arms,
        notes=(
            f"{drawn.rounds} rounds; a cross-check that is wider than need be. It is not for the threshold table, "
            "where it would make shares of few votes more extreme.",
        ),
    )


def pair_bootstrap_rows(drawn: PairBootstrap, table: ThresholdTable) -> Table:
    """The threshold table with intervals from resampling its comparisons."""
    return Table(
        name="bootstrap_pairs_threshold_ci95",
        title="The threshold table with resampled intervals",
        arms=table.arms,
        columns=(
            Column("threshold_percent", "Threshold"),
            *(Column(arm, arm) for arm in table.arms),
            Column("no_preference", "No preference"),
        ),
        rows=tuple(
            (
                f"> {row.threshold} %",
                *(percent(c.percent, drawn.by_threshold[row.threshold][c.column]) for c in row.cells),
            )
            for row in table.rows
        ),
        keys=tuple(row.threshold for row in table.rows),
        notes=(f"{drawn.rounds} rounds over {drawn.pairs} comparisons, for this panel of raters.",),
    )
