"""`manage.py analyse`: the report of a file, from a shell, without a database."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from analysis import analyse
from tests.analysis.degenerate import FOUR_ARM_LOG, LOGS

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "tests" / "data" / "table2_votes.csv"


def run(*words: str) -> str:
    out = io.StringIO()
    call_command("analyse", *words, stdout=out, stderr=io.StringIO())
    return out.getvalue()


@pytest.fixture
def four_arms(tmp_path: Path) -> str:
    return written(tmp_path, FOUR_ARM_LOG)


def written(folder: Path, text: str, name: str = "votes.csv") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def shell(*words: str) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, with a database that nobody can reach."""
    unreachable = {**os.environ, "DATABASE_URL": "postgres://nobody:nothing@192.0.2.1:1/nowhere?connect_timeout=1"}
    command = (sys.executable, "manage.py", "analyse", *words)
    return subprocess.run(command, cwd=ROOT, env=unreachable, capture_output=True, text=True, check=False, timeout=120)


def test_no_database_is_needed() -> None:
    done = shell(str(FIXTURE), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["threshold_table"]["80"]["percent"] == {
        "robust": 21.5,
        "vanilla": 8.5,
        "no_preference": 70.0,
    }
    assert done.stderr == ""


def test_the_three_lines_of_the_readme_reproduce_table_2(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text(encoding="utf-8").split("### Table 2 in three lines")[1]
    lines = section.split("```")[1].strip().splitlines()
    assert len(lines) == 3
    prints, writes = ([str(ROOT / word) if "/" in word else word for word in line.split()[3:]] for line in lines[1:])
    assert re.search(r"> 60.%\s+51\.0.% \[44\.1, 57\.8\]\s+20\.5.% \[15\.5, 26\.6\]\s+28\.5.%", run(*prints))
    page = tmp_path / writes.pop()
    run(*writes, str(page))
    assert "<svg" in page.read_text(encoding="utf-8")


def test_text_is_the_default_and_starts_with_the_answer() -> None:
    text = run(str(FIXTURE))
    assert " ".join(text.split()).startswith(
        "Raters prefer robust: +8.0 points of net preference, 95 % interval 1.7 to 14.3, p = 0.014, allowing for 200 "
        "pairs and 92 raters. Note: Half of the comparisons have 18 or fewer votes that chose a side."
    )
    rows = [line.split() for line in text.splitlines() if line.startswith("> ")]
    assert [[row[1], row[3], row[7], row[11]] for row in rows] == [
        ["50", "61.5", "31.5", "7.0"],
        ["60", "51.0", "20.5", "28.5"],
        ["70", "35.0", "13.5", "51.5"],
        ["80", "21.5", "8.5", "70.0"],
    ]


def test_with_several_arms_the_text_has_a_leaderboard(four_arms: str) -> None:
    text = run(four_arms)
    assert "Arms by their rating" in text
    assert "a against" not in text.split("Arms by their rating")[0]


def test_json_is_the_report_itself() -> None:
    assert json.loads(run(str(FIXTURE), "--json")) == json.loads(json.dumps(analyse(FIXTURE).as_json()))


def test_arms_set_the_order() -> None:
    report = json.loads(run(str(FIXTURE), "--arms", "vanilla, robust", "--json"))
    assert report["arms"] == ["vanilla", "robust"]
    assert report["tests"]["two_way_net"]["estimate"] == pytest.approx(-0.079912315663611)


def test_a_plan_is_followed(tmp_path: Path) -> None:
    plan = written(tmp_path, 'thresholds = [55, 66.7]\nheadline = "two_way_side_share"\n', "plan.toml")
    report = json.loads(run(str(FIXTURE), "--plan", plan, "--json"))
    assert (report["thresholds"], report["plan_is_fixed"]) == (["55", "66.7"], True)
    assert report["headline"].startswith("Raters prefer robust: 55.5 % of the votes that chose a side")


def test_the_vote_table_may_stand_behind_the_format() -> None:
    out = io.StringIO()
    call_command("analyse", "--json", str(FIXTURE), stdout=out)
    assert json.loads(out.getvalue())["votes"] == 5018


@pytest.mark.parametrize("form", ["json", "latex", "csv", "html"])
def test_each_format_goes_to_a_file_or_to_standard_output(form: str, tmp_path: Path) -> None:
    target = tmp_path / f"report.{form}"
    votes = written(tmp_path, LOGS["two arms, one never wins, ties exist"])
    assert run(votes, f"--{form}", str(target)) == ""
    assert target.read_text(encoding="utf-8") == run(votes, f"--{form}") == run(votes, f"--{form}", "-")


def test_several_formats_are_written_at_once(tmp_path: Path) -> None:
    run(str(FIXTURE), "--json", str(tmp_path / "r.json"), "--latex", str(tmp_path / "r.tex"))
    assert json.loads((tmp_path / "r.json").read_text())["votes"] == 5018
    assert r"\toprule" in (tmp_path / "r.tex").read_text()


def test_only_one_format_goes_to_standard_output() -> None:
    with pytest.raises(CommandError, match="Only one format can go to standard output"):
        run(str(FIXTURE), "--json", "-", "--csv", "-")


def test_csv_into_a_folder_is_a_file_a_table(tmp_path: Path) -> None:
    run(str(FIXTURE), "--csv", f"{tmp_path}/tables/")
    with (tmp_path / "tables" / "threshold_table.csv").open(newline="") as stream:
        assert [row["robust"] for row in csv.DictReader(stream)] == ["61.5", "51.0", "35.0", "21.5"]
    assert len(list((tmp_path / "tables").iterdir())) > 10


def test_a_log_without_right_arm_is_fine_with_two_arms(tmp_path: Path) -> None:
    with FIXTURE.open(newline="") as stream:
        rows = [[value for name, value in row.items() if name != "right_arm"] for row in csv.DictReader(stream)]
    header = "pair_id,class_label,rater_id,left_arm,choice,response_ms"
    votes = written(tmp_path, "\n".join((header, *(",".join(row) for row in rows))))
    assert json.loads(run(votes, "--json")) == json.loads(run(str(FIXTURE), "--json"))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("header only", "no_votes"),
        ("one arm", "one_arm"),
        ("same rater, same pair twice", "duplicate_vote"),
        ("a choice that is none", "unknown_choice"),
        ("an arm against itself", "arm_against_itself"),
        ("a column missing", "missing_columns"),
    ],
)
def test_a_log_that_cannot_be_analysed_is_one_error_object_and_status_2(name: str, code: str, tmp_path: Path) -> None:
    votes = written(tmp_path, LOGS[name])
    out = io.StringIO()
    with pytest.raises(SystemExit) as ended:
        call_command("analyse", votes, "--json", stdout=out)
    assert ended.value.code == 2
    error = json.loads(out.getvalue())
    assert (error["error"], set(error)) == (code, {"error", "detail"})
    with pytest.raises(CommandError) as told:
        run(votes)
    assert told.value.returncode == 2
    assert str(told.value) == f"{votes} cannot be analysed: {error['detail']}."


