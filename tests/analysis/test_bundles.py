"""A results bundle holds together, and whatever is changed in it is named."""

import hashlib
import io
import json
import struct
import subprocess
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from analysis import Pair, Plan, Report, VoteColumns, Votes, analyse, read_csv
from analysis.bundles import BundledStudy, UnreadableBundle, Verdict, verify_bundle, write_bundle
from analysis.bundles.archive import MOST_BYTES, REQUIRED
from analysis.bundles.differences import Tolerance, first_difference
from analysis.bundles.rows import VOTE_COLUMNS
from analysis.vote_file import read_columns
from tests.analysis.logs import Entry, columns, pair_of, small_logs, unjudged

TABLE_2 = Path(__file__).parent.parent / "data" / "table2_votes.csv"
PLAN = Plan(question="Which image is more realistic?", thresholds=("50", "66.7", "80"))
Change = Callable[[dict[str, bytes]], None]


def no_figures(report: Report) -> Iterable[tuple[str, bytes]]:
    return [("thresholds.svg", f"<svg>{report.votes}</svg>".encode())]


def small_study(plan: Plan | None = PLAN) -> BundledStudy:
    votes = [*pair_of(8, 3, 2, name="p0"), *pair_of(2, 7, name="p1"), *pair_of(6, 1, 4, name="p2")]
    pairs = [Pair(f"p{n}", "cat", ("robust", "vanilla"), f"g{n}") for n in range(3)]
    return BundledStudy(
        columns(votes), (*pairs, *unjudged("lonely")), plan=plan, facts={"title": "Balls", "opened_at": "2026-11-01"}
    )


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    write_bundle(tmp_path / "results.zip", small_study(), draws=no_figures)
    return tmp_path / "results.zip"


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rewritten(path: Path, change: Change, *, sums: bool = False) -> Path:
    """The bundle after a change, with checksums that know of it or that do not."""
    files = members(path)
    change(files)
    if sums:
        lines = (f"{hashlib.sha256(files[name]).hexdigest()}  {name}\n" for name in files if name != "checksums.txt")
        files["checksums.txt"] = "".join(lines).encode()
    target = path.with_name("changed.zip")
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return target


def swap(name: str, old: str, new: str) -> Change:
    """Replace the first occurrence of a text in one member; it must be there."""

    def change(files: dict[str, bytes]) -> None:
        text = files[name].decode()
        assert old in text
        files[name] = text.replace(old, new, 1).encode()

    return change


def document(name: str, edit: Callable[[dict[str, object]], None]) -> Change:
    """Edit one JSON member as a table."""

    def change(files: dict[str, bytes]) -> None:
        table = json.loads(files[name])
        edit(table)
        files[name] = json.dumps(table).encode()

    return change


def found(verdict: Verdict) -> tuple[tuple[str, ...], str]:
    return verdict.changed, verdict.difference.sentence if verdict.difference else ""


def test_a_bundle_is_equal_to_itself(bundle: Path) -> None:
    verdict = verify_bundle(bundle)
    assert verdict.is_equal
    assert found(verdict) == ((), "")
    assert (verdict.votes, verdict.pairs, verdict.plan_sha256) == (33, 4, PLAN.sha256)
    assert (verdict.tolerance, verdict.other_versions) == (0.0, ())


def test_the_published_table_goes_through_a_bundle_unchanged(tmp_path: Path) -> None:
    report = write_bundle(tmp_path / "b.zip", BundledStudy(read_columns(TABLE_2)), draws=no_figures)
    stored = json.loads(members(tmp_path / "b.zip")["report.json"])
    # Kawar et al. (2023), Table 2, 80 %.
    assert stored["threshold_table"]["80"]["percent"] == {"robust": 21.5, "vanilla": 8.5, "no_preference": 70.0}
    assert stored == json.loads(json.dumps(analyse(TABLE_2).as_json())) == json.loads(json.dumps(report.as_json()))
    assert verify_bundle(tmp_path / "b.zip").is_equal


