"""What raters of a live study with checks leave behind: an export that every reader takes, and filters that see it."""

import csv
import io
from collections import Counter
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from analysis import read_csv
from analysis.bundles import verify_bundle
from analysis.plan import Plan
from survey_site.bundles import write_study_bundle
from survey_site.design.designs import Design
from survey_site.drafts.design_changes import change_design
from survey_site.entrance.raters import finish_instructions
from survey_site.logs.exports import vote_rows
from survey_site.logs.imports import import_votes
from survey_site.logs.vote_logs import votes_of
from survey_site.models import Arm, Rater, Study, Trial, Vote
from survey_site.plans import change_plan
from survey_site.rater_lists import rater_rows
from survey_site.results import study_report
from survey_site.studies import close_study, create_study, open_study
from survey_site.voting.trials import lease_trials, queue_of, record_vote
from tests.factories import make_batch, make_rater, rate

pytestmark = pytest.mark.django_db

FILTER = "gold@1"


def study_with_checks(n_pairs: int = 16, *, practice: int = 0, **checks: object) -> Study:
    """Open a study whose plan leaves out who fails the checks, and one pair of two arms among its gold pairs."""
    batch = make_batch(n_pairs)
    draft = create_study(owner=None, title="robust or not?", arms=list(batch.arms.all()), batches=[batch])
    one, other = batch.images.filter(seed=0).order_by("arm__name")
    gold = [{"image_a": one.pk, "image_b": other.pk, "expected": "b"}]
    design = {"checks": {"per_block": 4, "gold": gold, **checks}, "welcome": {"practice": practice}}
    change_design(draft, Design.of(design))
    return open_study(change_plan(draft, Plan(filters=(FILTER,))))


def answer_attentively(rater: Rater) -> None:
    """Answer everything: checks rightly, all else for the arm first by name."""
    queue = lease_trials(rater)
    while queue.trials:
        trial = queue.trials[0]
        record_vote(trial, right_answer(trial), response_ms=1500, key=uuid4())
        queue = queue_of(rater)


def right_answer(trial: Trial) -> str:
    comparison = trial.comparison
    if comparison.expected == "tie":
        return "same"
    return "left" if (comparison.expected == "b") == trial.swapped else "right"


def table_of(study: Study) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text_of(study))))


def text_of(study: Study) -> str:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows(vote_rows(study))
    return stream.getvalue()


def test_a_live_study_has_checks_in_its_export_but_neither_practice_nor_repeats() -> None:
    study = study_with_checks(practice=2)
    answer_attentively(finish_instructions(make_rater(study)))
    asked = Counter(Trial.objects.values_list("kind", "comparison__kind"))
    assert {kind for kind, _ in asked} == {"normal", "gold", "repeat", "practice"}
    rows = table_of(study)
    gold = [row for row in rows if row["gold_arm"]]
    assert len(rows) - len(gold) == asked["normal", "normal"] == 16
    assert len(gold) == asked["gold", "gold"] + asked["gold", "identical"]
    assert len([row for row in gold if row["gold_arm"] == "same"]) == asked["gold", "identical"]
    # Checks, repeats and practice move no counter.
    call_command("recount", "--check", stdout=io.StringIO())


def test_every_gold_row_tells_which_of_its_two_sides_is_right() -> None:
    study = study_with_checks()
    answer_attentively(make_rater(study))
    for row in table_of(study):
        if row["gold_arm"] not in {"", "same"}:
            sides = {row["left_arm"]: "left", row["right_arm"]: "right"}
            assert len(sides) == 2
            assert row["choice"] == sides[row["gold_arm"]]


def test_a_gold_pair_of_one_arm_names_its_wrong_image_so() -> None:
    study = study_with_checks(kinds=["gold"])
    # One rater's checks need not hold the one pair of two arms.
    for _ in range(8):
        answer_attentively(make_rater(study))
    shown = {frozenset((row["left_arm"], row["right_arm"])) for row in table_of(study) if row["gold_arm"]}
    assert shown == {
        frozenset(("robust", "robust (wrong)")),
        frozenset(("vanilla", "vanilla (wrong)")),
        frozenset(("robust", "vanilla")),
    }


