"""The command `study_design`: a design shown, checked and set from a file."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from survey_site.design.design_files import as_toml
from survey_site.design.designs import Design, Entry, Order, Page
from survey_site.models import Study
from survey_site.studies import open_study
from tests.factories import make_draft

pytestmark = pytest.mark.django_db

FULL = Design(entry=Entry(raters_wanted=30), order=Order(trials_per_rater=3), page=Page(strength=True, language="de"))


@pytest.fixture
def draft() -> Study:
    return make_draft(6)


def stored(study: Study) -> Design:
    return Study.objects.get(pk=study.pk).how


def printed(*arguments: str) -> str:
    out = StringIO()
    call_command("study_design", *arguments, stdout=out)
    return out.getvalue()


def test_the_command_shows_checks_and_sets(draft: Study, tmp_path: Path) -> None:
    path = tmp_path / "full.toml"
    path.write_text(as_toml(FULL))
    assert "Who may rate: Anyone with the link." in printed(draft.slug)
    assert FULL.sha256 in printed(draft.slug, "--check", str(path))
    assert stored(draft) == Design()
    said = json.loads(printed(draft.slug, "--set", str(path), "--json"))
    assert stored(draft) == FULL
    assert (said["sha256"], said["frozen_sha256"]) == (FULL.sha256, "")
    assert said["size"]["comparisons"] == 6
    assert Design.of(said["design"]) == FULL
    assert printed(draft.slug, "--toml") == as_toml(FULL)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("[order]\nbreak_after = 0", "order.break_after: must be at least 1"),
        ('[order]\npairing = "baseline"\nbaseline = "nobody"', "order.baseline"),
        ('[[checks.gold]]\nimage_a = 999\nimage_b = 998\nexpected = "a"', "the images of 1 pair"),
        (None, "Cannot read"),
    ],
)
def test_the_command_refuses_with_a_sentence_and_changes_nothing(
    draft: Study, tmp_path: Path, toml: str | None, sentence: str
) -> None:
    path = tmp_path / "design.toml"
    if toml is not None:
        path.write_text(toml)
    for act in ("--check", "--set"):
        with pytest.raises(CommandError, match=sentence):
            printed(draft.slug, act, str(path))
    assert stored(draft) == Design()


def test_the_command_sets_no_open_study(draft: Study, tmp_path: Path) -> None:
    path = tmp_path / "full.toml"
    path.write_text(as_toml(Design.of({"page": {"strength": True}})))
    study = open_study(draft)
    assert f"sha256 {study.design_sha256} (frozen)" in printed(study.slug)
    with pytest.raises(CommandError, match="frozen when it opens"):
        printed(study.slug, "--set", str(path))
    with pytest.raises(CommandError, match="There is no study 'nowhere'"):
        printed("nowhere")
