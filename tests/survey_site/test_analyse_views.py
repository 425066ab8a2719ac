"""The files of a results page: from the same report as the page."""

import csv
import io
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from survey_site.models import Study
from tests.factories import make_study

pytestmark = pytest.mark.django_db

FIXTURE = Path(__file__).parent.parent / "data" / "table2_votes.csv"
FILES = (
    "results.csv",
    "results.tex",
    "results.html",
    "results.json",
    "results/methods.txt",
    "results/references.bib",
)


@pytest.fixture
def slug() -> str:
    call_command("import_votes", str(FIXTURE), "--title", "Table 2", stdout=io.StringIO(), stderr=io.StringIO())
    return Study.objects.get().slug


@pytest.fixture
def researcher_client(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


def text(client: Client, slug: str, file: str) -> str:
    response = client.get(f"/studies/{slug}/{file}")
    assert response.status_code == 200
    assert "attachment" in response["Content-Disposition"]
    return response.content.decode()


def test_the_csv_has_every_table_and_agrees_with_the_json(slug: str, researcher_client: Client) -> None:
    lines = list(csv.DictReader(io.StringIO(text(researcher_client, slug, "results.csv"))))
    report = researcher_client.get(f"/studies/{slug}/results.json").json()
    shown = {
        (line["row"], line["figure"]): float(line["value"]) for line in lines if line["table"] == "threshold_table"
    }
    wanted = {
        (row, column): percent
        for row in report["thresholds"]
        for column, percent in report["threshold_table"][row]["percent"].items()
    }
    assert shown == wanted
    assert {"tests", "leaderboard", "agreement", "rater_quality"} <= {line["table"] for line in lines}


def test_the_latex_the_page_and_the_methods_hold_the_headline(slug: str, researcher_client: Client) -> None:
    report = researcher_client.get(f"/studies/{slug}/results.json").json()
    assert report["headline"] in text(researcher_client, slug, "results.html")
    assert "+8.0 points (95 % interval 1.7 to 14.3)" in text(researcher_client, slug, "results/methods.txt")
    assert r"+8.0 points (95 \% interval 1.7 to 14.3)" in text(researcher_client, slug, "results/methods.txt?as=latex")
    assert r"+8.0 {[1.7, 14.3]}" in text(researcher_client, slug, "results.tex")
    assert "@article{cameron2011robust," in text(researcher_client, slug, "results/references.bib")


@pytest.mark.parametrize("file", FILES)
def test_only_researchers_see_a_file(file: str, client: Client) -> None:
    study = make_study(2)
    response = client.get(f"/studies/{study.slug}/{file}")
    assert response.status_code == 302
    assert "/sign-in/" in response["Location"]


@pytest.mark.parametrize("file", FILES)
def test_a_study_without_votes_has_files_that_say_so(file: str, researcher_client: Client) -> None:
    study = make_study(2)
    assert "no" in text(researcher_client, study.slug, file)
