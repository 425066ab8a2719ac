"""The complete log as files, from the page and from the command."""

import csv
import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from survey_site.logs.answer_files import LINES_AT_ONCE, PWCMP_COLUMNS, answer_file, columns_file, pwcmp_rows
from survey_site.logs.answer_logs import MEANINGS, Answer, answers
from survey_site.models import Study, Trial, Vote
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db


def vote(study: Study, choice: str, *, swapped: bool = False, n: int = 0, **facts: object) -> Vote:
    rater, comparison = make_rater(study), study.comparisons.normal().order_by("position")[n]
    trial = Trial.objects.create(
        rater=rater, comparison=comparison, position=0, swapped=swapped, expires_at=rater.created_at
    )
    return Vote.objects.create(trial=trial, choice=choice, **facts)


def read(study: Study) -> list[dict[str, str]]:
    return list(csv.DictReader(StringIO("".join(answer_file(study, "csv")))))


def pwcmp(study: Study) -> list[tuple[object, ...]]:
    return list(pwcmp_rows(answers(study)))


def test_csv_has_a_line_a_vote_with_yes_and_no_and_nothing_for_what_is_not_known() -> None:
    study = make_study(1)
    first = vote(study, "left", response_ms=1200)
    Vote.objects.create(trial=first.trial, choice="right", replaces=first)
    opening, later = read(study)
    assert tuple(opening) == Answer._fields
    assert (opening["counts"], later["counts"]) == ("no", "yes")
    assert (opening["replaces"], later["replaces"]) == ("", "1")
    assert (opening["late"], opening["response_ms"], opening["strength"]) == ("no", "1200", "")
    assert opening["voted_at"] == first.created_at.isoformat()


@pytest.mark.parametrize("words", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "'quoted"])
def test_csv_keeps_spreadsheets_from_computing_a_reason(words: str) -> None:
    study = make_study(1)
    vote(study, "left", reason=words)
    assert read(study)[0]["reason"] == f"'{words}"
    (line,) = "".join(answer_file(study, "jsonl")).splitlines()
    assert json.loads(line)["reason"] == words


@pytest.mark.parametrize("words", ["sharper", 'says "ball", twice', "two\nlines", "ünïcödé, 画像", "a = b"])
def test_csv_keeps_other_reasons_as_they_are(words: str) -> None:
    study = make_study(1)
    vote(study, "left", reason=words)
    assert read(study)[0]["reason"] == words


def test_json_lines_hold_the_same_rows_with_types() -> None:
    study = make_study(3)
    rate(make_rater(study))
    vote(study, "same", reason="two\nlines")
    lines = "".join(answer_file(study, "jsonl")).splitlines()
    rows = [json.loads(line) for line in lines]
    assert [list(row) for row in rows] == [list(Answer._fields)] * 4
    assert [row["pair_id"] for row in rows] == [row["pair_id"] for row in read(study)]
    assert rows[0]["counts"] is True
    assert rows[0]["propensity"] is None
    assert rows[0]["response_ms"] == 1000


def test_a_file_comes_in_pieces_of_many_lines() -> None:
    n = LINES_AT_ONCE + 3
    study = make_study(n)
    rater = make_rater(study)
    trials = Trial.objects.bulk_create(
        Trial(rater=rater, comparison=pair, position=pair.position, swapped=False, expires_at=rater.created_at)
        for pair in study.comparisons.all()
    )
    Vote.objects.bulk_create(Vote(trial=trial, choice="left") for trial in trials)
    for form, heads in (("csv", 1), ("jsonl", 0)):
        pieces = list(answer_file(study, form))
        assert max(piece.count("\n") for piece in pieces) <= LINES_AT_ONCE + heads
        assert sum(piece.count("\n") for piece in pieces) == n + heads


def test_an_empty_log_is_its_header() -> None:
    study = make_study(1)
    assert "".join(answer_file(study, "csv")) == ",".join(Answer._fields) + "\r\n"
    assert "".join(answer_file(study, "jsonl")) == ""
    assert "".join(answer_file(study, "pwcmp")) == ",".join(PWCMP_COLUMNS) + "\r\n"


def test_the_columns_file_says_what_each_holds() -> None:
    assert list(csv.reader(StringIO("".join(columns_file()))))[1:] == [list(entry) for entry in MEANINGS.items()]


