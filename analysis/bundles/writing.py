"""A study's results in one zip: what was planned, shown and answered, what follows from it, and how to check that."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import TextIO

from analysis.bootstrap import ROUNDS
from analysis.bundles.archive import BundleWriter, Target
from analysis.bundles.figures import figures_of
from analysis.bundles.readme import README
from analysis.bundles.rows import (
    COMPARISON_COLUMNS,
    VOTE_COLUMNS,
    Collected,
    comparison_rows,
    pairs_of,
    read_collected,
    vote_rows,
    write_table,
)
from analysis.plan import Plan
from analysis.records import Json
from analysis.report import Report, analyse
from analysis.versions import versions
from analysis.votes import Pair, VoteColumns, Votes

Draws = Callable[[Report], Iterable[tuple[str, bytes]]]


@dataclass(frozen=True)
class BundledStudy:
    """A study as it goes into a bundle.

    votes: those that count, gold rows too, in order of arrival. pairs: every normal comparison, judged or not; votes
    may name others, as in a log that came without a list. arms: their order, alphabetical unless given. plan: what
    was frozen before the votes, None where nothing was. rounds: of the two-way bootstrap, 0 leaves it out. facts: what
    else a reader wants to know, such as a title.
    """

    votes: VoteColumns
    pairs: tuple[Pair, ...] = ()
    arms: tuple[str, ...] | None = None
    plan: Plan | None = None
    rounds: int = ROUNDS
    facts: Mapping[str, Json] = field(default_factory=dict)


def write_bundle(target: Target, study: BundledStudy, *, draws: Draws = figures_of) -> Report:
    """Write a study's results bundle to a path or an open binary file; return the report that it holds.

    Equal studies, software and machines give equal bytes. The report is computed from the very rows that are written.
    draws: what names and draws the figures. Raises InvalidVotes where nothing can be analysed, before anything is
    written.
    """
    votes = Votes.from_rows(study.votes, pairs=study.pairs, arms=study.arms)
    collected = Collected(study.votes, tuple(pairs_of(votes)), votes.arms)
    with _temporary() as comparisons, _temporary() as rows:
        write_table(comparisons, COMPARISON_COLUMNS, comparison_rows(collected))
        write_table(rows, VOTE_COLUMNS, vote_rows(collected))
        report = analyse(_read_back(comparisons, rows, arms=votes.arms), plan=study.plan, rounds=study.rounds)
        figures = list(draws(report))
        with closing(BundleWriter(target)) as bundle:
            bundle.add("README.txt", README)
            bundle.add("study.json", as_text(_study(study, report)))
            bundle.add("plan.json", report.plan.canonical)
            bundle.add("plan.toml", report.plan.as_toml())
            bundle.add_file("comparisons.csv", _from_start(comparisons).buffer)
            bundle.add_file("votes.csv", _from_start(rows).buffer)
            bundle.add("report.json", as_text(report.as_json()))
            for name, content in figures:
                bundle.add(f"figures/{name}", content)
            bundle.add("versions.json", as_text(dict(versions())))
    return report


def as_text(document: Mapping[str, Json]) -> str:
    """A document as it stands in a bundle: never NaN, never infinity."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _temporary() -> TextIO:
    return tempfile.TemporaryFile("w+", encoding="utf-8", newline="")


def _from_start(file: TextIO) -> TextIO:
    file.seek(0)
    return file


def _read_back(comparisons: TextIO, rows: TextIO, *, arms: tuple[str, ...]) -> Votes:
    # A vote log's cells are stripped when it is read, so the arms' names are too.
    return read_collected(_from_start(comparisons), _from_start(rows), arms=[arm.strip() for arm in arms])


def _study(study: BundledStudy, report: Report) -> dict[str, Json]:
    return {
        **study.facts,
        "arms": list(report.arms),
        "plan_sha256": study.plan.sha256 if study.plan else "",
        "bootstrap_rounds": study.rounds,
        "simulated": report.simulated,
        "comparisons": report.pairs,
        "votes": report.votes,
        "gold_votes": report.gold_votes,
    }
