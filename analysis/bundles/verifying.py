"""Is a bundle's report what its votes give? Every file against its checksum, then the report computed again."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from os import PathLike

from analysis.bundles.archive import CHECKSUMS, BundleFiles, opened_bundle
from analysis.bundles.differences import EXACT, Tolerance, first_difference, numbers_in
from analysis.bundles.rows import first_wrong_outcome, read_collected
from analysis.bundles.verdict import Difference, UnreadableBundle, Verdict
from analysis.plan import InvalidPlan, Plan
from analysis.records import Json
from analysis.report import Report, analyse
from analysis.versions import versions
from analysis.votes import InvalidVotes, Votes

# Other software sums in another order and stops a search at another digit; a figure's meaning ends long before.
RELATIVE, ABSOLUTE = 1e-6, 1e-9
COMPUTED_BY = ("twinseed", "code", "python", "numpy", "scipy", "arithmetic")
OURS = ("twinseed", "code")
CHECKSUM = re.compile(r"([0-9a-f]{64})  (.+)")
MOST_DIGITS = 18
# Nobody computes more; a larger number would only keep the machine busy.
MOST_ROUNDS = 100_000


def verify_bundle(path: str | PathLike[str]) -> Verdict:
    """Check a results bundle; it needs nothing but the file.

    Files whose bytes are not those of checksums.txt are named, all of them; of the report the first entry that the
    recomputed one does not confirm. Numbers must be the same digit by digit where the software and the processor are
    those of versions.json, else to one part in a million (below 1e-3: to 1e-9).
    Raises UnreadableBundle where the file is no whole bundle, OSError where there is none.
    """
    with opened_bundle(path) as files:
        changed = (*_changed(files), *_changed_plan(files))
        others = tuple(_other_versions(_table(files, "versions.json")))
        tolerance = _tolerance(others)
        report, difference = _recomputed(files)
        if report is not None and difference is None:
            # Written and read, as the stored report was: then both are made of the same kinds of values.
            again = _loads(json.dumps(report.as_json(), allow_nan=False), name="report.json")
            difference = first_difference(_table(files, "report.json"), again, tolerance)
        study = _table(files, "study.json")
    return Verdict(
        changed=changed,
        difference=difference,
        tolerance=tolerance.relative,
        other_versions=tuple(f"{name} {theirs} (here {ours})" for name, theirs, ours in others),
        plan_sha256=str(study.get("plan_sha256", "")),
        votes=report.votes if report else 0,
        pairs=report.pairs if report else 0,
        numbers=numbers_in(report.as_json()) if report else 0,
    )


def _recomputed(files: BundleFiles) -> tuple[Report | None, Difference | None]:
    study = _table(files, "study.json")
    rounds = _rounds(study)
    try:
        plan = Plan.of(_table(files, "plan.json"))
        votes = _votes(files, _arms(study))
    except InvalidPlan as error:
        return None, Difference("plan.json", "", problem=str(error))
    except InvalidVotes as error:
        return None, Difference("votes.csv", "", problem=error.detail)
    with files.stream("votes.csv") as rows:
        wrong = first_wrong_outcome(rows, arms=votes.arms)
    report = analyse(votes, plan=plan if study.get("plan_sha256") else None, rounds=rounds)
    if wrong is None:
        return report, None
    line, stored, follows = wrong
    return report, Difference("votes.csv", f"line {line}, column outcome", stored, follows)


def _votes(files: BundleFiles, arms: list[str]) -> Votes:
    with files.stream("comparisons.csv") as comparisons, files.stream("votes.csv") as rows:
        return read_collected(comparisons, rows, arms=arms)


def _arms(study: dict[str, Json]) -> list[str]:
    arms = study.get("arms")
    if not isinstance(arms, list) or not all(isinstance(arm, str) for arm in arms):
        raise UnreadableBundle("study.json: arms is not a list of names")
    return [str(arm) for arm in arms]


def _rounds(study: dict[str, Json]) -> int:
    rounds = study.get("bootstrap_rounds")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or not 0 <= rounds <= MOST_ROUNDS:
        raise UnreadableBundle(f"study.json: bootstrap_rounds is not a number from 0 to {MOST_ROUNDS}")
    return rounds


def _changed(files: BundleFiles) -> Iterator[str]:
    sums = _checksums(files)
    for name in sums:
        if name not in files.names:
            yield f"{name} is missing"
        elif files.sha256(name) != sums[name]:
            yield f"{name} was changed: its sha256 is not the one in {CHECKSUMS}"
    for name in files.names:
        if name != CHECKSUMS and name not in sums:
            yield f"{name} is not in {CHECKSUMS}"


def _checksums(files: BundleFiles) -> dict[str, str]:
    sums = {}
    for number, line in enumerate(files.text(CHECKSUMS).splitlines(), start=1):
        found = CHECKSUM.fullmatch(line)
        if found is None:
            raise UnreadableBundle(f"{CHECKSUMS}, line {number}: it is no sha256 with a file's name")
        sums[found[2]] = found[1]
    return sums


def _changed_plan(files: BundleFiles) -> Iterator[str]:
    frozen = _table(files, "study.json").get("plan_sha256")
    try:
        plan = Plan.of(_table(files, "plan.json"))
        if frozen and plan.sha256 != frozen:
            yield f"plan.json is not the plan that was frozen: its sha256 is {plan.sha256}, study.json says {frozen}"
        if "plan.toml" in files.names and Plan.from_toml(files.text("plan.toml")) != plan:
            yield "plan.toml is another plan than plan.json"
    except InvalidPlan as error:
        yield f"the plan cannot be followed: {error}"


def _other_versions(stored: dict[str, Json]) -> Iterator[tuple[str, str, str]]:
    for name in COMPUTED_BY:
        theirs, ours = str(stored.get(name, "unknown")), versions()[name]
        if theirs != ours:
            yield name, theirs, ours


def _tolerance(others: tuple[tuple[str, str, str], ...]) -> Tolerance:
    if not others:
        return EXACT
    return Tolerance(RELATIVE, ABSOLUTE, same_words=not any(name in OURS for name, _, _ in others))


def _table(files: BundleFiles, name: str) -> dict[str, Json]:
    document = _loads(files.text(name), name=name)
    if not isinstance(document, dict):
        raise UnreadableBundle(f"{name} is not a table of entries")
    return document


def _loads(text: str, *, name: str) -> Json:
    try:
        document: Json = json.loads(text, parse_constant=_refused, parse_int=_whole)
    except (ValueError, RecursionError) as error:
        raise UnreadableBundle(f"{name} is not readable JSON: {error}") from error
    return document


def _refused(constant: str) -> float:
    raise ValueError(f"{constant} is no JSON")


def _whole(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise ValueError(f"a number of {len(digits)} digits is no figure")
    return int(digits)
