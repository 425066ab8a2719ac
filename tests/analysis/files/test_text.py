from analysis.files.sections import tables_of
from analysis.files.text import WIDTH, text_of, text_table
from tests.analysis.files.reports import degenerate, four_arms, table_2


def test_columns_of_figures_end_together() -> None:
    shares = next(table for table in tables_of(table_2()) if table.name == "shares")
    lines = text_table(shares).splitlines()[2:6]
    assert len({len(line) for line in lines}) == 1
    assert [line.split()[:2] for line in lines] == [
        ["Answer", "Votes"],
        ["robust", "2027"],
        ["vanilla", "1626"],
        ["Same", "1365"],
    ]


def test_sentences_are_broken_at_the_width_of_a_terminal() -> None:
    sentences = text_of(table_2()).split("Comparisons in which")[0]
    assert max(map(len, sentences.splitlines())) <= WIDTH


def test_each_pairing_of_several_arms_has_its_heading() -> None:
    lines = text_of(four_arms()).splitlines()
    assert lines[0] == four_arms().headline[: len(lines[0])]
    assert [line for line in lines if " against " in line] == [
        f"{one} against {two}" for one, two in ("ab", "ac", "ad", "bc", "bd", "cd")
    ]


def test_a_missing_figure_is_explained_below_its_table() -> None:
    text = text_of(degenerate("one pair"))
    assert "n/a (one_pair)" in text
    assert "one_pair: votes on one pair say nothing about how pairs differ; two are needed" in text
