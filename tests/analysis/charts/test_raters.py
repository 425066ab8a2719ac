"""Raters, times, sides and the monitor."""

import dataclasses

import pytest

from analysis.charts.monitor import MOST_LOOKS, of_looks
from analysis.charts.position import of_position
from analysis.charts.raters import MOST_RATERS, of_raters
from analysis.charts.rendering import svg_of
from analysis.charts.times import of_times
from analysis.position import Position, position
from analysis.rater_quality import RaterQuality, rater_quality
from analysis.sequential import Look, PlannedLook, PlannedLooks, TwoWayNormalMixture
from analysis.times import ChoiceCounts, RankCorrelation, Times
from tests.analysis.charts.specs import rows_of
from tests.analysis.logs import log

TIMES = Times(
    tercile_edges_ms=(2000.0, 4500.0),
    choice_by_tercile=(ChoiceCounts(50, 30, 20), ChoiceCounts(40, 40, 20), ChoiceCounts(6, 4, 90)),
    spearman_absnet_vs_median_ms=RankCorrelation(-0.4, 0.01, 20),
    median_ms=3000.0,
    timed=300,
    without_time=0,
)


def quality_of(raters: int) -> RaterQuality:
    return rater_quality(log([(f"r{n}", f"p{n % 7}", "abs"[n % 3]) for n in range(raters)]))


def looks_of(count: int) -> TwoWayNormalMixture:
    looks = tuple(Look(10 + n, 100 + n, 0.05, -0.1, 0.2, n / 10, 2.996) for n in range(count))
    return TwoWayNormalMixture(0.05, 150, 10, 10 + count, 500, 1.2, 1.5, 0.2, None, (-0.1, 0.2), 0, looks)


def test_a_rater_stands_at_the_left_share_of_the_side_votes() -> None:
    # r0 meets robust right, left, right, left; the choices are then right, right, left, same.
    quality = rater_quality(log([("r0", "p0", "b"), ("r0", "p1", "a"), ("r0", "p2", "b"), ("r0", "p3", "s")]))
    marks = quality.raters["r0"]
    (row,) = rows_of(of_raters(quality), "rater")
    assert (row["votes"], row["left"]) == (3, pytest.approx(100 * marks.left / 3, abs=0.01))


def test_raters_without_a_side_vote_are_counted_but_not_drawn() -> None:
    quality = rater_quality(log([("r0", "p0", "s"), ("r1", "p0", "a")]))
    assert [row["rater"] for row in rows_of(of_raters(quality), "rater")] == ["r1"]
    assert "2 raters, 0 flagged. 1 of them are drawn." in of_raters(quality).alt


def test_of_thousands_of_raters_some_are_drawn_the_flagged_among_them() -> None:
    quality = quality_of(5000)
    name, marks = next((name, marks) for name, marks in quality.raters.items() if marks.left + marks.right)
    flagged = {**quality.raters, name: dataclasses.replace(marks, flags=("position",))}
    drawing = of_raters(dataclasses.replace(quality, raters=flagged))
    rows = rows_of(drawing, "rater")
    assert len(rows) == MOST_RATERS
    assert name in {row["rater"] for row in rows}
    assert "5,000 raters, 1 flagged (position 1)" in drawing.alt


def test_a_log_without_times_has_no_panel_of_times() -> None:
    assert "median time" not in svg_of(of_raters(quality_of(9)))


def test_each_third_of_the_votes_adds_up_to_all_of_it() -> None:
    rows = rows_of(of_times(TIMES), "third")
    assert [row["end"] for row in rows if row["button"] == "right"] == [100, 100, 100]
    assert [row["words"] for row in rows[-3:]] == ["", "same 90.0", ""]


def test_an_empty_third_is_drawn_empty() -> None:
    empty = dataclasses.replace(
        TIMES, choice_by_tercile=(ChoiceCounts(1, 1, 0), ChoiceCounts(0, 0, 0), TIMES.choice_by_tercile[2])
    )
    assert [row["end"] for row in rows_of(of_times(empty), "third")][3:6] == [0, 0, 0]


def test_sides_stand_with_their_intervals_for_all_votes_and_each_third() -> None:
    found = position(log([("r0", "p0", "a"), ("r1", "p0", "b"), ("r0", "p1", "b"), ("r1", "p1", "s")]))
    assert isinstance(found, Position)
    rows = rows_of(of_position(found, TIMES), "estimate")
    assert rows[0]["estimate"] == pytest.approx(100 * found.left_share)
    assert (rows[0]["low"], rows[0]["high"]) == pytest.approx([100 * end for end in found.wilson95])
    assert [row["estimate"] for row in rows[1:]] == [62.5, 50, 60]
    assert len(rows_of(of_position(found, None), "estimate")) == 1


def test_the_monitor_has_the_band_in_points_and_the_boundary() -> None:
    drawing = of_looks(looks_of(20), None, arms=("robust", "vanilla"))
    last = rows_of(drawing, "log_e")[-1]
    assert (last["low"], last["high"], last["boundary"]) == (-10, 20, 2.996)
    assert "The boundary has not been crossed." in drawing.alt


def test_a_crossed_boundary_is_marked() -> None:
    crossed = dataclasses.replace(looks_of(20), stop_after_raters=15)
    drawing = of_looks(crossed, None, arms=("robust", "vanilla"))
    assert {row["stop"] for row in rows_of(drawing, "stop")} == {15}
    assert "first crossed after 15 raters" in drawing.alt


def test_planned_looks_stand_on_the_band() -> None:
    looks = tuple(PlannedLook(r, 10 * r, 0.1, 0.05, 9.0, 0.04, -0.02, 0.22, False) for r in (10, 20))
    planned = PlannedLooks(0.05, 0.01, 5, 50, looks, 0, None, 30)
    rows = rows_of(of_looks(looks_of(20), planned, arms=("robust", "vanilla")), "found")
    assert [(row["raters"], row["from"], row["to"]) for row in rows] == [(10, -2, 22), (20, -2, 22)]


def test_thousands_of_looks_are_thinned_but_keep_both_ends() -> None:
    rows = rows_of(of_looks(looks_of(5000), None, arms=("robust", "vanilla")), "log_e")
    assert len(rows) == MOST_LOOKS
    assert (rows[0]["raters"], rows[-1]["raters"]) == (10, 5009)
