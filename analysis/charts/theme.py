"""How charts look: the colours and type of `static/css/tokens.css`, so that a page can turn them for a dark ground.

A chart uses no other colours than these. The page's style sheet maps each of them to its token by an attribute
selector (`[fill="#1f5fa8"]`), and a downloaded file keeps the light ones.
"""

from __future__ import annotations

from analysis.records import Json

GROUND = "#ffffff"
LINE = "#d9d9d4"
INK = "#1d1f21"
INK_SOFT = "#5b6066"
ARM_A = "#1f5fa8"
ARM_B = "#b5651d"
ARM_NONE = "#8b8f94"
WARN = "#8a5a00"
BAD = "#a4262c"
# Each with its value on a dark ground, for a drawing that is shown as an image and so beyond a page's style sheet.
ON_DARK = {
    GROUND: "#202326",
    LINE: "#3a3f44",
    INK: "#e9eaeb",
    INK_SOFT: "#a7adb3",
    ARM_A: "#7ab2f0",
    ARM_B: "#e6a15c",
    ARM_NONE: "#8b8f94",
    WARN: "#e3b25c",
    BAD: "#f0868b",
}

# One width for every screen, axes and labels included: shrunk to a phone the type is still 10 px, and two charts
# stand beside each other on a desk.
WIDTH = 400
# These have the same widths letter by letter, so what was measured here fits wherever it is shown.
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

_AXIS: dict[str, Json] = {
    "domainColor": INK_SOFT,
    "tickColor": INK_SOFT,
    "gridColor": LINE,
    "labelColor": INK,
    "labelFontSize": 12,
    "labelLimit": 130,
    "titleColor": INK_SOFT,
    "titleFontSize": 12,
    "titleFontWeight": "normal",
}
_LEGEND: dict[str, Json] = {
    "labelColor": INK,
    "labelFontSize": 12,
    "labelLimit": 170,
    "orient": "top",
    "symbolType": "square",
    "title": None,
}

CONFIG: dict[str, Json] = {
    # One text for the whole chart stands on the drawing; a label on every mark would be noise to a screen reader.
    "aria": False,
    "font": FONT,
    "autosize": {"type": "fit-x", "contains": "padding"},
    "title": {"color": INK_SOFT, "fontSize": 12, "fontWeight": "normal", "anchor": "start"},
    "view": {"stroke": None},
    "axis": _AXIS,
    "legend": _LEGEND,
    "header": {"labelColor": INK, "labelFontSize": 12, "titleColor": INK_SOFT, "titleFontWeight": "normal"},
    "text": {"color": INK, "fontSize": 12},
    "rule": {"color": INK_SOFT},
    "bar": {"color": ARM_A},
    "point": {"color": ARM_A, "filled": True, "opacity": 1},
    "line": {"color": ARM_A, "strokeWidth": 2},
}
