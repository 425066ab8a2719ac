"""Every rule that a log may break: its code, where it says so, and what it tells to do."""

import io
from collections.abc import Sequence

import pytest

from analysis import InvalidVotes, Pair, VoteColumns, Votes, analyse, read_csv
from analysis.intervals import Crossed
from analysis.position import position
from analysis.preference import Counts
from analysis.significance import two_way_net
from analysis.times import times

HEADER = "pair_id,class_label,rater_id,left_arm,right_arm,choice,response_ms"
SOUND = "p1,cat,r1,x,y,left,900", "p1,cat,r2,y,x,same,900", "p2,dog,r1,x,y,right,"


def table(*rows: str, header: str = HEADER) -> io.StringIO:
    return io.StringIO("\n".join((header, *rows)) + "\n", newline="")


def refusal(*rows: str, header: str = HEADER, arms: Sequence[str] | None = None) -> InvalidVotes:
    with pytest.raises(InvalidVotes) as caught:
        read_csv(table(*rows, header=header), arms=arms)
    return caught.value


def refused_columns(**changed: Sequence[object]) -> InvalidVotes:
    sound = {"pair_id": ["p1", "p2"], "rater_id": ["r", "r"], "left_arm": ["x", "y"], "choice": ["left", "same"]}
    with pytest.raises(InvalidVotes) as caught:
        Votes.from_rows(VoteColumns(**{**sound, **changed}))  # broken on purpose
    return caught.value


# The code, the row that breaks the rule as the fifth line of a file, the place that must be named, the advice.
BROKEN = [
    ("unknown_choice", "p2,dog,r2,x,y,LEFT,900", "line 5, column choice: 'LEFT'", "write one of them"),
    ("unknown_choice", "p2,dog,r2,x,y,,900", "line 5, column choice: ''", "left, right, same"),
    ("duplicate_vote", "p2,dog,r1,y,x,same,900", "line 5, columns rater_id and pair_id", "line 4; keep one of the two"),
    ("arm_against_itself", "p3,dog,r2,x,x,same,900", "line 5, columns left_arm and right_arm", "two different arms"),
    ("pair_with_changing_arms", "p2,dog,r2,x,z,left,9", "line 5, columns left_arm and right_arm", "their own pair_id"),
    ("pair_with_changing_class", "p2,cat,r2,x,y,left,9", "line 5, column class_label: pair p2", "has one class"),
    ("reserved_arm_name", "p3,dog,r2,same,y,left,9", "an arm is called same", "rename the arm"),
    ("bad_row", "p2,dog,r2,x,y,left", "line 5: 6 cells under 7 columns", "give each its cell"),
    ("bad_row", "p2,dog,r2,,y,left,900", "line 5, column left_arm", "fill it"),
    ("bad_row", ",dog,r2,x,y,left,900", "line 5, column pair_id", "fill it"),
    ("bad_row", "p2,dog,r2,x,y,left,fast", "line 5, column response_ms: 'fast'", "leave the cell empty"),
    ("bad_row", "p2,dog,r2,x,y,left,1e300", "line 5, column response_ms: '1e300'", "leave the cell empty"),
]


@pytest.mark.parametrize(("code", "row", "place", "advice"), BROKEN)
def test_a_broken_rule_is_refused_by_its_code_place_and_advice(code: str, row: str, place: str, advice: str) -> None:
    error = refusal(*SOUND, row)
    assert error.code == code
    assert place in error.detail
    assert advice in error.detail


def test_asking_for_one_arm_only_says_what_to_ask_for() -> None:
    error = refusal(*SOUND, arms=["x"])
    assert error.code == "one_arm"
    assert error.detail == "only x was asked for; name two arms or more"


@pytest.mark.parametrize(("code", "row", "place", "advice"), BROKEN)
def test_a_refusal_is_one_object_and_one_clause(code: str, row: str, place: str, advice: str) -> None:
    error = refusal(*SOUND, row)
    assert error.as_json() == {"error": code, "detail": error.detail}
    assert str(error) == f"{code}: {error.detail}"
    assert not error.detail.endswith(".")


def test_the_sound_part_of_these_logs_is_accepted() -> None:
    votes = read_csv(table(*SOUND))
    assert (votes.n_votes, votes.n_pairs, votes.n_raters, votes.gold.n, votes.simulated) == (3, 2, 2, 0, False)


