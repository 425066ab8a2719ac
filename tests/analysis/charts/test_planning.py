"""The power curves: what is drawn is what was planned, and names do not run into each other."""

import json
from itertools import pairwise

import pytest

from analysis.charts.planning import ROOM_FOR_NAME, draw
from analysis.charts.rendering import Drawing, svg_of
from analysis.planning import plan_study
from analysis.wishes import Wish


def rows_of(drawing: Drawing, key: str) -> list[dict[str, object]]:
    """All rows of the drawing's data that have an entry."""
    spec = json.loads(drawing.vega_lite)
    sources = [*spec.get("datasets", {}).values(), *_values(spec)]
    return [row for source in sources for row in source if key in row]


def _values(spec: object) -> list[list[dict[str, object]]]:
    if isinstance(spec, list):
        return [found for item in spec for found in _values(item)]
    if not isinstance(spec, dict):
        return []
    own = [spec["data"]["values"]] if isinstance(spec.get("data"), dict) and "values" in spec["data"] else []
    return own + [found for name, item in spec.items() if name != "data" for found in _values(item)]


def test_every_curve_holds_the_planned_powers() -> None:
    planning = plan_study(Wish(raters=25))
    drawn = {(row["raters"], row["pairs"]): row["power"] for row in rows_of(draw(planning), "pairs")}
    planned = {(o.design.raters, o.design.pairs): round(100 * o.power, 2) for curve in planning.curves for o in curve}
    assert drawn == planned


@pytest.mark.parametrize(
    "wish", [Wish(), Wish(difference=0.5), Wish(difference=0.01, pairs=20), Wish(raters=2, pairs=2)]
)
def test_names_of_curves_keep_their_distance(wish: Wish) -> None:
    heights = sorted({float(str(row["at"])) for row in rows_of(draw(plan_study(wish)), "at")}, reverse=True)
    assert all(above - below >= ROOM_FOR_NAME - 1e-9 for above, below in pairwise(heights))


def test_the_drawing_says_in_words_what_it_shows() -> None:
    svg = svg_of(draw(plan_study(Wish(raters=25))))
    assert 'role="img"' in svg
    assert "With 25 raters: 50 pairs 28 %, 100 pairs 50 %, 200 pairs 77 %" in svg
