"""A chart's colours are the site's: the page can turn every one of them for a dark ground."""

import re
from pathlib import Path

import pytest

from analysis import analyse, read_csv
from analysis.charts import PAIRING_CHARTS, REPORT_CHARTS, draw_chart
from analysis.charts.rendering import Drawing, svg_of
from analysis.charts.theme import ON_DARK
from analysis.report import Report

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def report() -> Report:
    return analyse(read_csv(ROOT / "tests" / "data" / "table2_votes.csv"))


def test_the_colours_are_those_of_the_style_sheet_light_and_dark() -> None:
    light, dark = (
        dict(re.findall(r"--([\w-]+): (#\w{6});", css))
        for css in (ROOT / "static/css/tokens.css").read_text().split("@media (prefers-color-scheme: dark)")
    )
    assert set(ON_DARK.items()) <= {(colour, dark.get(name, colour)) for name, colour in light.items()}


def test_every_colour_and_paint_that_a_drawing_uses_is_turned_by_the_page(report: Report) -> None:
    page = (ROOT / "static/css/research.css").read_text()
    subjects = [(name, report.pairings[0]) for name in PAIRING_CHARTS] + [(name, report) for name in REPORT_CHARTS]
    for name, subject in subjects:
        drawing = draw_chart(name, subject)
        assert isinstance(drawing, Drawing), name
        for paint, colour in set(re.findall(r'(fill|stroke)="(#[0-9a-fA-F]{6})"', svg_of(drawing))):
            assert f'.chart [{paint}="{colour}" i]' in page, (name, paint, colour)