def test_equal_studies_give_equal_bytes(tmp_path: Path) -> None:
    for name in ("one.zip", "two.zip"):
        write_bundle(tmp_path / name, small_study(), draws=no_figures)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_sha256sum_confirms_every_file(bundle: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "out")
    done = subprocess.run(
        ["sha256sum", "--check", "checksums.txt"], cwd=tmp_path / "out", capture_output=True, text=True, check=True
    )
    assert done.stdout.count(": OK") == len(members(bundle)) - 1


def test_the_sha256_of_plan_json_is_the_plans(bundle: Path) -> None:
    assert hashlib.sha256(members(bundle)["plan.json"]).hexdigest() == PLAN.sha256


def test_an_unjudged_comparison_is_listed_and_counts(bundle: Path) -> None:
    files = members(bundle)
    assert b"lonely,cat,lonely,robust,vanilla\r\n" in files["comparisons.csv"]
    assert b"lonely" not in files["votes.csv"]
    assert json.loads(files["report.json"])["threshold_table"]["unjudged"] == 1


def test_votes_stand_in_terms_of_the_screen_and_of_the_arms(bundle: Path) -> None:
    header, first, second, *_ = members(bundle)["votes.csv"].decode().splitlines()
    assert header.split(",") == list(VOTE_COLUMNS)
    assert first == "p0,cat,g0,r0,vanilla,robust,right,,,,a"
    assert second == "p0,cat,g0,r1,robust,vanilla,left,,,,a"


def test_every_column_of_a_log_has_its_place_in_the_table_of_votes() -> None:
    assert {field.name for field in fields(VoteColumns)} - {"lines"} <= set(VOTE_COLUMNS)


@settings(max_examples=40)
@given(small_logs())
def test_the_tables_read_back_to_the_same_log(entries: list[Entry]) -> None:
    study = BundledStudy(columns(entries), tuple(unjudged("lonely")))
    write_bundle(target := io.BytesIO(), study, draws=no_figures)
    with zipfile.ZipFile(target) as archive, archive.open("votes.csv") as rows:
        again = read_csv(io.TextIOWrapper(rows, "utf-8", newline=""), pairs=unjudged("lonely"))
    votes = Votes.from_rows(study.votes, pairs=study.pairs)
    for name in ("arms", "rater_names"):
        assert getattr(again, name) == getattr(votes, name)
    for name in ("pair", "rater", "left_arm", "right_arm", "choice", "response_ms", "outcome"):
        assert np.array_equal(getattr(again, name), getattr(votes, name))


def test_gold_rows_times_groups_and_simulation_survive(tmp_path: Path) -> None:
    log = VoteColumns(
        pair_id=["p", "q", "gold", "twin", "p"],
        rater_id=["r", "r", "r", "r", "s"],
        left_arm=["x", "z", "x", "x", "y"],
        right_arm=["y", "x", "y", "x", "x"],
        choice=["left", "same", "left", "left", "right"],
        class_label=["a, b", 'say "hi"', "two\nlines", "a\rb", "a, b"],
        group_id=["g", "g", "h", "i", "g"],
        response_ms=[None, 1200, 3, None, 900],
        gold_arm=["", "", "y", "same", ""],
        simulated=True,
    )
    write_bundle(tmp_path / "b.zip", BundledStudy(log, arms=("z", "x", "y")), draws=no_figures)
    report = json.loads(members(tmp_path / "b.zip")["report.json"])
    assert (report["gold_votes"], report["simulated"], report["arms"]) == (2, True, ["z", "x", "y"])
    assert verify_bundle(tmp_path / "b.zip").is_equal
    with zipfile.ZipFile(tmp_path / "b.zip") as archive, archive.open("votes.csv") as rows:
        again = read_columns(io.TextIOWrapper(rows, "utf-8", newline=""))
    for field in fields(VoteColumns):
        if field.name not in {"lines", "group_id"}:
            assert list_of(getattr(again, field.name)) == list_of(getattr(log, field.name)), field.name
    # A gold comparison is none of the study's, so it shares a group with none of them.
    assert list_of(again.group_id) == ["g", "g", "gold", "twin", "g"]


def list_of(value: object) -> object:
    return list(value) if isinstance(value, list | tuple) else value


