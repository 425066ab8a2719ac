import csv
import io

import pytest

from analysis.files.csv_tables import TIDY_COLUMNS, csv_files, tidy_csv, wide_csv
from analysis.files.sections import tables_of
from tests.analysis.files.reports import STRANGE_ARMS, WITH_A_REPORT, degenerate, four_arms, strange_names, table_2


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_the_tidy_file_holds_table_2_of_the_paper() -> None:
    lines = [line for line in rows(tidy_csv(tables_of(table_2()))) if line["table"] == "threshold_table"]
    assert [float(line["value"]) for line in lines] == [
        *(61.5, 31.5, 7.0),
        *(51.0, 20.5, 28.5),
        *(35.0, 13.5, 51.5),
        *(21.5, 8.5, 70.0),
    ]
    assert [line["row"] for line in lines[::3]] == ["50", "60", "70", "80"]
    assert [line["figure"] for line in lines[:3]] == ["robust", "vanilla", "no_preference"]


def test_the_tidy_file_holds_numbers_with_all_their_digits_and_intervals_in_the_same_unit() -> None:
    report = table_2().as_json()
    lines = {(line["table"], line["row"], line["figure"]): line for line in rows(tidy_csv(tables_of(table_2())))}
    headline = report["tests"]["two_way_net"]
    line = lines["tests", "two_way_net", "estimate"]
    assert [float(line[name]) for name in ("value", "low", "high")] == [headline["estimate"], *headline["ci95"]]
    share = report["shares"]["robust"]
    line = lines["shares", "robust", "percent"]
    assert [float(line[name]) for name in ("value", "low", "high")] == pytest.approx(
        [share["percent"], *(100 * bound for bound in share["two_way"]["ci95"])]
    )


@pytest.mark.parametrize("name", WITH_A_REPORT)
def test_a_figure_that_cannot_be_had_has_its_code_and_no_number(name: str) -> None:
    lines = rows(tidy_csv(tables_of(degenerate(name))))
    missing = [line for line in lines if line["unavailable"]]
    assert missing
    assert all((line["value"] and not line["low"]) or line["value"] == "" for line in missing)
    assert all(line["value"] for line in lines if not line["unavailable"])
    assert not any(text in {"nan", "inf", "-inf"} for line in lines for text in line.values())


def test_every_line_of_the_tidy_file_has_all_columns() -> None:
    lines = list(csv.reader(io.StringIO(tidy_csv(tables_of(four_arms())))))
    assert tuple(lines[0]) == TIDY_COLUMNS
    assert {len(line) for line in lines} == {len(TIDY_COLUMNS)}


def test_a_figure_has_one_line_in_the_tidy_file() -> None:
    for report in (table_2(), four_arms()):
        keys = [tuple(line[name] for name in TIDY_COLUMNS[:5]) for line in rows(tidy_csv(tables_of(report)))]
        assert len(keys) == len(set(keys))


def test_each_table_is_a_file_of_its_own() -> None:
    files = csv_files(tables_of(table_2()))
    assert {"threshold_table.csv", "shares.csv", "tests.csv", "leaderboard.csv", "rater_quality.csv"} <= set(files)
    lines = rows(files["threshold_table.csv"])
    assert [line["threshold_percent"] for line in lines] == ["50", "60", "70", "80"]
    assert (float(lines[0]["robust"]), float(lines[0]["robust_low"])) == (61.5, pytest.approx(54.5999, abs=1e-4))
    assert len(rows(files["rater_quality.csv"])) == 92


def test_each_pairing_of_several_arms_has_its_own_files() -> None:
    files = csv_files(tables_of(four_arms()))
    assert {f"tests-{one}-{two}.csv" for one, two in ("ab", "ac", "ad", "bc", "bd", "cd")} <= set(files)
    assert len(rows(files["leaderboard.csv"])) == 4


def test_names_of_arms_survive_a_csv() -> None:
    table = next(table for table in tables_of(strange_names()) if table.name == "shares")
    assert [line["answer"] for line in rows(wide_csv(table))] == [*STRANGE_ARMS, "same"]


def test_file_names_hold_no_characters_that_a_file_system_refuses() -> None:
    tables = [table for table in tables_of(strange_names()) if table.name == "shares"]
    for name in csv_files([*tables, *tables]):
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
    assert len(csv_files([*tables, *tables])) == 2
