"""A study's results bundle: downloaded or written by a command, and confirmed without its database."""

import hashlib
import io
import json
import zipfile
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from analysis import Report
from analysis.bundles import BundledStudy, verify_bundle, write_bundle
from analysis.plan import Plan, Stopping, StoppingRule
from analysis.vote_file import read_columns
from survey_site.bundles import bundled_study
from survey_site.models import Study
from survey_site.plans import change_plan
from survey_site.results import study_report
from survey_site.studies import create_study, open_study
from tests.factories import make_batch, make_rater, make_study, rate

TABLE_2 = Path(__file__).parent.parent / "data" / "table2_votes.csv"
WITH_GOLD = """\
pair_id,class_label,group_id,rater_id,left_arm,right_arm,choice,response_ms,gold_arm,simulated
p1,cat,g1,ann,x,y,left,900,,yes
g,cat,h1,ann,x,y,left,800,x,yes
p2,cat,g2,ann,y,x,same,,,yes
twin,cat,h2,bob,x,x,same,700,same,yes
p1,cat,g1,bob,y,x,right,1200,,yes
p2,cat,g2,bob,x,y,right,1500,,yes
"""


def run(*words: str) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command(*words, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def imported(text: str, folder: Path) -> Study:
    (folder / "votes.csv").write_text(text)
    return Study.objects.get(slug=run("import_votes", str(folder / "votes.csv"))[0].splitlines()[-1])


def bundled(study: Study, path: Path) -> Report:
    """The bundle without its figures, which take seconds to draw."""
    return write_bundle(path, bundled_study(study), draws=lambda report: [])


def member(path: Path, name: str) -> str:
    with zipfile.ZipFile(path) as archive:
        return archive.read(name).decode()


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


@pytest.mark.django_db
def test_the_published_table_is_downloaded_as_a_bundle_that_confirms_itself(researcher: Client, tmp_path: Path) -> None:
    slug = run("import_votes", str(TABLE_2), "--title", "Table 2")[0].splitlines()[-1]
    response = researcher.get(f"/studies/{slug}/results/bundle.zip")
    assert response["Content-Disposition"] == 'attachment; filename="table-2-results.zip"'
    (tmp_path / "b.zip").write_bytes(b"".join(response.streaming_content))
    assert verify_bundle(tmp_path / "b.zip").is_equal
    report = json.loads(member(tmp_path / "b.zip", "report.json"))
    assert report == researcher.get(f"/studies/{slug}/results.json").json()
    # Kawar et al. (2023), Table 2, 80 %.
    assert list(report["threshold_table"]["80"]["percent"].values()) == [21.5, 8.5, 70.0]
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        names = archive.namelist()
        assert archive.read("figures/thresholds.svg").startswith(b"<svg")
        assert archive.read("figures/thresholds.pdf").startswith(b"%PDF")
    assert {name.rpartition(".")[0] for name in names if name.startswith("figures/")} >= {
        f"figures/{chart}" for chart in ("thresholds", "pairs", "classes", "monitor", "raters", "position", "times")
    }


@pytest.mark.django_db
def test_with_three_arms_each_pairings_charts_lie_in_a_folder_of_its_own(tmp_path: Path) -> None:
    study = make_study(2, arms=("a b", "b", "c"), slug="three")
    for choice in ("left", "right"):
        rate(make_rater(study), choice)
    run("results_bundle", "three", str(tmp_path / "three.zip"))
    with zipfile.ZipFile(tmp_path / "three.zip") as archive:
        folders = {name.split("/")[1] for name in archive.namelist() if name.endswith("/thresholds.svg")}
    assert folders == {"01-a-b-b", "02-a-b-c", "03-b-c"}
    comparisons = [line.split(",")[3:] for line in member(tmp_path / "three.zip", "comparisons.csv").splitlines()]
    assert [comparisons.count(two) for two in (["a b", "b"], ["a b", "c"], ["b", "c"])] == [2, 2, 2]
    assert verify_bundle(tmp_path / "three.zip").is_equal


@pytest.mark.django_db
def test_a_bundle_holds_the_frozen_plan_and_comparisons_that_nobody_judged(tmp_path: Path) -> None:
    plan = Plan(thresholds=("50", "75"), stopping=Stopping(rule=StoppingRule.NORMAL_MIXTURE, planned_raters=12))
    batch = make_batch(6)
    study = create_study(owner=None, title="balls", arms=list(batch.arms.all()), batches=[batch], question="Which?")
    study = open_study(change_plan(study, plan))
    rate(make_rater(study), times=2)
    report = bundled(study, tmp_path / "b.zip")
    assert (report.pairs, report.unjudged, report.votes, report.plan_is_fixed) == (6, 4, 2, True)
    assert report.as_json() == study_report(study).as_json()
    assert hashlib.sha256(member(tmp_path / "b.zip", "plan.json").encode()).hexdigest() == study.plan_sha256
    facts = json.loads(member(tmp_path / "b.zip", "study.json"))
    assert (facts["title"], facts["question"], facts["status"]) == ("balls", "Which?", "open")
    assert facts["plan_sha256"] == study.plan_sha256 == verify_bundle(tmp_path / "b.zip").plan_sha256
    assert len(member(tmp_path / "b.zip", "comparisons.csv").splitlines()) == 7


@pytest.mark.django_db
def test_a_study_without_votes_has_a_bundle_too(tmp_path: Path) -> None:
    report = bundled(make_study(3), tmp_path / "b.zip")
    assert report.votes == 0
    assert verify_bundle(tmp_path / "b.zip").is_equal


@pytest.mark.django_db
def test_gold_votes_and_the_simulated_label_are_in_the_bundle(tmp_path: Path) -> None:
    study = imported(WITH_GOLD, tmp_path)
    report = bundled(study, tmp_path / "b.zip")
    assert (report.gold_votes, report.simulated, report.votes) == (2, True, 4)
    assert report.as_json() == study_report(study).as_json()
    rows = [line.split(",") for line in member(tmp_path / "b.zip", "votes.csv").splitlines()]
    # pair, rater, left, right, choice, gold arm, simulated, outcome: in order of arrival
    assert [[row[at] for at in (0, 3, 4, 5, 6, 8, 9, 10)] for row in rows[1:]] == [
        ["p1", "ann", "x", "y", "left", "", "yes", "a"],
        ["g", "ann", "x", "y", "left", "x", "yes", "a"],
        ["p2", "ann", "y", "x", "same", "", "yes", "tie"],
        ["twin", "bob", "x", "x", "same", "same", "yes", "tie"],
        ["p1", "bob", "y", "x", "right", "", "yes", "a"],
        ["p2", "bob", "x", "y", "right", "", "yes", "b"],
    ]
    assert verify_bundle(tmp_path / "b.zip").is_equal


@pytest.mark.django_db
def test_raters_without_a_name_of_their_own_stand_under_their_codes(tmp_path: Path) -> None:
    study = make_study(2)
    rater = make_rater(study)
    rate(rater)
    report = bundled(study, tmp_path / "b.zip")
    assert {line.split(",")[3] for line in member(tmp_path / "b.zip", "votes.csv").splitlines()[1:]} == {rater.code.hex}
    assert report.as_json() == study_report(study).as_json()


@pytest.mark.django_db
def test_a_draft_has_nothing_to_bundle(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(1)
    study = create_study(owner=None, title="t", arms=list(batch.arms.all()), batches=[batch])
    response = researcher.get(f"/studies/{study.slug}/results/bundle.zip")
    assert (response.status_code, response.json()["error"]) == (409, "no_votes")
    with pytest.raises(CommandError, match="has no results: the log holds no votes"):
        run("results_bundle", study.slug, str(tmp_path / "b.zip"))
    assert not [*tmp_path.glob("*.zip*"), *tmp_path.glob(".*")]


@pytest.mark.django_db
def test_bundles_are_for_researchers(client: Client) -> None:
    assert "/sign-in/" in client.get(f"/studies/{make_study(1).slug}/results/bundle.zip")["Location"]


@pytest.mark.django_db
def test_a_bundle_of_nowhere_or_to_nowhere_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="There is no study 'nowhere'"):
        run("results_bundle", "nowhere", str(tmp_path / "b.zip"))
    study = make_study(1)
    with pytest.raises(CommandError, match=r"Cannot write .*: No such file or directory"):
        run("results_bundle", study.slug, str(tmp_path / "no" / "folder" / "b.zip"))


# --- without a database: these tests may not touch one ---


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    study = BundledStudy(read_columns(TABLE_2), plan=Plan(question="Which?"))
    write_bundle(tmp_path / "b.zip", study, draws=lambda report: [("a.svg", b"<svg/>")])
    return tmp_path / "b.zip"


def test_the_command_says_equal_and_what_it_compared(bundle: Path) -> None:
    out, _ = run("verify_bundle", str(bundle))
    assert out.splitlines()[0] == "equal"
    assert "from 5018 votes on 200 comparisons, digit by digit" in out
    assert Plan(question="Which?").sha256 in out


@pytest.mark.parametrize(
    ("name", "old", "new", "sentence"),
    [
        ("votes.csv", "right,11066,,,a", "left,11066,,,b", "votes.csv was changed"),
        ("plan.json", '"60"', '"65"', "plan.json was changed"),
        ("figures/a.svg", "<svg/>", "<svg />", "figures/a.svg was changed"),
        ("report.json", '"votes": 5018', '"votes": 5019', "report.json, votes: 5019 stands there, 5018 follows"),
        ("comparisons.csv", "\r\np088", "\r\nextra,cat,extra,robust,vanilla\r\np088", "comparisons.csv was changed"),
    ],
)
def test_the_command_names_what_was_changed_and_ends_with_1(
    bundle: Path, tmp_path: Path, name: str, old: str, new: str, sentence: str
) -> None:
    with zipfile.ZipFile(bundle) as archive, zipfile.ZipFile(tmp_path / "changed.zip", "w") as changed:
        for entry in archive.namelist():
            text = archive.read(entry).decode()
            assert entry != name or old in text
            changed.writestr(entry, text.replace(old, new, 1) if entry == name else text)
    with pytest.raises(CommandError) as refused:
        run("verify_bundle", str(tmp_path / "changed.zip"))
    assert refused.value.returncode == 1
    assert str(refused.value).splitlines()[0] == "different"
    assert sentence in str(refused.value)


def test_the_command_ends_with_2_where_there_is_no_whole_bundle(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("pair_id\n")
    for file, sentence in ((tmp_path / "b.zip", "is not a readable zip"), (tmp_path / "none.zip", "Cannot read")):
        with pytest.raises(CommandError, match=sentence) as refused:
            run("verify_bundle", str(file))
        assert refused.value.returncode == 2
