import csv
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from survey_site.entrance.invitations import (
    CODE_LENGTH,
    InvalidInvitation,
    State,
    TooManyInvitations,
    as_csv,
    as_spoken,
    create_invitations,
    invitation_of,
    listed,
    notes_in,
)
from survey_site.entrance.raters import enter_study
from survey_site.models import CLEAR_LETTERS, Invitation, Rater, Study
from tests.factories import make_study

pytestmark = pytest.mark.django_db


@pytest.fixture
def study() -> Study:
    return make_study(design={"entry": {"way": "invited"}})


def test_codes_are_long_and_of_letters_that_nobody_takes_for_one_another(study: Study) -> None:
    codes = {invitation.code for invitation in create_invitations(study, 200)}
    assert len(codes) == 200
    assert {len(code) for code in codes} == {CODE_LENGTH}
    assert set("".join(codes)) <= set(CLEAR_LETTERS)
    assert not set("il1o0") & set(CLEAR_LETTERS)
    # 12 letters out of 31: 59 bits.
    assert len(CLEAR_LETTERS) ** CODE_LENGTH > 2**59


def test_notes_go_to_the_first_codes_in_their_order(study: Study) -> None:
    made = create_invitations(study, 3, notes=["row 1", "row 2"])
    assert [invitation.note for invitation in made] == ["row 1", "row 2", ""]
    assert list(study.invitations.values_list("note", flat=True)) == ["row 1", "row 2", ""]


@pytest.mark.parametrize("n", [0, -1, 5001])
def test_as_many_as_make_no_sense_are_refused(study: Study, n: int) -> None:
    with pytest.raises(TooManyInvitations, match="Between 1 and 5000"):
        create_invitations(study, n)
    assert not Invitation.objects.exists()


def test_more_notes_than_invitations_are_refused(study: Study) -> None:
    with pytest.raises(TooManyInvitations, match="2 notes for 1 invitations"):
        create_invitations(study, 1, notes=["one", "two"])
    assert not Invitation.objects.exists()


def test_a_pasted_list_is_one_note_a_line() -> None:
    assert notes_in(" Ada \r\n\r\nGrace\n  ") == ["Ada", "Grace"]


@pytest.mark.parametrize("typed", ["{}", " {} ", "{}".upper(), "{}\n"])
def test_a_code_is_known_however_it_is_typed(study: Study, typed: str) -> None:
    [invitation] = create_invitations(study, 1)
    code = as_spoken(invitation.code)
    assert code.count("-") == 2
    for said in (code, code.upper(), code.replace("-", " "), invitation.code):
        assert invitation_of(study, typed.format(said)) == invitation


def test_unknown_foreign_and_empty_codes_are_refused_alike(study: Study) -> None:
    [foreign] = create_invitations(make_study(arms=("x", "y"), design={"entry": {"way": "invited"}}), 1)
    create_invitations(study, 1)
    sentences = set()
    for code in (foreign.code, "a" * CODE_LENGTH, "", "---", "%", "é"):
        with pytest.raises(InvalidInvitation) as refusal:
            invitation_of(study, code)
        sentences.add(str(refusal.value))
    assert len(sentences) == 1


def test_the_list_says_what_became_of_each(study: Study) -> None:
    made = create_invitations(study, 4, notes=["later", "there", "done", "gone"])
    for invitation in made[1:]:
        enter_study(study, invitation=invitation)
    for invitation, outcome in zip(made[2:], ("complete", "no_consent"), strict=True):
        Rater.objects.filter(invitation=invitation).update(outcome=outcome, ended_at=timezone.now())
    states = {row.note: row.state for row in listed(study)}
    assert states == {
        "later": State.UNUSED,
        "there": State.ENTERED,
        "done": State.COMPLETE,
        "gone": State.ENDED,
    }


def test_listing_many_costs_as_much_as_listing_few(study: Study) -> None:
    create_invitations(study, 300)
    with CaptureQueriesContext(connection) as queries:
        assert len(listed(study)) == 300
    assert len(queries) == 1


def test_the_table_has_a_link_for_each_and_nothing_that_a_spreadsheet_computes(study: Study) -> None:
    made = create_invitations(study, 2, notes=['=HYPERLINK("https://evil.example")', 'Ada, "the first"'])
    table = list(csv.DictReader(StringIO(as_csv(listed(study), site="https://study.example.org"))))
    assert table[0]["note"].startswith("'=")
    assert table[1]["note"] == 'Ada, "the first"'
    assert table[1]["link"] == f"https://study.example.org/rate/{study.slug}/?code={as_spoken(made[1].code)}"
    assert table[1]["state"] == "unused"


def test_the_link_of_the_list_lets_in_and_the_second_time_it_is_the_same_rater(study: Study) -> None:
    create_invitations(study, 1)
    [row] = listed(study)
    for _device in range(2):
        client = Client()
        page = client.get(row.path)
        assert page.status_code == 200
        assert row.code in page.content.decode()
        assert client.post(f"{study.rating_path}enter/", {"code": row.code}).status_code == 302
    assert Rater.objects.count() == 1
    assert listed(study)[0].state is State.ENTERED


def run(*arguments: str) -> list[dict[str, str]]:
    out = StringIO()
    call_command("invitations", *arguments, stdout=out, stderr=StringIO())
    return list(csv.DictReader(StringIO(out.getvalue())))


def test_the_command_makes_and_lists(study: Study, tmp_path: Path) -> None:
    assert len(run(study.slug, "--create", "3", "--site", "https://study.example.org/")) == 3
    (tmp_path / "notes.txt").write_text("Ada\n\nGrace\n")
    rows = run(study.slug, "--notes", str(tmp_path / "notes.txt"))
    assert [row["note"] for row in rows] == ["", "", "", "Ada", "Grace"]
    assert run(study.slug) == rows


def test_the_command_says_what_is_wrong(study: Study, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("\n")
    (tmp_path / "bytes.txt").write_bytes(b"\xff\xfe\x00")
    for arguments, sentence in (
        (("nowhere",), "There is no study 'nowhere'"),
        ((study.slug, "--create", "9999"), "Between 1 and 5000"),
        ((study.slug, "--notes", str(tmp_path / "missing.txt")), "No such file"),
        ((study.slug, "--notes", str(tmp_path / "empty.txt")), "holds no notes"),
        ((study.slug, "--notes", str(tmp_path / "bytes.txt")), "is no UTF-8 text"),
    ):
        with pytest.raises(CommandError, match=sentence):
            run(*arguments)
    assert not Invitation.objects.exists()


def test_the_command_says_when_codes_have_no_effect() -> None:
    err = StringIO()
    call_command("invitations", make_study().slug, "--create", "1", stdout=StringIO(), stderr=err)
    assert "does not ask for an invitation" in err.getvalue()
