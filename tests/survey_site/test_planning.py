"""The planning page and its command: one answer, from defaults or from a pilot, and one sentence where it cannot be."""

import io
import json
import re
import shlex
from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from analysis.precision import Components, components_of
from analysis.simulation import SimulatedDesign, simulate
from analysis.vote_file import write_columns
from survey_site.logs.imports import import_votes
from survey_site.logs.vote_logs import votes_of
from survey_site.models import Study
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

PILOT = SimulatedDesign(groups=30, complete_raters=9, partial_raters=0)


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "pilot.csv"
    columns = simulate(PILOT, rng=np.random.default_rng(1)).columns()
    with path.open("w") as stream:
        write_columns(columns, stream)
    return path


@pytest.fixture
def pilot(table: Path) -> Study:
    return import_votes(table, title="A pilot")


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("plan_study", *words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


def page_of(client: Client, **entries: object) -> str:
    return unescape(client.get("/planning/", entries).content.decode())


def answer_on(page: str) -> str:
    found = re.search(r'<p class="headline"[^>]*>(.*?)</p>', page)
    assert found
    return found[1]


def command_on(page: str) -> list[str]:
    found = re.search(r'<input id="planning-command" value="(.*?)" readonly', page)
    assert found
    return shlex.split(found[1])[2:]


# --- the page ---


def test_strangers_are_asked_to_sign_in(client: Client) -> None:
    assert client.get("/planning/").status_code == 302


def test_the_page_answers_before_anything_is_asked(researcher: Client) -> None:
    page = page_of(researcher)
    assert answer_on(page) == (
        "To find a difference of 8 points with 80 % power on 200 pairs, ask 30 raters: 6,000 votes, 200 from each."
    )
    assert '<svg role="img" aria-label="Power for a difference of 8.0 points' in page
    assert 'href="/planning/" aria-current="page"' in page


def test_the_page_shows_a_cell_for_every_raters_and_pairs(researcher: Client) -> None:
    page = page_of(researcher, raters=25)
    rows = re.findall(r'<th scope="row">(\d+)</th>', page)
    assert rows == ["8", "12", "16", "25", "40", "60", "100"]
    assert [f"{pairs} pairs</th>" in page for pairs in (50, 100, 200, 400, 800)] == [True] * 5
    assert page.count("is-here") == 1


def test_an_address_holds_the_wish(researcher: Client) -> None:
    answer = answer_on(page_of(researcher, difference="5", power="90", pairs="400", raters="40", judged="50 %"))
    assert answer.startswith("400 pairs and 40 raters (8,000 votes, 200 from each) find a difference of 5 points")
    assert "the smallest that is found with 90 %" in answer


@pytest.mark.parametrize(
    ("entries", "sentences"),
    [
        ({"difference": "x"}, ["This is no number; write one such as 8."]),
        ({"difference": ""}, ["Give a number such as 8."]),
        ({"difference": "nan"}, ["This is no number; write one such as 8."]),
        ({"pairs": "1.5"}, ["This is no whole number; write one such as 200."]),
        ({"pairs": "1"}, ["Give from 2 to 1,000,000 pairs; 200 is usual."]),
        ({"power": "100"}, ["The power must be from 50 to 99.9 %; 80 is usual."]),
        ({"judged": "201"}, ["A rater can judge from 1 to all 200 pairs; there are no more."]),
        ({"pilot": "nowhere"}, ["“nowhere” is no study with votes; choose one of the list."]),
        ({"purpose": "fame"}, ["fame is not one of the available choices"]),
        (
            {"alpha": "50", "raters": "1", "judged": "half", "same": "99"},
            [
                "The significance level must be",
                "Give from 2 to 100,000 raters",
                "'half' is neither",
                "share of Same must",
            ],
        ),
    ],
)
def test_what_cannot_be_planned_for_is_said_at_its_field(
    entries: dict[str, str], sentences: list[str], researcher: Client
) -> None:
    page = page_of(researcher, **entries)
    assert "This cannot be planned for." in page
    for sentence in sentences:
        assert len(re.findall(rf'<ul class="errorlist"[^>]*><li>[^<]*{re.escape(sentence)}', page)) == 1
    assert page.count('<ul class="errorlist"') == len(sentences)
    assert "<svg role" not in page


def test_what_was_typed_stays_where_it_was_typed(researcher: Client) -> None:
    assert 'value="<b>half</b>"' in page_of(researcher, judged="<b>half</b>")
    assert "<b>half" not in researcher.get("/planning/", {"judged": "<b>half</b>"}).content.decode()


@pytest.mark.parametrize(
    ("entries", "warning"),
    [
        ({"raters": 7}, "Below 8 raters there is no valid two-way inference"),
        ({"pairs": 19}, "Below 20 pairs there is no valid two-way inference"),
        ({"raters": 20, "purpose": "table"}, "the threshold table looks more decided than people are"),
    ],
)
def test_shaky_designs_are_warned_of(entries: dict[str, Any], warning: str, researcher: Client) -> None:
    assert re.search(f'<p class="message warning">[^<]*{warning}', page_of(researcher, **entries))


def test_a_pilots_own_variances_are_used(researcher: Client, pilot: Study) -> None:
    components = components_of(votes_of(pilot))
    assert isinstance(components, Components)
    page = page_of(researcher, raters=25, pilot=pilot.slug)
    for part in (components.pair, components.rater, components.vote):
        assert f"{part:.2g}" in page
    assert "as in the study A pilot, in which programs voted: 30 pairs" in page
    assert answer_on(page) != answer_on(page_of(researcher, raters=25))


def test_only_studies_with_votes_can_be_pilots(researcher: Client, pilot: Study) -> None:
    empty = make_study()
    page = page_of(researcher)
    assert f'<option value="{pilot.slug}">A pilot (270 votes, simulated)</option>' in page
    assert empty.slug not in page


def test_a_pilot_that_tells_nothing_is_refused_in_a_sentence(researcher: Client) -> None:
    study = make_study(4)
    rate(make_rater(study))
    page = page_of(researcher, pilot=study.slug)
    assert "This study cannot be the pilot: one rater's votes say nothing about how raters differ" in page


def test_the_page_asks_a_fixed_number_of_questions(
    researcher: Client, pilot: Study, django_assert_num_queries: Any
) -> None:
    # Session, user, studies with votes.
    with django_assert_num_queries(3):
        researcher.get("/planning/")


# --- the command ---


@pytest.mark.parametrize(
    "entries",
    [
        {},
        {"raters": "25", "judged": "40"},
        {"difference": "4.5", "power": "90", "alpha": "1", "pairs": "500", "judged": "50 %", "same": "40"},
        {"purpose": "table", "pilot": "a-pilot"},
    ],
)
def test_the_command_on_the_page_gives_the_pages_answer(
    entries: dict[str, str], researcher: Client, pilot: Study
) -> None:
    page = page_of(researcher, **entries)
    lines = run(*command_on(page)).splitlines()
    assert lines[0] == answer_on(page)
    assert f"<p>{lines[1]}</p>" in page


def test_a_vote_table_and_its_study_are_the_same_pilot(table: Path, pilot: Study) -> None:
    of_file, of_study = (
        json.loads(run("--pilot", source, "--json"))["components"] for source in (str(table), pilot.slug)
    )
    assert of_file.pop("source") == "the pilot pilot.csv"
    assert of_study.pop("source") == "the study A pilot, in which programs voted"
    assert of_file == of_study


def test_the_json_holds_the_wish_the_answer_and_the_table() -> None:
    planning = json.loads(run("--difference", "8", "--power", "0.8", "--pairs", "200", "--raters", "25", "--json"))
    assert planning["wish"]["difference"] == 0.08
    assert planning["outlook"]["se"] == pytest.approx(0.0282842712)
    assert planning["fewest_raters"] == 30
    assert [len(row) for row in planning["table"]] == [5] * 7


def test_powers_and_levels_may_be_shares_or_per_cent() -> None:
    assert run("--power", "0.9", "--alpha", "0.01") == run("--power", "90", "--alpha", "1%")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--pilot", "nowhere"], "There is no study 'nowhere'"),
        (["--pilot", "nowhere.csv"], "Cannot read nowhere.csv: No such file"),
        (["--judged", "half"], "'half' is neither a number of pairs nor a share"),
        (["--power", "much"], "'much' is no share"),
        (["--difference", "0"], "The difference must be from 0.1 to 100 points"),
    ],
)
def test_the_command_refuses_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=re.escape(sentence)):
        run(*words)


def test_a_broken_pilot_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "pilot.csv"
    path.write_text("pair_id,class_label,rater_id,left_arm,choice,response_ms\np1,hen,r1,vanilla,middle,900\n")
    with pytest.raises(CommandError, match="cannot be the pilot: line 2"):
        run("--pilot", str(path))