@pytest.mark.parametrize(
    ("change", "file"),
    [
        (swap("votes.csv", "right", "left"), "votes.csv was changed"),
        (swap("plan.json", '"66.7"', '"70"'), "plan.json was changed"),
        (swap("figures/thresholds.svg", "33", "34"), "figures/thresholds.svg was changed"),
        (swap("report.json", '"votes": 33', '"votes": 34'), "report.json was changed"),
        (swap("comparisons.csv", "lonely,cat,lonely,robust,vanilla\r\n", ""), "comparisons.csv was changed"),
        (swap("README.txt", "Twinseed", "Twinweed"), "README.txt was changed"),
        (lambda files: files.pop("figures/thresholds.svg"), "figures/thresholds.svg is missing"),
        (lambda files: files.update({"figures/extra.svg": b""}), "figures/extra.svg is not in checksums.txt"),
    ],
)
def test_a_changed_file_is_named(bundle: Path, change: Change, file: str) -> None:
    verdict = verify_bundle(rewritten(bundle, change))
    assert not verdict.is_equal
    assert verdict.changed[0].startswith(file)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (swap("votes.csv", ",right,,,,a", ",right,,,,b"), 'votes.csv, line 2, column outcome: "b" stands there, "a"'),
        (
            swap("votes.csv", ",right,", ",up,"),
            "votes.csv cannot be followed: line 2, column choice: 'up' is not one of",
        ),
        (
            document("report.json", lambda report: report["tests"]["two_way_net"].update(df=1.5)),
            "report.json, tests.two_way_net.df: 1.5 stands there,",
        ),
        (
            document("report.json", lambda report: report["threshold_table"].pop("66.7")),
            'report.json, threshold_table["66.7"]: {',
        ),
        (
            document("report.json", lambda report: report.update(verdict="robust wins")),
            'report.json, verdict: "robust wins" stands there, but nothing like it follows from the votes',
        ),
        (
            document("report.json", lambda report: report["arms"].append("third")),
            'report.json, arms[2]: "third" stands there, but nothing like it follows',
        ),
    ],
)
def test_a_figure_that_does_not_follow_is_named_though_checksums_were_made_anew(
    bundle: Path, change: Change, sentence: str
) -> None:
    changed, difference = found(verify_bundle(rewritten(bundle, change, sums=True)))
    assert changed == ()
    assert sentence in difference


@pytest.mark.parametrize(
    "change",
    [
        swap("votes.csv", "vanilla,robust,right,11066,,,a", "vanilla,robust,left,11066,,,b"),
        swap("votes.csv", "vanilla,robust,right,11066,,,a", "robust,vanilla,right,11066,,,b"),
        swap("comparisons.csv", "\r\np088,tiger cat", "\r\nunseen,cat,unseen,robust,vanilla\r\np088,tiger cat"),
    ],
)
def test_one_changed_vote_or_comparison_is_named_by_a_figure_with_both_values(change: Change, tmp_path: Path) -> None:
    write_bundle(tmp_path / "b.zip", BundledStudy(read_columns(TABLE_2)), draws=no_figures)
    verdict = verify_bundle(rewritten(tmp_path / "b.zip", change, sums=True))
    assert verdict.changed == ()
    assert verdict.difference is not None
    assert verdict.difference.file == "report.json"
    assert verdict.difference.stored == entry_at(members(tmp_path / "b.zip")["report.json"], verdict.difference.path)
    assert verdict.difference.stored != verdict.difference.recomputed


def test_dropping_an_unjudged_comparison_is_named_by_a_figure(bundle: Path) -> None:
    change = swap("comparisons.csv", "lonely,cat,lonely,robust,vanilla\r\n", "")
    difference = verify_bundle(rewritten(bundle, change, sums=True)).difference
    assert difference is not None
    assert difference.file == "report.json"


def entry_at(report: bytes, path: str) -> object:
    """The entry of a report at a path of plain keys and list places."""
    entry = json.loads(report)
    for key in path.replace("[", ".").replace("]", "").split("."):
        entry = entry[int(key)] if isinstance(entry, list) else entry[key]
    return entry


