import io
from pathlib import Path

import pytest

from analysis import InvalidVotes, read_csv

HEADER = "pair_id,class_label,rater_id,left_arm,choice,response_ms\n"
TABLE_2 = Path(__file__).parents[1] / "data" / "table2_votes.csv"


def refusal(text: str) -> InvalidVotes:
    with pytest.raises(InvalidVotes) as caught:
        read_csv(io.StringIO(text, newline=""))
    return caught.value


def test_the_fixture_is_read_whole() -> None:
    votes = read_csv(TABLE_2)
    assert (votes.n_votes, votes.n_pairs, votes.n_raters) == (5018, 200, 92)
    assert votes.arms == ("robust", "vanilla")
    assert dict(zip(votes.pair_names, votes.class_labels, strict=True))["p088"] == "tiger cat"
    assert votes.response_ms[:3].tolist() == [11066, 5649, 3142]


def test_a_byte_order_mark_blank_lines_other_columns_and_spaces_do_no_harm(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_bytes(
        b"\xef\xbb\xbfnote,choice,rater_id,pair_id,class_label,left_arm,response_ms\r\n"
        b'"two\nlines",left,r1,p1,cat, x ,\r\n\r\n,right,r2,p1,cat,y,812.0\r\n'
    )
    votes = read_csv(file)
    assert votes.arms == ("x", "y")
    assert votes.outcome.tolist() == [1, 1]
    assert votes.response_ms.tolist() == [-1, 812]


def test_more_than_two_arms_are_read_with_the_right_arm() -> None:
    header = HEADER.replace("left_arm", "left_arm,right_arm")
    votes = read_csv(io.StringIO(f"{header}p1,cat,r1,x,y,left,9\np2,cat,r1,z,y,left,9\n"))
    assert votes.arms == ("x", "y", "z")
    assert votes.outcome.tolist() == [1, -1]


def test_an_empty_file_and_a_header_alone_have_no_votes() -> None:
    assert refusal("").code == "no_votes"
    assert refusal(HEADER).code == "no_votes"


def test_missing_columns_are_named() -> None:
    error = refusal("pair_id,rater_id,left_arm,choice\np1,r1,x,left\n")
    assert error.code == "missing_columns"
    assert "class_label, response_ms" in error.detail


@pytest.mark.parametrize(
    ("row", "code", "detail"),
    [
        ("p2,cat,r1,y,both,100", "unknown_choice", "line 4, column choice: 'both'"),
        ("p2,cat,r1,y,left,soon", "bad_row", "line 4, column response_ms: 'soon'"),
        ("p2,cat,r1,y,left,-3", "bad_row", "line 4, column response_ms: '-3'"),
        ("p2,cat,r1,y,left,nan", "bad_row", "line 4, column response_ms: 'nan'"),
        ("p2,cat,,y,left,100", "bad_row", "line 4, column rater_id: the cell is empty"),
        ("p2,cat,r1,y,left", "bad_row", "line 4: 5 cells under 6 columns"),
        ("p1,cat,r1,y,left,100", "duplicate_vote", "line 4"),
    ],
)
def test_a_bad_row_is_refused_by_line_and_column(row: str, code: str, detail: str) -> None:
    error = refusal(f'{HEADER}p1,"{"two"}\nlines",r1,x,left,100\n{row}\n')
    assert (error.code, detail in error.detail) == (code, True), error.detail


def test_a_column_that_is_there_twice_is_refused() -> None:
    assert "choice is there twice" in refusal(HEADER.strip() + ",choice\np1,cat,r1,x,left,1,right\n").detail


def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "votes.csv"
    file.write_bytes(HEADER.encode() + "p1,Äpfel,r1,x,left,100\n".encode("latin-1"))
    with pytest.raises(InvalidVotes, match="save it as UTF-8"):
        read_csv(file)
