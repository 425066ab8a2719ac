import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings

from analysis import Pair, Report, Unavailable, VoteColumns, Votes, analyse, read_csv
from analysis.records import Json
from tests.analysis.logs import Entry, log, pair_of, small_logs, unjudged

DATA = Path(__file__).parents[1] / "data"
# Figures of the answers that mislead, so that the product does not show them.
NEVER = ("bootstrap_two_way.threshold_ci95", "sequential.vote_level")
# Figures that hang on random draws, and how far two draws lie apart; the pairs' percentiles step by one pair in 200.
DRAWN = {
    "bootstrap_two_way": 0.006,
    "bootstrap_pairs_threshold_ci95": 0.0101,
    "agreement.split_half": 0.01,
}


@pytest.fixture(scope="module")
def table_2() -> Report:
    return analyse(read_csv(DATA / "table2_votes.csv"))


def leaves(value: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Every figure of a report with its path."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def errors(value: Json, path: str = "") -> dict[str, str]:
    """The paths at which an error stands, with its code."""
    if not isinstance(value, dict):
        return {}
    if "error" in value:
        return {path: str(value["error"])}
    return {k: v for key, item in value.items() for k, v in errors(item, f"{path}.{key}".lstrip(".")).items()}


def preference_errors(report: Report) -> dict[str, str]:
    """The errors among votes, shares, tests and sides; `test_error_places` looks at all places."""
    found = errors(report.as_json())
    return {path: code for path, code in found.items() if path.split(".")[0] in {"shares", "tests", "position"}}


def test_the_fixture_gives_table_2_of_the_paper(table_2: Report) -> None:
    (pairing,) = table_2.pairings
    assert [[cell.percent for cell in row.cells] for row in pairing.threshold_table.rows] == [
        [61.5, 31.5, 7.0],
        [51.0, 20.5, 28.5],
        [35.0, 13.5, 51.5],
        [21.5, 8.5, 70.0],
    ]
    assert table_2.votes == 5018
    assert not isinstance(pairing.shares, Unavailable)
    assert (round(pairing.shares.first.percent, 1), round(pairing.shares.second.percent, 1)) == (40.4, 32.4)


def test_every_figure_on_the_fixture_is_the_reference_s(table_2: Report) -> None:
    expected = json.loads((DATA / "table2_votes.answers.json").read_text())
    figures = dict(leaves(table_2.as_json()))
    wanted = {path: value for path, value in leaves(expected) if not path.startswith(NEVER)}
    assert len(wanted) > 1400
    assert not [path for path in figures if path.startswith(NEVER)]
    for path, value in wanted.items():
        tolerance = next((size for start, size in DRAWN.items() if path.startswith(start)), 1e-6)
        exact = value is None or isinstance(value, int | str)
        if not path.endswith(".detail"):
            assert figures[path] == (value if exact else pytest.approx(value, abs=tolerance, rel=1e-6)), path


def test_the_headline_is_one_sentence(table_2: Report) -> None:
    assert table_2.pairings[0].headline == (
        "Raters prefer robust: +8.0 points of net preference, 95 % interval 1.7 to 14.3, p = 0.014, "
        "allowing for 200 pairs and 92 raters."
    )


def test_the_headline_reads_the_same_whichever_arm_is_first(table_2: Report) -> None:
    swapped = analyse(read_csv(DATA / "table2_votes.csv", arms=("vanilla", "robust")))
    assert swapped.pairings[0].headline == table_2.pairings[0].headline


@settings(deadline=None, max_examples=60)
@given(small_logs())
def test_swapping_the_arms_mirrors_the_table(entries: list[Entry]) -> None:
    one = analyse(log(entries, pairs=unjudged("q"))).pairings[0]
    two = analyse(log(entries, pairs=unjudged("q"), arms=("vanilla", "robust"))).pairings[0]
    for row, mirrored in zip(one.threshold_table.rows, two.threshold_table.rows, strict=True):
        assert row.as_json() == mirrored.as_json()
        assert (row.first, row.second) == (mirrored.second, mirrored.first)
    assert errors(one.as_json()) == errors(two.as_json())
    if isinstance(one.tests, Unavailable) or isinstance(two.tests, Unavailable):
        return
    for name in ("two_way_net", "pair_flip_permutation_exact", "pair_sign", "vote_sign_binomial", "pair_t"):
        ours, theirs = getattr(one.tests, name), getattr(two.tests, name)
        assert isinstance(ours, Unavailable) or ours.p == pytest.approx(theirs.p)


@settings(deadline=None, max_examples=60)
@given(small_logs())
def test_no_report_holds_nan_or_infinity(entries: list[Entry]) -> None:
    report = analyse(log(entries))
    assert json.loads(json.dumps(report.as_json(), allow_nan=False))["votes"] == len(entries)


def test_comparisons_without_any_vote_make_a_report_of_no_preference() -> None:
    report = analyse(log([], pairs=unjudged("p1", "p2")))
    (pairing,) = report.pairings
    assert [row.no_preference.percent for row in pairing.threshold_table.rows] == [100.0] * 4
    assert preference_errors(report) == {"shares": "no_votes", "tests": "no_votes", "position": "no_votes"}
    assert pairing.headline == "No result yet: nobody has voted yet."
    json.dumps(report.as_json(), allow_nan=False)


def test_one_rater_tells_nothing_about_raters() -> None:
    entries = [("r1", f"p{n}", "aabs"[n % 4]) for n in range(12)]
    assert preference_errors(analyse(log(entries))) == {
        "position.clustered_by_rater": "one_rater",
        "shares.robust.two_way": "one_rater",
        "shares.vanilla.two_way": "one_rater",
        "shares.same.two_way": "one_rater",
        "tests.two_way_net": "one_rater",
        "tests.two_way_side_share": "one_rater",
        "tests.two_way_net_position_adjusted": "one_rater",
        "tests.rater_t": "one_cluster",
    }


def test_one_pair_tells_nothing_about_pairs() -> None:
    assert preference_errors(analyse(log(pair_of(3, 3, 2)))) == {
        "shares.robust.two_way": "one_pair",
        "shares.vanilla.two_way": "one_pair",
        "shares.same.two_way": "one_pair",
        "tests.two_way_net": "one_pair",
        "tests.two_way_side_share": "one_pair",
        "tests.two_way_net_position_adjusted": "one_pair",
        "tests.pair_sign": "all_pairs_tied",
        "tests.pair_wilcoxon_net_over_all_votes": "all_differences_zero",
        "tests.pair_flip_permutation_exact": "all_differences_zero",
        "tests.pair_t": "one_cluster",
    }


def test_where_every_vote_is_same_there_is_nothing_to_test() -> None:
    entries = pair_of(0, 0, 3, name="p1") + pair_of(0, 0, 3, name="p2")
    assert preference_errors(analyse(log(entries))) == {
        "position": "no_side_votes",
        "tests": "no_side_votes",
        "shares.robust.two_way": "zero_variance",
        "shares.vanilla.two_way": "zero_variance",
        "shares.same.two_way": "zero_variance",
    }


def test_an_arm_that_never_wins_has_no_variance_where_it_is_constant() -> None:
    entries = [(f"r{n}", f"p{pair}", "as"[(n + pair) % 4 < 1]) for n in range(4) for pair in range(4)]
    found = errors(analyse(log(entries)).as_json())
    assert found["shares.vanilla.two_way"] == "zero_variance"
    assert found["tests.two_way_side_share"] == "zero_variance"
    assert found["tests.rater_t"] == "zero_variance"


def test_three_arms_give_a_report_for_every_two_that_were_compared() -> None:
    rows = VoteColumns(
        pair_id=["p1", "p2", "p1", "p2"],
        rater_id=["r1", "r1", "r2", "r2"],
        left_arm=["x", "z", "y", "y"],
        right_arm=["y", "y", "x", "z"],
        choice=["left", "left", "right", "same"],
    )
    report = analyse(Votes.from_rows(rows, pairs=[Pair("p3", "", ("y", "z"))]))
    assert [pairing.arms for pairing in report.pairings] == [("x", "y"), ("y", "z")]
    assert [pairing.pairs for pairing in report.pairings] == [1, 2]
    assert [pairing.threshold_table.rows[0].first.pairs for pairing in report.pairings] == [1, 0]
    whole = report.as_json()
    assert isinstance(whole["pairings"], list)
    assert len(whole["pairings"]) == 2


def test_a_panel_that_weighs_like_few_raters_is_warned_about() -> None:
    entries = [(f"r{n}", f"p{pair}", "ab"[(n * pair) % 3 % 2]) for n in range(3) for pair in range(12)]
    assert any("raters weigh like 3.0" in warning for warning in analyse(log(entries)).pairings[0].warnings)


def test_few_side_votes_per_comparison_are_warned_about() -> None:
    (pairing,) = analyse(log(pair_of(2, 1, name="p1") + pair_of(3, 0, name="p2"))).pairings
    assert any("3 or fewer votes" in warning for warning in pairing.warnings)
    assert (pairing.per_pair_side_votes.min, pairing.per_pair_side_votes.max) == (3, 3)