def test_an_arm_of_the_longest_name_still_fits_when_its_wrong_image_is_read_back(tmp_path: Path) -> None:
    study = study_with_checks(kinds=["gold"])
    Arm.objects.filter(name="robust").update(name="r" * 60)
    answer_attentively(make_rater(study))
    (tmp_path / "votes.csv").write_text(text_of(study))
    imported = import_votes(tmp_path / "votes.csv")
    assert all(len(image.arm.name) <= 60 for image in imported.batches.get().images.select_related("arm"))


def test_an_export_with_checks_is_read_back_by_analyse_and_by_import(tmp_path: Path) -> None:
    study = study_with_checks()
    answer_attentively(make_rater(study))
    rate(make_rater(study), "left")
    (tmp_path / "votes.csv").write_text(text_of(study))
    logs = [votes_of(study), read_csv(tmp_path / "votes.csv"), votes_of(import_votes(tmp_path / "votes.csv"))]
    assert logs[0].gold.seen.min() >= 4
    for log in logs:
        assert log.arms == ("robust", "vanilla")
        assert log.gold.seen.tolist() == logs[0].gold.seen.tolist()
        assert log.gold.right.tolist() == logs[0].gold.right.tolist()
        assert log.outcome.tolist() == logs[0].outcome.tolist()
        assert log.n_pairs == 16


def test_a_bundle_with_checks_proves_itself(tmp_path: Path) -> None:
    study = study_with_checks()
    answer_attentively(make_rater(study))
    rate(make_rater(study), "left")
    close_study(study)
    with (tmp_path / "bundle.zip").open("wb") as target:
        report = write_study_bundle(study, target)
    assert report.gold_votes > 8
    assert verify_bundle(tmp_path / "bundle.zip").is_equal


def test_the_plans_filter_leaves_out_who_failed_the_checks_and_nobody_else() -> None:
    study = study_with_checks()
    good, other = make_rater(study), make_rater(study)
    careless = make_rater(study)
    answer_attentively(good)
    answer_attentively(other)
    rate(careless, "left")
    flagged = [row.pk for row in rater_rows(study, only_flagged=True).rows]
    assert flagged == [careless.pk]
    # Flagged raters go on, and nothing of theirs is dropped on the way.
    assert careless.trials.filter(kind="normal", votes__isnull=False).count() == 16
    report = study_report(close_study(study))
    assert (report.screening.raters_left_out, report.screening.votes_left_out) == ((careless.code.hex,), 16)
    assert report.votes == 32
    effects = {effect.name: (effect.raters, effect.votes) for effect in report.screening.effects}
    assert effects["gold@1"] == (1, 16)
    assert effects["position_or_gold@1"] == (1, 16)


def test_the_results_page_names_whom_the_checks_left_out(client: Client) -> None:
    study = study_with_checks()
    for _ in range(2):
        answer_attentively(make_rater(study))
    careless = make_rater(study)
    rate(careless, "left")
    close_study(study)
    client.force_login(User.objects.create_user("researcher"))
    page = client.get(f"/studies/{study.slug}/results/").content.decode()
    assert "gold@1" in page
    assert careless.code.hex in page


def test_the_right_share_of_an_export_is_that_of_the_raters_page() -> None:
    study = study_with_checks()
    for choice in ("left", "right", "same"):
        rate(make_rater(study), choice)
    log, rows = votes_of(study), rater_rows(study).rows
    assert log.gold.seen.tolist() == [row.checks for row in rows]
    assert log.gold.right.tolist() == [row.checks_right for row in rows]
    assert len({row.checks_right for row in rows}) > 1


def test_answers_to_further_questions_are_no_rows() -> None:
    study = study_with_checks()
    rater = make_rater(study)
    rate(rater, "left", times=6)
    n, gold = len(table_of(study)), votes_of(study).gold.n
    Vote.objects.bulk_create(
        [Vote(trial=trial, question="realism", choice="right") for trial in rater.trials.filter(votes__isnull=False)]
    )
    assert (len(table_of(study)), votes_of(study).gold.n) == (n, gold)
