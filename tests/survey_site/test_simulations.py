"""Simulated raters vote through the real path, and what they touch says so wherever it shows."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from analysis import read_csv
from analysis.precision import Components, components_of
from analysis.simulated_designs import LazyRaters, SimulatedDesign
from analysis.simulated_panel import Shown, draw_panel
from survey_site.logs.imports import import_votes
from survey_site.logs.vote_logs import votes_of
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.simulations import PeopleHaveVoted, frame_of, simulate_votes
from survey_site.studies import StudyPaused, close_study, pause_study
from survey_site.voting.checks import expected_choice
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


def run(command: str, *words: str) -> str:
    out = io.StringIO()
    call_command(command, *words, stdout=out, stderr=io.StringIO(), verbosity=0)
    return out.getvalue()


def simulated(study: Study, **changes: object) -> list[Vote]:
    """Let two complete raters and one partial rater vote, unless told otherwise."""
    frame = frame_of(study)
    small = {"complete_raters": 2, "partial_raters": 1, "partial_votes": (2, 2), **changes}
    design = SimulatedDesign(arms=frame.arms, groups=frame.groups, **small)  # by name
    return list(simulate_votes(study, design, rng=np.random.default_rng(1)).votes)


# --- in a study ---


def test_a_panel_votes_as_often_as_its_design_says() -> None:
    study = make_study(6)
    assert len(simulated(study)) == 6 + 6 + 2
    assert sorted(rater.trials.filter(votes__isnull=False).count() for rater in study.raters.all()) == [2, 6, 6]


def test_simulated_votes_keep_the_counters_right() -> None:
    simulated(make_study(6, arms=("a", "b", "c"), votes_wanted=2))
    run("recount", "--check")


def test_nobody_votes_past_what_is_wanted() -> None:
    study = make_study(4, votes_wanted=2)
    simulated(study, complete_raters=5)
    assert [comparison.n_votes for comparison in study.comparisons.all()] == [2, 2, 2, 2]


def test_the_label_is_there_before_the_first_vote() -> None:
    study = make_study(4)
    frame = frame_of(study)
    about_to = simulate_votes(study, SimulatedDesign(frame.arms, frame.groups), rng=np.random.default_rng(1))
    assert Study.objects.get().is_simulated
    assert not Vote.objects.exists()
    next(about_to.votes)
    assert Vote.objects.count() == 1


def test_where_a_person_has_voted_no_program_does() -> None:
    study = make_study(4)
    rate(make_rater(study), times=1)
    with pytest.raises(PeopleHaveVoted, match="must not be mixed"):
        simulated(study)
    assert not Study.objects.get().is_simulated
    assert Vote.objects.count() == 1


def test_a_second_panel_may_join_the_first() -> None:
    study = make_study(4)
    simulated(study)
    simulated(study)
    names = list(study.raters.values_list("external_id", flat=True))
    assert names == [f"simulated-{number:03d}" for number in range(1, 7)]


def test_a_paused_study_takes_no_simulated_votes() -> None:
    study = pause_study(make_study(4))
    with pytest.raises(StudyPaused):
        frame_of(study)


def test_simulated_raters_prefer_the_arm_that_is_rated_higher() -> None:
    # Eight logits apart nobody who looks and does not say Same takes the worse arm, wherever it stands.
    study = make_study(10, arms=("worse", "xbetter"))
    votes = simulated(study, arm_logits=(-4.0, 4.0), pair_sd=0.0, rater_sd=0.0, same_share=0.0)
    assert {trial.swapped for trial in Trial.objects.all()} == {False, True}
    assert {vote.outcome for vote in Vote.objects.with_outcome()} == {"b"}
    assert len(votes) == 22


def test_raters_who_do_not_look_do_what_they_always_do() -> None:
    study = make_study(5)
    simulated(study, partial_raters=0, lazy=LazyRaters(always_same=1, one_side=1))
    chosen = [
        set(Vote.objects.filter(trial__rater=rater).values_list("choice", flat=True)) for rater in study.raters.all()
    ]
    assert sorted(chosen, key=str) in ([{"left"}, {"same"}], [{"right"}, {"same"}])


def test_a_panels_answers_spread_as_those_of_simulated_tables() -> None:
    rng = np.random.default_rng(4)
    design = SimulatedDesign(groups=150, complete_raters=20, partial_raters=0, net=0.08)
    panel = draw_panel(design, rng=rng)
    answers = {"left": 1, "right": -1, "same": 0}
    lines = [
        (rater, pair, answers[panel.answer(Shown(rater, pair, left=0, right=1), rng=rng)[0]])
        for rater in range(20)
        for pair in range(150)
    ]
    y = np.array([outcome for *_, outcome in lines], dtype=float).reshape(20, 150)
    assert y.mean() == pytest.approx(0.08, abs=0.1)
    assert (y == 0).mean() == pytest.approx(0.27, abs=0.03)
    # A variance component of 0.11 between pairs, on top of 0.65 / 20 from single votes.
    assert y.mean(axis=0).var() == pytest.approx(0.11 + 0.65 / 20, rel=0.35)


# --- the label ---


def test_a_simulated_study_says_so_to_researchers(researcher: Client) -> None:
    study = make_study(4)
    assert "simulated" not in researcher.get("/studies/").content.decode()
    simulated(study)
    assert ">simulated</span>" in researcher.get("/studies/").content.decode()
    assert "Simulated study." in researcher.get(f"/studies/{study.slug}/").content.decode()
    assert researcher.get(f"/studies/{study.slug}/results.json").json()["simulated"] is True


def test_a_person_who_comes_to_a_simulated_study_is_told_and_may_practise(client: Client) -> None:
    study = make_study(4)
    simulated(study)
    path = f"/rate/{study.slug}/"
    assert "Programs vote here too" in client.get(path).content.decode()
    client.post(f"{path}enter/")
    assert "Programs vote here too" in client.get(f"{path}trial/").content.decode()
    assert "Programs vote here too" in client.get(f"{path}thanks/").content.decode()
    close_study(study)
    assert "Programs vote here too" in client.get(path).content.decode()


def test_raters_of_other_studies_read_nothing_of_it(client: Client) -> None:
    study = make_study(4)
    client.post(f"/rate/{study.slug}/enter/")
    for page in ("", "trial/", "thanks/"):
        assert "Programs vote" not in client.get(f"/rate/{study.slug}/{page}", follow=True).content.decode()


# --- files ---


def exported(researcher: Client, study: Study) -> str:
    return b"".join(researcher.get(f"/studies/{study.slug}/votes.csv").streaming_content).decode()


def test_exports_say_of_each_vote_whether_a_program_gave_it(researcher: Client) -> None:
    study, other = make_study(4), make_study(4)
    simulated(study)
    rate(make_rater(other), times=1)
    for slug, label in ((study, "yes"), (other, "no")):
        assert {row["simulated"] for row in csv.DictReader(io.StringIO(exported(researcher, slug)))} == {label}


@pytest.mark.parametrize("arms", ["robust,vanilla", "a,b,c,d"])
def test_a_simulated_table_goes_in_and_out_with_gold_groups_and_label(
    arms: str, researcher: Client, tmp_path: Path
) -> None:
    path = tmp_path / "votes.csv"
    small = ("--pairs", "8", "--complete-raters", "4", "--partial-raters", "3", "--partial-votes", "3-9")
    run("simulate_votes", "--out", str(path), "--arms", arms, "--gold", "3", "--seed", "1", *small)
    first = import_votes(path)
    (tmp_path / "again.csv").write_text(exported(researcher, first))
    second = import_votes(tmp_path / "again.csv")
    tables = [read_csv(path), votes_of(first), votes_of(second)]
    for votes in tables:
        assert votes.simulated
        assert votes.gold.n == 21
        assert votes.gold.right.tolist() == tables[0].gold.right.tolist()
        assert votes.outcome.tolist() == tables[0].outcome.tolist()
        assert votes.group[votes.pair].tolist() == tables[0].group[tables[0].pair].tolist()
        assert votes.response_ms.tolist() == tables[0].response_ms.tolist()
    assert Rater.objects.filter(study=first).count() == 7
    run("recount", "--check")


GOLD = (
    "pair_id,class_label,rater_id,left_arm,right_arm,choice,response_ms,gold_arm\n"
    "p1,hen,r1,vanilla,robust,left,900,\n"
    "g1,hen,r1,good,bad,left,900,good\n"
    "g2,cat,r1,robust,robust,same,900,same\n"
    "g1,hen,r2,bad,good,left,900,good\n"
    "p1,hen,r2,robust,vanilla,left,900,\n"
)


def test_gold_rows_become_gold_comparisons(tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(GOLD)
    study = import_votes(tmp_path / "votes.csv")
    facts = {c.pair_id: (c.kind, c.expected, c.n_votes) for c in study.comparisons.all()}
    assert facts == {"p1": ("normal", "", 2), "g1": ("gold", "b", 0), "g2": ("identical", "tie", 0)}
    assert sorted(study.arms.values_list("name", flat=True)) == ["robust", "vanilla"]
    votes = votes_of(study)
    assert (votes.gold.seen.tolist(), votes.gold.right.tolist(), votes.gold.n) == ([2, 1], [2, 0], 3)
    assert votes.n_pairs == 1


@pytest.mark.parametrize(
    ("row", "word"),
    [
        ("g1,hen,r3,good,bad,left,900,bad\n", "g1"),
        ("g1,cat,r3,good,bad,left,900,good\n", "g1"),
        ("p1,hen,r3,vanilla,robust,left,900,robust\n", "p1"),
    ],
)
def test_a_gold_pair_that_changes_is_refused_by_line(row: str, word: str, tmp_path: Path) -> None:
    (tmp_path / "votes.csv").write_text(GOLD + row)
    with pytest.raises(CommandError, match=f"line 7: gold pair {word}"):
        run("import_votes", str(tmp_path / "votes.csv"))
    assert not Comparison.objects.exists()


def test_two_equal_pairs_of_one_group_are_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    path.write_text(
        "pair_id,class_label,rater_id,left_arm,choice,response_ms,group_id\n"
        "p1,hen,r1,vanilla,left,900,hens\np2,hen,r1,robust,left,900,hens\n"
    )
    with pytest.raises(CommandError, match="pairs p1 and p2 of group hens show the same two arms"):
        run("import_votes", str(path))


# --- the command ---


def test_equal_seeds_give_equal_tables(tmp_path: Path) -> None:
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        run("simulate_votes", "--out", str(tmp_path / name), "--seed", seed, "--pairs", "10")
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b != c


def test_a_table_without_options_is_of_the_papers_size_and_spread(tmp_path: Path) -> None:
    path = tmp_path / "votes.csv"
    run("simulate_votes", "--out", str(path), "--seed", "3")
    votes = read_csv(path)
    assert (votes.arms, votes.n_pairs, votes.n_raters, votes.simulated) == (("robust", "vanilla"), 200, 44, True)
    assert 4500 < votes.n_votes < 5500
    components = components_of(votes)
    assert isinstance(components, Components)
    assert components.same_share == pytest.approx(0.27, abs=0.02)
    assert components.pair == pytest.approx(0.11, rel=0.4)


def test_the_command_votes_in_a_study_and_says_how_much() -> None:
    study = make_study(5)
    out = run("simulate_votes", "--study", study.slug, "--complete-raters", "2", "--partial-raters", "0")
    assert out.startswith("10 simulated votes in ")
    report = json.loads(run("results", study.slug, "--json"))
    assert (report["simulated"], report["votes"]) == (True, 10)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--study", "nowhere"], "There is no study 'nowhere'"),
        (["--out", "/nowhere/votes.csv"], "Cannot write /nowhere/votes.csv"),
        (["--out", "votes.csv", "--arms", "same,b"], "'same' is a column of the report"),
        (["--out", "votes.csv", "--same", "100"], "--same: 1.0 is not at least 0 and below 1"),
        (["--out", "votes.csv", "--hasty", "90"], "--hasty together: 90 raters, but the panel has 44"),
        (["--out", "votes.csv", "--arms", "a,b,c", "--net", "5"], "--net: give it with two arms only"),
        (["--out", "votes.csv", "--partial-votes", "few"], "'few' is no range"),
        (["--out", "votes.csv", "--ratings", "1,x"], "are no numbers"),
    ],
)
def test_what_cannot_be_simulated_is_refused_in_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError, match=sentence):
        run("simulate_votes", *words)


def test_a_studys_arms_cannot_be_renamed() -> None:
    with pytest.raises(CommandError, match="--arms is for --out"):
        run("simulate_votes", "--study", make_study(4).slug, "--arms", "a,b")


def test_a_closed_study_is_left_alone() -> None:
    study = close_study(make_study(4))
    with pytest.raises(CommandError, match="takes no more answers"):
        run("simulate_votes", "--study", study.slug)
    assert not Study.objects.get().is_simulated


# --- checks ---


def test_simulated_raters_pass_checks_and_answer_repeats_like_pairs() -> None:
    # Four checks at least, gold and repeat in turn: the second repeat has an original.
    checks = {"block": 4, "per_block": 1, "kinds": ["gold", "repeat"], "mismatched": 5}
    design = {"checks": checks, "welcome": {"practice": 2}, "order": {"trials_per_rater": 15}}
    study = make_study(20, design=design)
    votes = simulated(study, partial_raters=0)
    kinds = {kind: [vote for vote in votes if vote.trial.kind == kind] for kind in Trial.Kind.values}
    assert {kind: len(answers) for kind, answers in kinds.items() if kind in ("normal", "practice")} == {
        "normal": 2 * 15,
        "practice": 2 * 2,
    }
    assert kinds["gold"]
    assert kinds["repeat"]
    assert all(vote.choice == expected_choice(vote.trial) for vote in kinds["gold"] + kinds["practice"])
    assert {rater.outcome for rater in study.raters.all()} == {"complete"}
    run("recount", "--check")


def test_simulated_raters_answer_every_question() -> None:
    study = make_study(3, design={"page": {"questions": [{"key": "alignment", "text": "Which fits better?"}]}})
    simulated(study, partial_raters=0)
    assert Vote.objects.filter(question="alignment").count() == Vote.objects.filter(question="preference").count() == 6