def test_the_error_of_a_report_that_was_to_be_a_file_is_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(CommandError) as told:
        run(written(tmp_path, LOGS["header only"]), "--json", str(tmp_path / "report.json"))
    assert told.value.returncode == 2
    assert json.loads((tmp_path / "report.json").read_text())["error"] == "no_votes"


def test_a_shell_sees_status_2(tmp_path: Path) -> None:
    done = shell(written(tmp_path, LOGS["one arm"]), "--json")
    assert (done.returncode, json.loads(done.stdout)["error"], done.stderr) == (2, "one_arm", "")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("no_such_file.csv",), "Cannot read no_such_file.csv: No such file or directory."),
        ((".",), "Cannot read .: Is a directory."),
        ((), "Name the vote table. Example: manage.py analyse votes.csv --json"),
        ((str(FIXTURE), "--plan", "nowhere.toml"), "Cannot read the plan nowhere.toml: No such file or directory."),
        ((str(FIXTURE), "--json", "/nowhere/r.json"), "Cannot write /nowhere/r.json: No such file or directory."),
        ((str(FIXTURE), "--csv", str(FIXTURE)), f"{FIXTURE} holds the votes; name another file for the report."),
    ],
)
def test_what_cannot_be_read_or_written_is_one_sentence(words: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as told:
        run(*words)
    assert (str(told.value), told.value.returncode) == (sentence, 1)


def test_a_plan_that_cannot_be_followed_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"The plan .* cannot be followed: thresholds: .*outside 50 to 100"):
        run(str(FIXTURE), "--plan", written(tmp_path, "thresholds = [40]", "plan.toml"))


def test_votes_may_come_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(LOGS["one rater"]))
    assert json.loads(run("-", "--json"))["raters"] == 1