@pytest.mark.parametrize("name", ["pair_id", "class_label", "rater_id", "left_arm", "choice", "response_ms"])
def test_each_required_column_is_missed_by_name(name: str) -> None:
    error = refusal("a,b,c,d,e,f", header=",".join(column for column in HEADER.split(",") if column != name))
    assert error.code == "missing_columns"
    assert error.detail.startswith(f"line 1: the header lacks {name}; add")


def test_three_arms_without_a_right_arm_column_miss_it() -> None:
    header = HEADER.replace("right_arm,", "")
    error = refusal("p1,cat,r,x,left,9", "p2,cat,r,y,left,9", "p3,cat,r,z,left,9", header=header)
    assert error.code == "missing_columns"
    assert "column right_arm is needed" in error.detail


@pytest.mark.parametrize("text", ["", HEADER, HEADER + "\n\n\n"])
def test_a_file_without_votes_has_no_votes(text: str) -> None:
    with pytest.raises(InvalidVotes) as caught:
        read_csv(io.StringIO(text, newline=""))
    assert caught.value.code == "no_votes"


def test_gold_votes_alone_are_no_votes() -> None:
    error = refusal("p1,cat,r1,x,y,left,9,x", header=HEADER + ",gold_arm")
    assert error.code == "no_votes"
    assert "gold votes only" in error.detail


@pytest.mark.parametrize(
    ("header", "row", "advice"),
    [
        (HEADER, "p1,cat,r1,x,x,left,9", "so name the other one"),
        (HEADER.replace("right_arm,", ""), "p1,cat,r1,x,left,9", "name the other one in a column right_arm"),
    ],
)
def test_one_arm_is_refused_with_what_is_missing(header: str, row: str, advice: str) -> None:
    error = refusal(row, header=header)
    assert error.code == "one_arm"
    assert "left_arm and right_arm: x is the only arm" in error.detail
    assert advice in error.detail


@pytest.mark.parametrize(
    ("arms", "place"), [(("x", "z"), "column right_arm: 'y'"), (("y", "z"), "column left_arm: 'x'")]
)
def test_an_arm_that_was_not_asked_for_is_refused_where_it_stands(arms: tuple[str, str], place: str) -> None:
    error = refusal(*SOUND, arms=arms)
    assert error.code == "unknown_arm"
    assert f"line 2, {place} is not one of the arms asked for, {', '.join(arms)}" in error.detail


def test_an_arm_of_a_listed_pair_that_was_not_asked_for_is_refused() -> None:
    with pytest.raises(InvalidVotes, match="unknown_arm: the list of pairs"):
        read_csv(table(*SOUND), arms=("x", "y"), pairs=[Pair("p9", "cat", ("x", "z"))])


def test_the_first_broken_row_is_the_one_named() -> None:
    assert "line 3," in refusal(SOUND[0], "p5,cat,r1,x,y,up,9", "p6,cat,r1,x,y,down,9").detail


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"choice": ["left"]}, "column choice: 1 entries beside 2 of pair_id; give each vote one"),
        ({"response_ms": [1, 2, 3]}, "column response_ms: 3 entries beside 2 of pair_id"),
        ({"response_ms": [5, -5]}, "row 2, column response_ms: -5 is no time in milliseconds; leave out unmeasured"),
        ({"response_ms": [2**60, None]}, "row 1, column response_ms: 1152921504606846976 is no time"),
    ],
)
def test_columns_that_no_file_gave_are_checked_too(changed: dict[str, Sequence[object]], detail: str) -> None:
    error = refused_columns(**changed)
    assert error.code == "bad_row"
    assert detail in error.detail


def test_a_pair_keeps_its_group() -> None:
    header = HEADER + ",group_id"
    rows = [f"{row},cat-1" for row in SOUND]
    assert read_csv(table(*rows, header=header)).groups == ("cat-1", "cat-1")
    error = refusal(*rows, "p2,dog,r2,x,y,left,9,cat-2", header=header)
    assert error.code == "pair_with_changing_group"
    assert "line 5, column group_id: pair p2 is 'cat-2' here, 'cat-1' elsewhere; a pair has one" in error.detail


def test_an_empty_group_is_refused() -> None:
    error = refusal(f"{SOUND[0]},", header=HEADER + ",group_id")
    assert (error.code, "line 2, column group_id" in error.detail) == ("bad_row", True)


