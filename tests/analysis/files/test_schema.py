import json
from pathlib import Path

import jsonschema
import pytest

from analysis import InvalidVotes, Report, analyse
from analysis.files.schema import Definitions, report_schema
from analysis.records import Json
from tests.analysis.degenerate import LOGS, votes_of
from tests.analysis.files.reports import WITH_A_REPORT, degenerate, four_arms, planned, strange_names, table_2
from tests.analysis.logs import log, unjudged

PUBLISHED = Path(__file__).parents[3] / "docs" / "report.schema.json"
VALIDATOR = jsonschema.Draft202012Validator(report_schema())


def check(value: object) -> None:
    """Refuse what the schema refuses; NaN and infinity too, which are no JSON."""
    VALIDATOR.validate(json.loads(json.dumps(value, allow_nan=False)))


def test_the_published_schema_is_up_to_date() -> None:
    told = "docs/report.schema.json is stale: .venv/bin/python manage.py report_schema > docs/report.schema.json"
    assert json.loads(PUBLISHED.read_text(encoding="utf-8")) == report_schema(), told


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(report_schema())


@pytest.mark.parametrize("made", [table_2, four_arms, planned, strange_names], ids=lambda made: made.__name__)
def test_reports_follow_the_schema(made: object) -> None:
    report: Report = made()
    check(report.as_json())


@pytest.mark.parametrize("name", WITH_A_REPORT)
def test_reports_of_degenerate_logs_follow_the_schema(name: str) -> None:
    check(degenerate(name).as_json())


@pytest.mark.parametrize("name", sorted(set(LOGS) - set(WITH_A_REPORT)))
def test_the_error_of_a_log_that_fails_gatekeeping_follows_the_schema(name: str) -> None:
    with pytest.raises(InvalidVotes) as caught:
        analyse(votes_of(LOGS[name]))
    check(caught.value.as_json())


def test_the_report_of_a_study_without_a_vote_follows_the_schema() -> None:
    check(analyse(log([], pairs=unjudged("p1", "p2"))).as_json())


def test_a_report_without_resampling_follows_the_schema() -> None:
    check(analyse(votes_of(LOGS["one rater"]), rounds=0).as_json())


@pytest.mark.parametrize("broken", ["missing", "unknown", "not a number", "error elsewhere"])
def test_the_schema_refuses_what_is_no_report(broken: str) -> None:
    report = table_2().as_json()
    changes: dict[str, dict[str, Json]] = {
        "missing": {name: value for name, value in report.items() if name != "shares"},
        "unknown": {**report, "surprise": 1},
        "not a number": {**report, "votes": "many"},
        "error elsewhere": {**report, "votes": {"error": "no_votes", "detail": "none"}},
    }
    with pytest.raises(jsonschema.ValidationError):
        check(changes[broken])


def test_a_type_without_a_place_in_a_report_is_refused() -> None:
    with pytest.raises(TypeError, match="has no place in a report's schema"):
        Definitions().of(complex)


def test_every_definition_says_what_it_is() -> None:
    definitions = report_schema()["$defs"]
    assert isinstance(definitions, dict)
    assert all(isinstance(entry, dict) and entry["description"] for entry in definitions.values())
