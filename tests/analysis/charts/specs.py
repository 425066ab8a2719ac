"""Looking into a drawing's Vega-Lite specification."""

from typing import Any

from analysis.charts.rendering import Drawing

# A specification is foreign JSON: its rows hold whatever the chart shows.
Row = dict[str, Any]


def rows_of(drawing: Drawing, having: str) -> list[Row]:
    """The data rows with a certain column, wherever in the specification they stand."""
    return [row for rows in _values(drawing.spec) for row in rows if isinstance(row, dict) and having in row]


def _values(part: object) -> list[list[Row]]:
    if isinstance(part, list):
        return [rows for item in part for rows in _values(item)]
    if not isinstance(part, dict):
        return []
    own = [part["values"]] if isinstance(part.get("values"), list) else []
    return (
        own
        + list(part.get("datasets", {}).values())
        + [rows for name, item in part.items() if name not in ("values", "datasets") for rows in _values(item)]
    )
