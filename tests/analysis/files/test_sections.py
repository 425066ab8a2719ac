from dataclasses import replace

from analysis.charts import CHARTS
from analysis.files.sections import EXPLORATORY, sections, tables_of
from tests.analysis.files.reports import WITH_A_REPORT, degenerate, four_arms, planned, table_2


def test_two_arms_have_their_pairing_first() -> None:
    assert [section.title for section in sections(table_2())] == [
        "Result",
        "robust against vanilla",
        "Ratings",
        "Raters",
    ]


def test_several_arms_have_their_ratings_first() -> None:
    titles = [section.title for section in sections(four_arms())]
    assert titles[:3] == ["Result", "Ratings", "a against b"]
    assert titles[-1] == "Raters"
    assert len(titles) == 3 + 6


def test_every_chart_stands_in_one_place_of_a_report_on_two_arms() -> None:
    charts = [kind.name for section in sections(table_2()) for kind in section.charts]
    assert sorted(charts) == sorted(CHARTS)


def test_every_warning_and_headline_is_said_once() -> None:
    said = [sentence for section in sections(table_2()) for sentence in (*section.sentences, *section.warnings)]
    assert said.count(table_2().headline) == 1
    assert len(said) == len(set(said))
    pairing = table_2().pairings[0]
    assert {*table_2().warnings, *pairing.warnings} <= set(said)


def test_a_part_that_cannot_be_had_stands_as_a_table_with_its_reason() -> None:
    for name in WITH_A_REPORT:
        for table in tables_of(degenerate(name)):
            assert table.title
            assert table.rows or table.name == "bradley_terry.pairwise"
    tests = next(table for table in tables_of(degenerate("every vote is Same")) if table.name == "tests")
    assert tests.reasons() == ("no_side_votes: every vote is Same, so there is no preference to test",)


def test_what_a_plan_did_not_name_is_marked() -> None:
    marked = {table.name for table in tables_of(planned()) if EXPLORATORY in table.notes}
    assert {"agreement", "bradley_terry", "sequential"} <= marked
    assert not {"threshold_table", "shares", "classes", "leaderboard.contrasts", "votes"} & marked


def test_without_a_plan_no_single_table_is_marked_but_the_first_says_so() -> None:
    assert not any(EXPLORATORY in table.notes for table in tables_of(table_2()))
    assert "every figure is exploratory" in tables_of(table_2())[0].notes[0]


def test_simulated_votes_are_labelled() -> None:
    first = tables_of(replace(table_2(), simulated=True))[0]
    assert first.notes[0] == "The votes were simulated: no person gave them."