def test_pwcmp_has_the_left_arm_as_condition_a() -> None:
    study = make_study(2)
    first, second = vote(study, "left", n=0), vote(study, "left", n=1, swapped=True)
    groups = {answer.pair_id: answer.group_id for answer in answers(study)}
    assert pwcmp(study) == [
        (first.trial.rater.code.hex, 1, groups[first.trial.comparison.pair_id], "robust", "vanilla", 1),
        (second.trial.rater.code.hex, 1, groups[second.trial.comparison.pair_id], "vanilla", "robust", 1),
    ]
    vote(study, "right", n=0)
    assert pwcmp(study)[-1][3:] == ("robust", "vanilla", 0)


def test_pwcmp_gives_every_second_same_to_each_arm_on_whichever_side_it_stood() -> None:
    study = make_study(1)
    for swapped in (False, True, True, False, True, True):
        vote(study, "same", swapped=swapped)
    selected = [a if is_a else b for *_, a, b, is_a in pwcmp(study)]
    assert selected == ["robust", "vanilla"] * 3


def test_pwcmp_splits_same_for_each_two_arms_by_themselves() -> None:
    study = make_study(2, arms=("x", "y", "z"))
    for n in range(6):
        vote(study, "same", n=n)
    selected = {}
    for *_, a, b, is_a in pwcmp(study):
        selected.setdefault((a, b), set()).add(a if is_a else b)
    assert selected == {("x", "y"): {"x", "y"}, ("x", "z"): {"x", "z"}, ("y", "z"): {"y", "z"}}


def test_pwcmp_has_only_normal_answers_that_count_to_the_studys_own_question() -> None:
    study = make_study(1)
    first = vote(study, "left")
    Vote.objects.create(trial=first.trial, choice="right", replaces=first)
    Vote.objects.create(trial=first.trial, choice="left", question="alignment")
    again = Trial.objects.create(
        rater=first.trial.rater,
        comparison=first.trial.comparison,
        kind="repeat",
        repeat_no=1,
        position=1,
        swapped=True,
        expires_at=first.created_at,
    )
    Vote.objects.create(trial=again, choice="left")
    assert [row[-1] for row in pwcmp(study)] == [0]


PATHS = ("answers.csv", "answers.jsonl", "pwcmp.csv")


@pytest.mark.parametrize("path", PATHS)
def test_only_researchers_get_a_studys_log(path: str, client: Client, admin_client: Client) -> None:
    study = make_study(2)
    rate(make_rater(study))
    address = f"/studies/{study.slug}/{path}"
    assert client.get(address).status_code == 302
    assert admin_client.post(address).status_code == 405
    response = admin_client.get(address)
    assert response.headers["Content-Disposition"] == f'attachment; filename="{study.slug}-{path}"'
    assert len(b"".join(response).decode().splitlines()) == 2 + path.endswith("csv")


def test_what_the_columns_hold_is_for_researchers_too(client: Client, admin_client: Client) -> None:
    assert client.get("/answers-columns.csv").status_code == 302
    assert b"".join(admin_client.get("/answers-columns.csv")).startswith(b"column,holds\r\nrow,")


def test_the_results_page_links_the_log_and_says_what_its_columns_hold(admin_client: Client) -> None:
    study = make_study(2)
    rate(make_rater(study))
    page = admin_client.get(f"/studies/{study.slug}/results/").content.decode()
    for address in (*(f"/studies/{study.slug}/{path}" for path in PATHS), "/answers-columns.csv"):
        assert f'href="{address}"' in page


@pytest.mark.parametrize("form", ["csv", "jsonl", "pwcmp"])
def test_the_command_writes_what_the_page_hands_out(form: str, tmp_path: Path) -> None:
    study = make_study(2)
    rate(make_rater(study))
    out, printed = tmp_path / "log", StringIO()
    call_command("answers", study.slug, format=form, output=out)
    call_command("answers", study.slug, format=form, stdout=printed)
    assert out.read_bytes().decode() == printed.getvalue() == "".join(answer_file(study, form))
    assert list(tmp_path.glob(".log*")) == []


def test_the_command_says_what_it_cannot_do(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no study 'nothing'"):
        call_command("answers", "nothing")
    with pytest.raises(CommandError, match=r"Cannot write .*missing/log: No such file or directory"):
        call_command("answers", make_study(1).slug, output=tmp_path / "missing" / "log")


def test_the_results_page_says_whether_arms_were_drawn_by_what_a_vote_would_tell(admin_client: Client) -> None:
    arms = ("w", "x", "y", "z")
    active = make_study(2, arms=arms, design={"order": {"sampling": "active", "exploration": 0.3}})
    says = [
        "drawn by expected information gain, 30" in admin_client.get(f"/studies/{study.slug}/results/").content.decode()
        for study in (active, make_study(2, arms=arms))
    ]
    assert says == [True, False]
