"""The results page: the answer first, every number explained, nothing that a degenerate log could break."""

import re
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.template import Context
from django.test import Client

from survey_site.logs.imports import import_votes
from survey_site.models import Study
from survey_site.results import kept_report
from survey_site.templatetags.figures import DRAWN_APART, chart
from survey_site.views.results import FLAGGED_SHOWN
from survey_site.voting.trials import lease_trials, queue_of, record_vote
from tests.factories import make_rater, make_study, make_study_with_files, rate

pytestmark = pytest.mark.django_db

FIXTURE = Path(__file__).parent.parent / "data" / "table2_votes.csv"
HEADER = "pair_id,class_label,rater_id,left_arm,right_arm,choice,response_ms"
Vote = tuple[str, str, str, str, str]


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


def study_of(votes: list[Vote], folder: Path) -> Study:
    """Import votes of (pair, rater, left arm, right arm, choice)."""
    path = folder / "votes.csv"
    lines = [f"{pair},cat,{rater},{left},{right},{choice},900" for pair, rater, left, right, choice in votes]
    path.write_text("\n".join([HEADER, *lines]))
    return import_votes(path)


@pytest.fixture
def small(tmp_path: Path) -> Study:
    """Twelve raters on eight comparisons, who mostly prefer the first arm."""
    choices = ("left", "right", "left", "same", "left")
    seats = [(pair, rater) for rater in range(12) for pair in range(8)]
    sides = (("one", "two"), ("two", "one"))
    return study_of(
        [(f"p{pair}", f"r{rater}", *sides[rater % 2], choices[(pair * rater) % 5]) for pair, rater in seats], tmp_path
    )


def four_arms(folder: Path) -> Study:
    arms = ("cfg", "robust", "smoothed", "vanilla")
    seats = [(i, j, pair, rater) for i in range(4) for j in range(i + 1, 4) for pair in range(3) for rater in range(6)]
    return study_of(
        [
            (f"{i}{j}p{pair}", f"r{rater}", arms[i], arms[j], ("left", "left", "right", "same")[(pair + rater + i) % 4])
            for i, j, pair, rater in seats
        ],
        folder,
    )


def page_of(researcher: Client, study: Study) -> str:
    response = researcher.get(f"/studies/{study.slug}/results/")
    assert response.status_code == 200
    return response.content.decode()


def test_the_answer_stands_first_in_one_sentence(researcher: Client) -> None:
    html = page_of(researcher, import_votes(FIXTURE))
    sentence = (
        "Raters prefer robust: +8.0 points of net preference, 95 % interval 1.7 to 14.3, p = 0.014, allowing for "
        "200 pairs and 92 raters."
    )
    assert html.index(sentence) < html.index("<h2>")


def test_charts_are_drawn_into_the_page_with_their_numbers_as_text_and_side_votes_at_the_table(
    researcher: Client,
) -> None:
    html = page_of(researcher, import_votes(FIXTURE))
    alts = re.findall(r'<svg role="img" aria-label="([^"]+)"', html)
    assert len(alts) == len(re.findall("<svg", html))
    assert any("robust 61.5 %, vanilla 31.5 %, no preference 7.0 %" in alt for alt in alts)
    assert any("123 with more votes for robust, 63 with more for vanilla, 14 with neither" in alt for alt in alts)
    assert "<script" not in html
    assert "Comparisons have 0 to 32 votes that chose a side" in html


def test_without_a_plan_one_line_says_that_all_is_exploratory(researcher: Client, small: Study) -> None:
    html = page_of(researcher, small)
    assert "All of this is exploratory" in html
    assert 'class="badge' not in html