@pytest.mark.parametrize(
    ("cells", "simulated"),
    [(("", "", ""), False), (("0", "no", "False"), False), (("", "yes", ""), True), (("1", "1", "1"), True)],
)
def test_one_simulated_row_makes_a_simulated_log(cells: tuple[str, ...], simulated: bool) -> None:
    rows = [f"{row},{cell}" for row, cell in zip(SOUND, cells, strict=True)]
    assert read_csv(table(*rows, header=HEADER + ",simulated")).simulated is simulated


# r1 is right once and wrong once, r2 right twice (images that are the same), r9 has gold votes only.
GOLD = (
    "g1,cat,r1,x,noise,left,9,x",
    "g1,cat,r2,x,x,same,9,same",
    "g2,cat,r1,noise,y,left,9,y",
    "g2,cat,r2,noise,y,same,9,same",
    "g1,cat,r9,x,noise,right,9,x",
)


def with_gold() -> Votes:
    rows = [f"{row}," for row in SOUND]
    # Gold votes stand between the others, as they were given.
    return read_csv(table(rows[0], GOLD[0], rows[1], *GOLD[1:4], rows[2], GOLD[4], header=HEADER + ",gold_arm"))


def test_gold_answers_are_counted_per_rater() -> None:
    gold = with_gold().gold
    assert (gold.seen.tolist(), gold.right.tolist(), gold.n) == ([2, 2], [1, 2], 5)


def test_gold_votes_are_in_nothing_but_the_gold_answers() -> None:
    plain, votes = read_csv(table(*SOUND)), with_gold()
    assert (votes.arms, votes.pair_names, votes.rater_names) == (plain.arms, plain.pair_names, plain.rater_names)
    assert votes.response_ms.tolist() == plain.response_ms.tolist()
    assert [row.a for row in Counts.of(votes).rows()] == [row.a for row in Counts.of(plain).rows()]
    assert two_way_net(votes, Crossed.of(votes)) == two_way_net(plain, Crossed.of(plain))
    assert position(votes) == position(plain)
    assert times(votes) == times(plain)
    assert analyse(votes).pairings[0].headline == analyse(plain).pairings[0].headline


def test_a_gold_vote_may_be_on_a_pair_that_is_judged_too() -> None:
    rows = [f"{row}," for row in SOUND]
    votes = read_csv(table(*rows, "p1,cat,r1,x,y,left,9,x", header=HEADER + ",gold_arm"))
    assert (votes.n_votes, votes.gold.seen.tolist()) == (3, [1, 0])


@pytest.mark.parametrize(
    ("code", "row", "detail"),
    [
        ("unknown_choice", "g1,cat,r1,x,y,up,9,x", "line 5, column choice: 'up'"),
        ("duplicate_vote", "g0,cat,r1,x,y,left,9,x", "already voted on pair g0 in line 4"),
        ("bad_row", "g1,cat,r1,x,y,left,9,z", "line 5, column gold_arm: 'z' is neither of the two arms shown"),
        ("bad_row", "g1,cat,r1,x,x,left,9,x", "line 5, column gold_arm: 'x' stands on both sides"),
    ],
)
def test_a_gold_row_that_breaks_a_rule_is_refused(code: str, row: str, detail: str) -> None:
    header = HEADER + ",gold_arm"
    error = refusal(f"{SOUND[0]},", f"{SOUND[1]},", "g0,cat,r1,x,y,left,9,x", row, header=header)
    assert (error.code, detail in error.detail) == (code, True), error.detail


def test_without_a_right_arm_column_gold_still_tells_right_from_wrong() -> None:
    header = HEADER.replace("right_arm,", "") + ",gold_arm"
    rows = ("p1,cat,r1,x,left,9,", "p2,cat,r1,y,left,9,", "g1,cat,r1,noise,right,9,x", "g2,cat,r1,x,right,9,x")
    gold = read_csv(table(*rows, header=header)).gold
    assert (gold.seen.tolist(), gold.right.tolist()) == ([2], [1])


def test_without_a_right_arm_column_a_misspelt_gold_answer_does_not_make_raters_wrong() -> None:
    header = HEADER.replace("right_arm,", "") + ",gold_arm"
    error = refusal("p1,cat,r1,x,left,9,", "p2,cat,r1,y,left,9,", "g1,cat,r1,x,left,9,X", header=header)
    assert error.code == "bad_row"
    assert "line 4, column gold_arm: 'X' is no arm of the log; correct it" in error.detail
