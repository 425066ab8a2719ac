"""The tables about raters: how they agree, lean, hurry, and what leaving some of them out would do."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from analysis.agreement import Agreement
from analysis.files.table import MINUS, Cell, Column, Figure, Table, Unit, count, net, number, p_value, share
from analysis.intervals import Interval
from analysis.position import Position
from analysis.rater_filters import FilterEffect
from analysis.rater_quality import RaterMarks, RaterQuality
from analysis.records import Unavailable
from analysis.times import Times

FIGURE_COLUMNS = (Column("figure", "Figure"), Column("value", "Value"))
Row = tuple[Cell, ...]


def agreement_rows(agreement: Agreement, *, arms: tuple[str, ...]) -> Table:
    """How far raters agree on the same comparison."""
    return Table(
        name="agreement",
        title="Agreement between raters",
        arms=arms,
        columns=FIGURE_COLUMNS,
        rows=tuple(_agreement(agreement)),
        notes=(
            f"{agreement.pairs_with_two_votes} of {agreement.pairs} comparisons have two votes or more. Alpha: 1 = "
            "always agree, 0 = as by chance; its 95 % intervals draw comparisons anew. Split-half: does one half of "
            "the raters give the same picture of the comparisons as the other?",
            agreement.reading,
        ),
    )


def _agreement(agreement: Agreement) -> Iterator[Row]:
    yield "Krippendorff's alpha, three answers", _estimate(agreement.alpha_nominal, agreement.alpha_nominal_ci95)
    yield "Krippendorff's alpha, interval", _estimate(agreement.alpha_interval, agreement.alpha_interval_ci95)
    yield "Krippendorff's alpha, ordinal", _estimate(agreement.alpha_ordinal, agreement.alpha_ordinal_ci95)
    yield "Krippendorff's alpha, Same left out", _estimate(agreement.alpha_side_only, agreement.alpha_side_only_ci95)
    yield "Fleiss' kappa, unequal numbers of votes", _estimate(agreement.fleiss_kappa_generalised)
    yield "Agreeing pairs of votes, mean over comparisons", share(agreement.percent_agreement_mean_over_pairs)
    yield "Agreeing pairs of votes, all", share(agreement.percent_agreement_weighted_by_vote_pairs)
    yield "Split-half correlation", _estimate(agreement.split_half_r_mean)
    yield "Split-half reliability (Spearman-Brown)", _estimate(agreement.split_half_spearman_brown)


def _estimate(value: float | Unavailable | None, interval: Interval | None = None) -> Cell:
    return value if value is None or isinstance(value, Unavailable) else number(value, interval)


def position_rows(position: Position) -> Table:
    """How often each button was pressed, and whether raters lean to a side."""
    by_rater = position.clustered_by_rater
    return Table(
        name="position",
        title="Left and right",
        columns=FIGURE_COLUMNS,
        rows=(
            ("Left", count(position.left)),
            ("Right", count(position.right)),
            ("Same", count(position.same)),
            ("Left, of the votes that chose a side", share(position.left_share, position.wilson95)),
            ("p, raters as units", by_rater if isinstance(by_rater, Unavailable) else p_value(by_rater.p)),
            ("p if votes were independent", p_value(position.p_binomial)),
        ),
        notes=("95 % interval: Wilson, as if votes were independent.",),
    )


def time_rows(times: Times) -> Table:
    """What quick and slow votes chose."""
    low, high = (_seconds(edge) for edge in times.tercile_edges_ms)
    rank = times.spearman_absnet_vs_median_ms
    names = (f"Quickest third (to {low} s)", f"Middle third (to {high} s)", f"Slowest third (over {high} s)")
    relation = "" if rank.rho is None else _relation(rank.rho, rank.p, rank.n)
    return Table(
        name="times",
        title="Answers by response time",
        columns=(
            Column("third", "Votes"),
            Column("left", "Left"),
            Column("right", "Right"),
            Column("same", "Same"),
        ),
        rows=tuple(
            (name, count(answers.left), count(answers.right), count(answers.same))
            for name, answers in zip(names, times.choice_by_tercile, strict=True)
        ),
        notes=(f"Median {_seconds(times.median_ms)} s over {times.timed} timed votes. {relation}".strip(),),
    )


def _seconds(ms: float) -> str:
    return f"{ms / 1000:.1f}"


def _relation(rho: float, p: float | None, n: int) -> str:
    strength = f"{rho:.2f}".replace("-", MINUS)
    chance = "" if p is None else ", p < 0.001" if p < 0.001 else f", p = {p:.3f}"
    return (
        f"Spearman's rank correlation of each comparison's |net preference| with its median time: {strength}{chance}, "
        f"{n} comparisons; below zero, clear comparisons go faster."
    )


def filter_rows(effects: Iterable[FilterEffect], *, planned: tuple[str, ...]) -> Table:
    """What each named filter would leave out, and the headline without it. planned: filters of the analysis plan."""
    return Table(
        name="screening",
        title="The headline with each filter of raters",
        columns=(
            Column("filter", "Filter"),
            Column("use", "Use"),
            Column("raters_left_out", "Raters left out"),
            Column("votes_left_out", "Votes left out"),
            Column("net", "Net preference"),
            Column("p", "p"),
        ),
        rows=tuple(_filter(effect, planned=planned) for effect in effects),
        notes=(
            "A filter may be used only if the plan named it before the votes came in. The others are shown so that "
            "readers can see whether the answer hangs on a few raters.",
        ),
    )


def _filter(effect: FilterEffect, *, planned: tuple[str, ...]) -> Row:
    headline = effect.headline
    start = (effect.name, "planned" if effect.name in planned else "exploratory")
    left_out = count(effect.raters), count(effect.votes)
    if headline is None or isinstance(headline, Unavailable):
        return *start, *left_out, headline, headline
    return *start, *left_out, net(headline.estimate, headline.ci95), p_value(headline.p)


def rater_rows(quality: RaterQuality) -> Table:
    """Every rater's way of voting."""
    return Table(
        name="rater_quality",
        title="How each rater voted",
        columns=(
            Column("rater", "Rater"),
            Column("votes", "Votes"),
            Column("left", "Left"),
            Column("right", "Right"),
            Column("same", "Same"),
            Column("position_p_holm", "p of sides (Holm)"),
            Column("longest_run", "Longest run"),
            Column("runs_p_holm", "p of runs (Holm)"),
            Column("median_ms", "Median ms"),
            Column("fast_lt_500ms", "Under 500 ms"),
            Column("leave_one_out_agreement", "With the majority"),
            Column("gold_accuracy", "Gold right"),
            Column("flags", "Flags"),
        ),
        rows=tuple((name, *_rater(marks)) for name, marks in quality.raters.items()),
        notes=(
            "Flags ask for a look, they leave nobody out. Agreement with the majority is for information: to screen on "
            "it would favour the majority.",
        ),
    )


def _rater(marks: RaterMarks) -> Row:
    of = marks.leave_one_out_of
    return (
        *(count(n) for n in (marks.votes, marks.left, marks.right, marks.same)),
        p_value(marks.position_p_holm),
        count(marks.longest_run),
        p_value(marks.runs_p_holm),
        None if isinstance(marks.median_ms, Unavailable) else Figure(marks.median_ms, Unit.MS),
        None if isinstance(marks.fast_lt_500ms, Unavailable) else count(marks.fast_lt_500ms),
        share(marks.leave_one_out_agree / of) if of else None,
        None if marks.gold_accuracy is None else share(marks.gold_accuracy, marks.gold_wilson95),
        ", ".join(marks.flags) or None,
    )
