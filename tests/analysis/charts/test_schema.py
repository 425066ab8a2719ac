"""What is drawn without Altair's checks is valid Vega-Lite all the same."""

import json
from importlib.resources import files

import pytest
from jsonschema import Draft7Validator

from analysis.charts import CHARTS, PAIRING_CHARTS, draw_chart
from analysis.charts.rendering import Drawing
from tests.analysis.files.reports import four_arms, table_2

SCHEMA = Draft7Validator(json.loads(files("altair.vegalite.v6.schema").joinpath("vega-lite-schema.json").read_text()))


@pytest.mark.parametrize("name", CHARTS)
def test_every_chart_is_valid_vega_lite(name: str) -> None:
    reports = table_2(), four_arms()
    drawings = [draw_chart(name, report.pairings[0] if name in PAIRING_CHARTS else report) for report in reports]
    # Four arms' votes are on too few classes to draw those.
    drawn = [drawing for drawing in drawings if isinstance(drawing, Drawing)]
    assert drawn
    for drawing in drawn:
        SCHEMA.validate(drawing.spec)


def test_what_is_no_chart_is_not_valid() -> None:
    assert not SCHEMA.is_valid({"mark": "no such mark", "encoding": {}})
