"""Where an error code stands: at these paths of the answers' names, and at no others of them."""

import json
from pathlib import Path

import pytest

from analysis import InvalidVotes, analyse
from analysis.records import Json
from tests.analysis.degenerate import LOGS, votes_of

ANSWERS = json.loads((Path(__file__).parents[1] / "data" / "table2_votes.answers.json").read_text())

SHARES = ("shares.robust.two_way", "shares.vanilla.two_way", "shares.same.two_way")
TWO_WAY_TESTS = ("tests.two_way_net", "tests.two_way_side_share", "tests.two_way_net_position_adjusted")

WHOLE_REPORT = {
    "header only": "no_votes",
    "one arm": "one_arm",
    "same rater, same pair twice": "duplicate_vote",
    "a choice that is none": "unknown_choice",
    "an arm against itself": "arm_against_itself",
    "a column missing": "missing_columns",
}
PLACES: dict[str, dict[str, tuple[str, ...]]] = {
    "one rater": {
        "one_rater": (
            "position.clustered_by_rater",
            *SHARES,
            *TWO_WAY_TESTS,
            "bootstrap_two_way",
            "agreement",
        ),
        "one_cluster": ("tests.rater_t",),
        "too_few_raters": ("sequential.two_way_normal_mixture",),
    },
    "K arms, two components": {"disconnected_comparison_graph": ("bradley_terry.davidson",)},
    "K arms, one never wins": {"separation": ("bradley_terry.davidson",)},
    "every vote is Same": {
        "no_side_votes": ("bradley_terry.davidson", "position", "tests"),
        "zero_variance": (*SHARES, "classes"),
        "alpha_undefined": ("agreement.alpha_nominal", "agreement.alpha_side_only"),
        "kappa_undefined": ("agreement.fleiss_kappa_generalised",),
        "too_few_raters": ("sequential.two_way_normal_mixture",),
    },
    "one pair": {
        "one_pair": (*SHARES, *TWO_WAY_TESTS, "bootstrap_two_way", "bootstrap_pairs_threshold_ci95"),
        "all_pairs_tied": ("tests.pair_sign",),
        "all_differences_zero": ("tests.pair_wilcoxon_net_over_all_votes", "tests.pair_flip_permutation_exact"),
        "one_cluster": ("tests.pair_t",),
        "too_few_raters": ("sequential.two_way_normal_mixture",),
        "too_few_classes": ("classes",),
    },
    "two arms, one never wins, ties exist": {
        "separation": ("bradley_terry.davidson",),
        "zero_variance": ("shares.vanilla.two_way", "tests.rater_t", "tests.two_way_side_share"),
        "alpha_undefined": ("agreement.alpha_side_only",),
        "too_few_raters": ("sequential.two_way_normal_mixture",),
    },
}


def paths(value: Json, path: str = "") -> set[str]:
    """A value's path and those of everything in it."""
    inner = value.items() if isinstance(value, dict) else ()
    return {path, *(found for key, item in inner for found in paths(item, f"{path}.{key}".lstrip(".")))}


def errors(value: Json, path: str = "") -> dict[str, str]:
    """The paths at which an error object stands, with its code."""
    if not isinstance(value, dict):
        return {}
    if "error" in value:
        assert set(value) == {"error", "detail"}, path
        assert value["detail"], path
        return {path: str(value["error"])}
    return {
        where: code for key, item in value.items() for where, code in errors(item, f"{path}.{key}".lstrip(".")).items()
    }


def test_every_row_of_the_table_is_held_to() -> None:
    assert set(LOGS) == set(WHOLE_REPORT) | set(PLACES)


@pytest.mark.parametrize("name", PLACES)
def test_codes_stand_at_these_paths_of_the_answers_names_and_at_no_others(name: str) -> None:
    report = analyse(votes_of(LOGS[name])).as_json()
    json.dumps(report, allow_nan=False)
    found = {path: code for path, code in errors(report).items() if path in paths(ANSWERS)}
    assert found == {path: code for code, places in PLACES[name].items() for path in places}


@pytest.mark.parametrize("name", PLACES)
def test_a_name_of_the_answers_is_left_out_only_where_it_has_no_value(name: str) -> None:
    """Missing keys are fits that failed with another, or what belongs to a pairing where there are several."""
    report = analyse(votes_of(LOGS[name])).as_json()
    several = len(report["arms"]) > 2
    expected = set(ANSWERS) - ({"orientation", *OF_A_PAIRING} if several else set())
    assert expected - set(report) == set()
    if several:
        assert all(set(pairing) >= OF_A_PAIRING for pairing in report["pairings"])


OF_A_PAIRING = {
    "shares",
    "threshold_table",
    "tests",
    "sequential",
    "classes",
    "bootstrap_two_way",
    "agreement",
    "bootstrap_pairs_threshold_ci95",
}


@pytest.mark.parametrize(("name", "code"), WHOLE_REPORT.items())
def test_a_log_that_fails_gatekeeping_has_one_code_for_the_whole_report(name: str, code: str) -> None:
    with pytest.raises(InvalidVotes) as caught:
        analyse(votes_of(LOGS[name]))
    assert caught.value.as_json()["error"] == code


def test_raters_who_all_lean_alike_leave_nothing_to_chance_between_raters() -> None:
    report = analyse(votes_of(LOGS["two arms, one never wins, ties exist"])).as_json()
    assert report["tests"]["two_way_net"]["p_by_rater_t"] == 0