def test_another_plan_than_the_frozen_one_is_named_by_both_hashes(bundle: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        other = replace(PLAN, thresholds=("50", "70", "80"))
        files["plan.json"], files["plan.toml"] = other.canonical.encode(), other.as_toml().encode()

    changed, difference = found(verify_bundle(rewritten(bundle, change, sums=True)))
    assert len(changed) == 1
    assert PLAN.sha256 in changed[0]
    assert difference.startswith("report.json, ")
    assert "66.7" in difference


def test_a_plan_file_for_reading_that_says_something_else_is_named(bundle: Path) -> None:
    change = swap("plan.toml", '"66.7"', '"70"')
    assert found(verify_bundle(rewritten(bundle, change, sums=True))) == (
        ("plan.toml is another plan than plan.json",),
        "",
    )


def test_a_plan_that_cannot_be_followed_is_named(bundle: Path) -> None:
    change = document("plan.json", lambda plan: plan.update(filters=["nice_raters@1"]))
    _, difference = found(verify_bundle(rewritten(bundle, change, sums=True)))
    assert difference.startswith("plan.json cannot be followed: filters: 'nice_raters@1' is not a filter")


def test_a_report_that_claims_a_plan_which_was_not_there_is_named(tmp_path: Path) -> None:
    write_bundle(tmp_path / "b.zip", small_study(plan=None), draws=no_figures)
    assert json.loads(members(tmp_path / "b.zip")["report.json"])["plan_is_fixed"] is False
    change = document("report.json", lambda report: report.update(plan_is_fixed=True))
    _, difference = found(verify_bundle(rewritten(tmp_path / "b.zip", change, sums=True)))
    assert difference == "report.json, plan_is_fixed: true stands there, false follows from the votes"


def test_the_last_digit_counts_with_the_same_software(bundle: Path) -> None:
    def edit(report: dict[str, dict[str, dict[str, float]]]) -> None:
        net = report["tests"]["two_way_net"]
        net["p"] = float(np.nextafter(net["p"], 1.0))

    _, difference = found(verify_bundle(rewritten(bundle, document("report.json", edit), sums=True)))
    assert difference.startswith("report.json, tests.two_way_net.p: ")


def test_with_other_software_the_last_digits_may_differ_but_not_the_figures(bundle: Path) -> None:
    def other_numpy(files: dict[str, bytes]) -> None:
        document("versions.json", lambda versions: versions.update(numpy="1.26.0"))(files)

    def edited(factor: float) -> Verdict:
        def change(files: dict[str, bytes]) -> None:
            other_numpy(files)
            document(
                "report.json", lambda r: r["tests"]["two_way_net"].update(se=r["tests"]["two_way_net"]["se"] * factor)
            )(files)

        return verify_bundle(rewritten(bundle, change, sums=True))

    slightly, clearly = edited(1 + 1e-9), edited(1 + 1e-4)
    assert slightly.is_equal
    assert slightly.tolerance == 1e-6
    assert slightly.other_versions == (f"numpy 1.26.0 (here {np.__version__})",)
    assert not clearly.is_equal


def test_another_release_may_word_a_sentence_otherwise_but_not_change_a_code() -> None:
    stored = {"headline": "Raters like it", "code": "no_votes", "n": 3}
    newer = {"headline": "People like it", "code": "no_votes", "n": 3, "news": 1}
    loose = Tolerance(1e-6, 1e-9, same_words=False)
    assert first_difference(stored, newer, loose) is None
    assert first_difference(stored, {**newer, "code": "one_pair"}, loose).path == "code"
    assert first_difference(stored, newer).path == "headline"
    assert first_difference(stored, {**stored, "news": 1}).path == "news"


def test_a_large_section_that_differs_is_named_without_all_its_figures() -> None:
    difference = first_difference({"raters": list(range(1000))}, {})
    assert difference is not None
    assert difference.sentence.startswith("report.json, raters: [0, 1, 2")
    assert len(difference.sentence) < 300


def test_true_is_not_one_and_an_integer_is_its_float() -> None:
    assert first_difference({"a": 1}, {"a": True}).path == "a"
    assert first_difference({"a": 1}, {"a": 1.0}) is None
    assert first_difference({"a": [1, [2, 3]]}, {"a": [1, [2, 4]]}).path == "a[1][1]"


def test_a_file_that_is_no_zip_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "b.zip").write_text("not a zip")
    with pytest.raises(UnreadableBundle, match="not a readable zip"):
        verify_bundle(tmp_path / "b.zip")


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_member_is_named(bundle: Path, name: str) -> None:
    with pytest.raises(UnreadableBundle, match=f"it lacks {name}"):
        verify_bundle(rewritten(bundle, lambda files: files.pop(name) and None))


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("report.json", b"{", "report.json is not readable JSON"),
        ("report.json", b"[]", "report.json is not a table"),
        ("report.json", b'{"p": NaN}', "NaN is no JSON"),
        ("report.json", b'{"p": ' + b"9" * 5000 + b"}", "a number of 5000 digits"),
        ("report.json", b'{"p": ' + b"[" * 100_000, "report.json is not readable JSON"),
        ("study.json", b'{"arms": "robust", "bootstrap_rounds": 0}', "arms is not a list of names"),
        ("study.json", b'{"arms": ["a", "b"], "bootstrap_rounds": 1e9}', "bootstrap_rounds is not a number from 0"),
        ("study.json", b'{"arms": ["a", "b"], "bootstrap_rounds": 100001}', "bootstrap_rounds is not a number from 0"),
        ("checksums.txt", b"abc  votes.csv\n", "checksums.txt, line 1"),
        ("comparisons.csv", b"pair\n", "comparisons.csv: the header is not"),
        ("comparisons.csv", b"pair_id,class_label,group_id,arm_a,arm_b\r\np,cat\r\n", "line 2: 2 cells"),
        ("plan.json", b"\xff", "plan.json is not UTF-8"),
    ],
)
def test_a_member_that_cannot_be_read_is_named(bundle: Path, name: str, content: bytes, sentence: str) -> None:
    with pytest.raises(UnreadableBundle, match=sentence):
        verify_bundle(rewritten(bundle, lambda files: files.update({name: content}), sums=name != "checksums.txt"))


