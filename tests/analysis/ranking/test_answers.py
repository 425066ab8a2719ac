"""The answers file was computed by another program from the same votes."""

import json
from pathlib import Path

import pytest

from analysis import read_csv
from analysis.ranking import bradley_terry
from analysis.records import as_json
from tests.analysis.ranking.logs import leaves

DATA = Path(__file__).parents[2] / "data"


def test_every_answer_is_reached() -> None:
    answers = json.loads((DATA / "table2_votes.answers.json").read_text())["bradley_terry"]
    found = dict(leaves(as_json(bradley_terry(read_csv(DATA / "table2_votes.csv")))))
    expected = dict(leaves(answers))
    assert len(expected) == 64
    for path, answer in expected.items():
        assert found[path] == (pytest.approx(answer, abs=1e-7) if isinstance(answer, float) else answer), path
