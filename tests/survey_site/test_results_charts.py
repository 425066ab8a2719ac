"""Each chart of a study is also a file."""

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client

from analysis.charts import PAIRING_CHARTS, REPORT_CHARTS
from survey_site.logs.imports import import_votes
from survey_site.models import Study
from tests.factories import make_study

pytestmark = pytest.mark.django_db

FIXTURE = Path(__file__).parent.parent / "data" / "table2_votes.csv"
STARTS = {"svg": b"<svg ", "png": b"\x89PNG\r\n", "pdf": b"%PDF-", "json": b"{"}


@pytest.fixture
def study() -> Study:
    return import_votes(FIXTURE)


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


def test_every_chart_of_table_2_is_a_file(researcher: Client, study: Study) -> None:
    for path in (*(f"1/{name}" for name in PAIRING_CHARTS), *REPORT_CHARTS):
        response = researcher.get(f"/studies/{study.slug}/results/charts/{path}.svg")
        assert response.status_code == 200, path
        assert response.content.startswith(b"<svg "), path


def test_a_chart_is_a_file_of_every_kind(researcher: Client, study: Study) -> None:
    for ending, start in STARTS.items():
        response = researcher.get(f"/studies/{study.slug}/results/charts/1/thresholds.{ending}")
        assert response.content.startswith(start), ending
        assert response["Content-Disposition"].startswith('attachment; filename="table2_votes-1-thresholds.'), ending


def test_the_vega_lite_file_holds_the_data(researcher: Client, study: Study) -> None:
    spec = json.loads(researcher.get(f"/studies/{study.slug}/results/charts/1/thresholds.json").content)
    percents = [row["percent"] for rows in spec["datasets"].values() for row in rows if "percent" in row]
    assert percents[:3] == [61.5, 7.0, 31.5]


def test_a_chart_that_cannot_be_drawn_says_why(researcher: Client) -> None:
    response = researcher.get(f"/studies/{make_study(4).slug}/results/charts/1/pairs.svg")
    assert response.status_code == 409
    assert response.json()["error"] == "no_side_votes"


def test_what_is_no_chart_is_a_404(researcher: Client) -> None:
    slug = make_study(4).slug
    no_charts = (
        "1/nothing.svg",
        "nothing.svg",
        "1/thresholds.gif",
        "0/thresholds.svg",
        "2/thresholds.svg",
        "pairs.svg",
    )
    for path in no_charts:
        assert researcher.get(f"/studies/{slug}/results/charts/{path}").status_code == 404, path


def test_charts_are_for_researchers_only(client: Client) -> None:
    response = client.get(f"/studies/{make_study(4).slug}/results/charts/1/thresholds.svg")
    assert (response.status_code, response["Location"].split("?")[0]) == (302, "/sign-in/")