def test_a_damaged_byte_inside_the_zip_is_named(bundle: Path) -> None:
    with zipfile.ZipFile(bundle) as archive:
        entry = archive.getinfo("votes.csv")
    data = bytearray(bundle.read_bytes())
    data[entry.header_offset + 30 + len("votes.csv") + 60] ^= 0xFF
    bundle.write_bytes(data)
    with pytest.raises(UnreadableBundle, match=r"votes\.csv is damaged"):
        verify_bundle(bundle)


def test_a_zip_that_says_it_is_huge_is_refused_before_it_is_unpacked(bundle: Path) -> None:
    def say_it_is_huge(data: bytearray) -> None:
        # The uncompressed size stands at offset 24 of an entry of the central directory.
        at = data.index(b"PK\x01\x02")
        data[at + 24 : at + 28] = struct.pack("<I", MOST_BYTES + 1)

    data = bytearray(bundle.read_bytes())
    say_it_is_huge(data)
    bundle.write_bytes(data)
    with pytest.raises(UnreadableBundle, match="the zip says that it holds 1024 MB"):
        verify_bundle(bundle)


def test_a_document_that_would_fill_the_memory_is_refused(bundle: Path) -> None:
    def change(files: dict[str, bytes]) -> None:
        files["report.json"] = b" " * (65 << 20)

    with pytest.raises(UnreadableBundle, match=r"report\.json says it is larger than 64 MB"):
        verify_bundle(rewritten(bundle, change, sums=True))


def test_two_members_of_one_name_are_refused(bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("report.json", "{}")
    with pytest.raises(UnreadableBundle, match="one name twice"):
        verify_bundle(bundle)


def test_nothing_is_written_where_nothing_can_be_analysed(tmp_path: Path) -> None:
    log = replace(columns(pair_of(2, 1)), choice=["left", "up", "same"])
    with pytest.raises(ValueError, match="unknown_choice"):
        write_bundle(tmp_path / "b.zip", BundledStudy(log), draws=no_figures)
    assert not (tmp_path / "b.zip").exists()
