"""Vote tables that cannot be read are refused whole, with the line and the column."""

import io
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from generation.models import Arm, Batch
from survey_site.logs.imports import import_votes
from survey_site.models import Comparison, Study

pytestmark = pytest.mark.django_db

HEADER = "pair_id,class_label,rater_id,left_arm,choice,response_ms\n"


def refusal_of(text: str, tmp_path: Path) -> str:
    path = tmp_path / "votes.csv"
    path.write_text(text)
    with pytest.raises(CommandError) as refused:
        call_command("import_votes", str(path), stdout=io.StringIO(), stderr=io.StringIO())
    assert not Study.objects.exists()
    assert not Batch.objects.exists()
    assert not Arm.objects.exists()
    return str(refused.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nowhere\.csv.*No such file"):
        call_command("import_votes", str(tmp_path / "nowhere.csv"))


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    assert "rater_id" in refusal_of("pair_id,class_label,left_arm,choice,response_ms\n", tmp_path)


def test_an_unknown_choice_is_refused_by_line(tmp_path: Path) -> None:
    rows = "p1,hen,r1,vanilla,left,900\np1,hen,r2,robust,middle,900\n"
    message = refusal_of(HEADER + rows, tmp_path)
    assert "line 3" in message
    assert "middle" in message


def test_a_vote_given_twice_is_refused(tmp_path: Path) -> None:
    rows = "p1,hen,r1,vanilla,left,900\np1,hen,r1,robust,left,900\n"
    assert "r1" in refusal_of(HEADER + rows, tmp_path)


def test_three_arms_without_a_right_arm_column_are_refused(tmp_path: Path) -> None:
    rows = "p1,hen,r1,vanilla,left,900\np1,hen,r2,robust,left,900\np2,hen,r1,none,left,900\n"
    assert "right_arm" in refusal_of(HEADER + rows, tmp_path)


def test_three_arms_with_both_sides_named_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "pair_id,class_label,rater_id,left_arm,right_arm,choice,response_ms\n"
        "p1,hen,r1,vanilla,robust,left,900\n"
        "p2,hen,r1,none,robust,right,900\n"
        "p3,cat,r1,none,vanilla,same,\n"
    )
    study = import_votes(path)
    named = {c.pair_id: (c.image_a.arm.name, c.image_b.arm.name) for c in study.comparisons.all()}
    assert named == {"p1": ("robust", "vanilla"), "p2": ("none", "robust"), "p3": ("none", "vanilla")}


def test_left_when_swapped_counts_for_b(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(HEADER + "p1,hen,r1,vanilla,left,900\np1,hen,r2,robust,left,900\np1,hen,r3,vanilla,right,900\n")
    comparison = import_votes(path).comparisons.get()
    votes = [vote for trial in comparison.trials.order_by("pk") for vote in trial.votes.with_outcome()]
    assert [vote.outcome for vote in votes] == ["b", "a", "a"]
    assert (comparison.n_a_left, comparison.n_a_right) == (1, 2)


def test_two_files_of_one_name_get_two_slugs(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(HEADER + "p1,hen,r1,vanilla,left,900\np1,hen,r2,robust,left,900\n")
    assert [import_votes(path).slug, import_votes(path).slug] == ["votes", "votes-2"]
    assert Comparison.objects.count() == 2
