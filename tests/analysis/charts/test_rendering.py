"""A drawing becomes an SVG for the page and files for papers."""

import json
import re
import subprocess
import sys
from xml.etree import ElementTree

import altair as alt
import pytest

from analysis.charts.parts import table
from analysis.charts.rendering import Drawing, pdf_of, png_of, svg_of, vega_lite_of


@pytest.fixture
def drawing() -> Drawing:
    chart = alt.Chart(table([{"x": 1, "who": "<b>&"}, {"x": 2, "who": "two"}])).mark_bar(clip=True)
    return Drawing.of(chart.encode(x="x:Q", y="who:N"), alt='1 & 2, the "two" <arms>')


def test_the_svg_is_one_image_with_its_alt_text(drawing: Drawing) -> None:
    root = ElementTree.fromstring(svg_of(drawing))
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert (root.get("role"), root.get("aria-label")) == ("img", '1 & 2, the "two" <arms>')
    assert root.get("viewBox")


def test_names_from_the_data_cannot_become_markup(drawing: Drawing) -> None:
    assert "<b>" not in svg_of(drawing)
    assert "&lt;b&gt;&amp;" in svg_of(drawing)


def test_two_drawings_in_one_page_share_no_ids(drawing: Drawing) -> None:
    other = Drawing.of(alt.Chart(table([{"x": 9}])).mark_bar(clip=True).encode(x="x:Q"), alt="another")
    first, second = (set(re.findall(r'\bid="([^"]+)"', svg_of(one))) for one in (drawing, other))
    assert first
    assert not first & second
    assert set(re.findall(r"url\(#([^)]+)\)", svg_of(drawing))) <= first


def test_files_are_what_their_endings_say(drawing: Drawing) -> None:
    assert png_of(drawing).startswith(b"\x89PNG\r\n")
    assert pdf_of(drawing).startswith(b"%PDF-")
    spec = json.loads(vega_lite_of(drawing))
    assert spec["$schema"].startswith("https://vega.github.io/schema/vega-lite/v6")
    assert spec["description"] == drawing.alt


def test_listing_the_charts_loads_no_drawing_library() -> None:
    code = "import sys, analysis, analysis.charts; print({'altair', 'vl_convert'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
