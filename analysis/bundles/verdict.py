"""What a check of a results bundle found."""

from __future__ import annotations

import json
from dataclasses import dataclass

from analysis.records import Json

# A section that is missing as a whole is named by its path; a screen full of its figures would hide that.
LONGEST_SHOWN = 200


class UnreadableBundle(Exception):
    """The file is not a results bundle, or not a whole one; the message says what is wrong with it."""


@dataclass(frozen=True)
class Difference:
    """The first place where what is stored and what follows from the votes are not the same.

    file: the member of the bundle. path: where in it, as `tests.two_way_net.p` or `line 17, column outcome`; empty
    where the file as a whole cannot be followed, and `problem` says why. stored, recomputed: both values.
    is_extra: nothing like it follows from the votes. is_missing: it does, but is not stored.
    """

    file: str
    path: str
    stored: Json = None
    recomputed: Json = None
    is_extra: bool = False
    is_missing: bool = False
    problem: str = ""

    @property
    def sentence(self) -> str:
        """What differs, for a reader."""
        if self.problem:
            return f"{self.file} cannot be followed: {self.problem}"
        stored, recomputed = _shown(self.stored), _shown(self.recomputed)
        if self.is_extra:
            return f"{self.file}, {self.path}: {stored} stands there, but nothing like it follows from the votes"
        if self.is_missing:
            return f"{self.file}, {self.path}: {recomputed} follows from the votes, but is not there"
        return f"{self.file}, {self.path}: {stored} stands there, {recomputed} follows from the votes"


def _shown(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."


@dataclass(frozen=True)
class Verdict:
    """Whether a bundle holds together: its files as they were written, its report as its votes give it.

    changed: a sentence for each file that is missing, changed or unknown to checksums.txt. difference: the first one
    between report.json and the report computed again, None where they are equal. tolerance: how far numbers may lie
    apart (relative; absolute below 1), 0.0 where the software is the same. other_versions: a phrase for each that is
    not. plan_sha256: of the plan that preceded the votes, empty where none did.
    """

    changed: tuple[str, ...]
    difference: Difference | None
    tolerance: float
    other_versions: tuple[str, ...]
    plan_sha256: str
    votes: int
    pairs: int
    numbers: int

    @property
    def is_equal(self) -> bool:
        return not self.changed and self.difference is None
