from collections.abc import Sequence

import pytest

from analysis import InvalidVotes, Pair, VoteColumns, Votes
from tests.analysis.logs import columns, log, unjudged


def three_arms(left: str, right: str, choice: str, *, pair: str = "p1", rater: str = "r1") -> VoteColumns:
    return VoteColumns(
        pair_id=["p1", "p2", pair],
        rater_id=["r1", "r2", rater],
        left_arm=["x", "z", left],
        right_arm=["y", "x", right],
        choice=["left", "left", choice],
    )


def refusal(rows: VoteColumns, *, pairs: Sequence[Pair] = (), arms: Sequence[str] | None = None) -> InvalidVotes:
    with pytest.raises(InvalidVotes) as caught:
        Votes.from_rows(rows, pairs=pairs, arms=arms)
    return caught.value


def test_left_when_the_second_arm_stands_left_counts_for_the_second_arm() -> None:
    votes = Votes.from_rows(
        VoteColumns(
            pair_id=["p1", "p1", "p1"],
            rater_id=["r1", "r2", "r3"],
            left_arm=["vanilla", "robust", "robust"],
            choice=["left", "left", "same"],
        )
    )
    assert votes.arms == ("robust", "vanilla")
    assert votes.outcome.tolist() == [-1, 1, 0]


def test_arms_are_alphabetical_unless_their_order_is_given() -> None:
    entries = [("r1", "p1", "a"), ("r2", "p1", "b")]
    assert log(entries, arms=("vanilla", "robust")).outcome.tolist() == [-1, 1]


def test_a_comparison_nobody_judged_is_part_of_the_log() -> None:
    votes = log([("r1", "p2", "a")], pairs=unjudged("p1", "p2", "p3"))
    assert votes.pair_names == ("p1", "p2", "p3")
    assert votes.pair.tolist() == [1]


def test_a_study_without_votes_is_a_log_as_long_as_it_has_comparisons() -> None:
    votes = log([], pairs=unjudged("p1"))
    assert (votes.n_votes, votes.n_pairs, votes.n_raters) == (0, 1, 0)


def test_no_votes_and_no_comparisons_are_refused() -> None:
    assert refusal(columns([])).code == "no_votes"


def test_an_unknown_choice_is_refused_by_row_and_column() -> None:
    error = refusal(three_arms("x", "y", "middle", rater="r9"))
    assert error.code == "unknown_choice"
    assert "row 3, column choice: 'middle'" in error.detail


def test_a_second_vote_of_a_rater_on_a_pair_is_refused_naming_both_rows() -> None:
    error = refusal(three_arms("x", "y", "right"))
    assert error.code == "duplicate_vote"
    assert "row 3" in error.detail
    assert "row 1" in error.detail


def test_one_arm_alone_is_refused() -> None:
    rows = VoteColumns(pair_id=["p1"], rater_id=["r1"], left_arm=["robust"], choice=["left"])
    assert refusal(rows).code == "one_arm"


def test_an_arm_against_itself_is_refused() -> None:
    assert refusal(three_arms("y", "y", "left", pair="p3")).code == "arm_against_itself"


def test_a_listed_pair_of_one_arm_is_refused() -> None:
    pairs = [Pair("p9", "cat", ("x", "x"))]
    assert refusal(three_arms("x", "y", "left", pair="p3"), pairs=pairs).code == "arm_against_itself"


def test_a_pair_whose_arms_change_is_refused_naming_the_row() -> None:
    error = refusal(three_arms("y", "z", "left", rater="r3"))
    assert error.code == "pair_with_changing_arms"
    assert error.detail.startswith("row 3, columns left_arm and right_arm: pair p1 shows y and z, elsewhere x and y")


def test_a_pair_whose_arms_differ_from_the_study_s_is_refused() -> None:
    pairs = [Pair("p1", "cat", ("y", "z"))]
    assert refusal(three_arms("x", "y", "left", pair="p3"), pairs=pairs).code == "pair_with_changing_arms"


def test_a_pair_with_two_class_labels_is_refused() -> None:
    rows = VoteColumns(
        pair_id=["p1", "p1"],
        rater_id=["r1", "r2"],
        left_arm=["x", "y"],
        choice=["left", "left"],
        class_label=["cat", "dog"],
    )
    assert refusal(rows).code == "pair_with_changing_class"


def test_three_arms_need_the_right_arm() -> None:
    rows = VoteColumns(pair_id=["1", "2", "3"], rater_id=["r"] * 3, left_arm=["x", "y", "z"], choice=["same"] * 3)
    error = refusal(rows)
    assert error.code == "missing_columns"
    assert "right_arm" in error.detail


def test_an_arm_the_study_has_not_is_refused() -> None:
    assert refusal(three_arms("x", "y", "left", pair="p3"), arms=("x", "y")).code == "unknown_arm"


def test_an_arm_named_like_a_column_of_the_report_is_refused() -> None:
    rows = VoteColumns(pair_id=["p1"], rater_id=["r1"], left_arm=["same"], right_arm=["x"], choice=["left"])
    assert refusal(rows).code == "reserved_arm_name"


def test_two_of_three_arms_make_a_log_of_their_own() -> None:
    votes = Votes.from_rows(three_arms("y", "x", "left", pair="p3", rater="r3"))
    part = votes.between(0, 1)
    assert part.arms == ("x", "y")
    assert part.pair_names == ("p1", "p3")
    assert part.rater_names == ("r1", "r3")
    assert part.outcome.tolist() == [1, -1]
    assert part.pair.tolist() == [0, 1]


def test_pairs_of_one_group_are_known_as_such_and_others_stand_alone() -> None:
    pairs = [Pair("p1", "cat", ("robust", "vanilla"), "cat-7"), Pair("p2", "cat", ("robust", "vanilla"), "cat-7")]
    assert log([("r1", "p3", "a")], pairs=pairs).groups == ("cat-7", "cat-7", "p3")


def test_a_time_that_was_not_measured_is_minus_one() -> None:
    rows = VoteColumns(
        pair_id=["p1", "p1"],
        rater_id=["r1", "r2"],
        left_arm=["x", "y"],
        choice=["left", "left"],
        response_ms=[None, 1200],
    )
    assert Votes.from_rows(rows).response_ms.tolist() == [-1, 1200]


def test_a_checked_log_cannot_be_changed() -> None:
    votes = log([("r1", "p1", "a")])
    with pytest.raises(ValueError, match="read-only"):
        votes.choice[0] = 2