def test_with_a_plan_each_section_says_whether_it_was_planned(researcher: Client) -> None:
    study = make_study(6)
    for choice in ("left", "right", "left"):
        rate(make_rater(study), choice)
    html = page_of(researcher, study)
    headings = dict(re.findall(r'<h2>([^<]+?) <span class="badge is-(\w+)">', html))
    assert headings["In how many comparisons is one image preferred?"] == "planned"
    assert headings["Do raters agree?"] == "exploratory"
    assert study.plan_sha256
    assert study.plan_sha256 in html
    assert "no longer the plan" not in html


def test_where_sides_were_unbalanced_and_mattered_the_adjusted_test_comes_first(
    researcher: Client, tmp_path: Path
) -> None:
    # Arm one stands left three times of four, and raters mostly press left whatever stands there.
    seats = [(pair, rater) for rater in range(12) for pair in range(16)]
    votes = [
        (f"p{pair}", f"r{rater}", *(("two", "one") if (pair + rater) % 4 == 0 else ("one", "two")), choice)
        for pair, rater in seats
        for choice in ["right" if (pair * 7 + rater * 3) % 5 == 0 else "left"]
    ]
    html = page_of(researcher, study_of(votes, tmp_path))
    assert "net preference with the lean to a side taken out" in html
    assert html.index("with the lean to a side taken out, two-way") < html.index(
        "Net preference over all votes, two-way"
    )


def test_the_vote_level_test_stands_only_in_its_box(researcher: Client, small: Study) -> None:
    html = page_of(researcher, small)
    rest, box = html.split("<summary>If votes were independent</summary>")
    assert "sign test over single votes" in box
    assert "ign test over single votes" not in rest


def test_a_simulated_study_says_so_once_and_above_its_result(researcher: Client, small: Study) -> None:
    Study.objects.filter(pk=small.pk).update(is_simulated=True)
    html = page_of(researcher, small)
    assert html.count("imulated") == html.count("Simulated study.") + html.count("is-simulated") == 2
    assert html.index("Simulated study.") < html.index('class="headline')


def test_many_arms_are_ranked_first_and_each_two_of_them_folded(researcher: Client, tmp_path: Path) -> None:
    html = page_of(researcher, four_arms(tmp_path))
    assert html.index('id="ranking"') < html.index('id="pairings"') < html.index('id="pairing-1"')
    assert len(re.findall(r'<details class="card pairing"', html)) == 6


def test_charts_of_folded_pairings_are_images_that_wait(researcher: Client, tmp_path: Path) -> None:
    html = page_of(researcher, four_arms(tmp_path))
    folded = html[html.index('id="pairings"') : html.index('<section id="raters">')]
    images = re.findall(r'<img src="(/studies/[^"]+\?shown)" loading="lazy" alt="[^"]+"', folded)
    assert "<svg" not in folded
    assert len(images) >= 6
    for address in images:
        shown = researcher.get(address)
        assert (shown.status_code, shown["Content-Type"]) == (200, "image/svg+xml"), address
        assert "prefers-color-scheme:dark" in shown.content.decode()


def test_pictures_show_the_clearest_pairs_of_each_arm_with_their_votes(researcher: Client) -> None:
    study = make_study_with_files(20)
    for number in range(6):
        rate(make_rater(study), ("left", "right")[number % 2])
    html = page_of(researcher, study)
    pictures = html[html.index('id="pictures"') : html.index('id="agreement"')]
    for side in pictures.split("Most preferred for")[1:]:
        assert side.count("<figure>") <= 6
        assert side.count("<img") == 2 * side.count("<figure>")
    address = re.findall(r'<img src="([^"]+)"', pictures)[0]
    assert researcher.get(address)["Content-Type"] == "image/png"


def test_a_pair_is_shown_under_the_arm_that_its_raters_chose(researcher: Client) -> None:
    study = make_study(4)
    for _ in range(3):
        rater = make_rater(study)
        queue = lease_trials(rater)
        while queue.trials:
            trial = queue.trials[0]
            wanted = "robust" if trial.comparison.position < 1 else "vanilla"
            side = "left" if trial.left_image.arm.name == wanted else "right"
            record_vote(trial, side, response_ms=900, key=uuid4())
            queue = queue_of(rater)
    html = page_of(researcher, study)
    shown = {arm: html.split(f"Most preferred for {arm}</h3>")[1].split("</ol>")[0] for arm in ("robust", "vanilla")}
    assert shown["robust"].count("robust <b>3</b> : <b>0</b> vanilla") == shown["robust"].count("<figure>") == 1
    assert shown["vanilla"].count("robust <b>0</b> : <b>3</b> vanilla") == shown["vanilla"].count("<figure>") == 3


def test_imported_votes_say_that_there_are_no_pictures(researcher: Client, small: Study) -> None:
    assert "imported without image files" in page_of(researcher, small)


def test_of_many_flagged_raters_the_page_lists_some(researcher: Client, tmp_path: Path) -> None:
    study = study_of(
        [(f"p{pair}", f"r{rater}", "one", "two", "left") for pair in range(30) for rater in range(FLAGGED_SHOWN + 3)],
        tmp_path,
    )
    html = page_of(researcher, study)
    assert f"{FLAGGED_SHOWN + 3} flagged" in html
    assert html.count('class="name"') == FLAGGED_SHOWN
    assert "And 3 more" in html


LOGS: dict[str, list[Vote]] = {
    "one vote": [("p", "r", "one", "two", "left")],
    "one rater": [(f"p{n}", "r", "one", "two", ("left", "right", "same")[n % 3]) for n in range(9)],
    "one pair": [("p", f"r{n}", "one", "two", ("left", "right", "same")[n % 3]) for n in range(9)],
    "only Same": [(f"p{n % 3}", f"r{n // 3}", "one", "two", "same") for n in range(9)],
    "one arm never wins": [(f"p{n % 3}", f"r{n // 3}", "one", "two", ("left", "same")[n % 2]) for n in range(24)],
    "two components": [
        (f"{a}{n % 3}", f"r{n // 3}", a, b, ("left", "right")[n % 2]) for a, b in ("ab", "cd") for n in range(12)
    ],
    "an arm of four never wins": [
        (f"{a}{b}{n % 3}", f"r{n // 3}", a, b, ("left", "right")[n % 2] if b != "d" else "left")
        for a, b in ("ab", "ac", "bc", "ad", "bd", "cd")
        for n in range(9)
    ],
}


@pytest.mark.parametrize("name", LOGS)
def test_a_degenerate_log_has_a_page_of_sentences(researcher: Client, tmp_path: Path, name: str) -> None:
    html = page_of(researcher, study_of(LOGS[name], tmp_path))
    words = re.sub(r"<[^>]+>", " ", html)
    assert not re.search(r"\b(nan|NaN|inf|Infinity|None|Unavailable)\b", words)
    assert 'class="headline' in html


def test_a_study_without_votes_has_a_page(researcher: Client) -> None:
    assert "nobody has voted yet" in page_of(researcher, make_study(4))


def test_names_of_arms_and_classes_cannot_become_markup(researcher: Client, tmp_path: Path) -> None:
    name = "<script>alert('1')</script>"
    study = study_of([(f"p{n}{name}", f"r{m}", name, "two", "left") for n in range(3) for m in range(3)], tmp_path)
    assert "<script" not in page_of(researcher, study)


def test_a_very_large_study_s_charts_are_images_that_nobody_waits_for(small: Study) -> None:
    kept = kept_report(small)
    large = replace(kept.report, votes=DRAWN_APART)
    context = Context({"report": large, "study": small, "kept_as": kept.key})
    for name, subject in (("raters", large), ("thresholds", large.pairings[0])):
        shown = chart(context, name, subject)
        assert "svg" not in shown
        assert str(shown["image"]).endswith(f"{name}.svg")
    assert "svg" in chart(Context({**context.flatten(), "report": kept.report}), "raters", kept.report)
