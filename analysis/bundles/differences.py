"""Two reports, entry by entry: where do they differ first?"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass

from analysis.bundles.verdict import Difference
from analysis.records import Json

PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|\d+")
REPORT = "report.json"


@dataclass(frozen=True)
class Tolerance:
    """How alike two reports must be.

    relative, absolute: for numbers; both 0.0 asks for the same digits. same_words: whether sentences must be the
    same and no entry may be new. Another release may word a sentence otherwise and give more figures; then only
    numbers, names and codes (texts without a space) of the stored report are looked at.
    """

    relative: float = 0.0
    absolute: float = 0.0
    same_words: bool = True


EXACT = Tolerance()


def first_difference(stored: Json, recomputed: Json, tolerance: Tolerance = EXACT) -> Difference | None:
    """The first entry, in the stored report's order, that the recomputed one does not confirm."""
    return next(_differences(stored, recomputed, tolerance, path=""), None)


def numbers_in(document: Json) -> int:
    """How many numbers a report holds."""
    if isinstance(document, dict):
        return sum(map(numbers_in, document.values()))
    if isinstance(document, list):
        return sum(map(numbers_in, document))
    return int(isinstance(document, int | float) and not isinstance(document, bool))


def _differences(stored: Json, recomputed: Json, tolerance: Tolerance, *, path: str) -> Iterator[Difference]:
    if isinstance(stored, dict) and isinstance(recomputed, dict):
        yield from _of_tables(stored, recomputed, tolerance, path=path)
    elif isinstance(stored, list) and isinstance(recomputed, list):
        yield from _of_lists(stored, recomputed, tolerance, path=path)
    elif not _alike(stored, recomputed, tolerance):
        yield Difference(REPORT, path, stored, recomputed)


def _of_tables(
    stored: dict[str, Json], recomputed: dict[str, Json], tolerance: Tolerance, *, path: str
) -> Iterator[Difference]:
    for key, value in stored.items():
        if key in recomputed:
            yield from _differences(value, recomputed[key], tolerance, path=_under(path, key))
        else:
            yield Difference(REPORT, _under(path, key), value, None, is_extra=True)
    for key in (key for key in recomputed if key not in stored and tolerance.same_words):
        yield Difference(REPORT, _under(path, key), None, recomputed[key], is_missing=True)


def _of_lists(stored: list[Json], recomputed: list[Json], tolerance: Tolerance, *, path: str) -> Iterator[Difference]:
    for index, (here, there) in enumerate(zip(stored, recomputed, strict=False)):
        yield from _differences(here, there, tolerance, path=f"{path}[{index}]")
    if len(stored) != len(recomputed):
        at = min(len(stored), len(recomputed))
        here, there = (entries[at] if at < len(entries) else None for entries in (stored, recomputed))
        yield Difference(
            REPORT, f"{path}[{at}]", here, there, is_missing=len(stored) == at, is_extra=len(recomputed) == at
        )


def _alike(stored: Json, recomputed: Json, tolerance: Tolerance) -> bool:
    if isinstance(stored, bool) or isinstance(recomputed, bool):
        return stored is recomputed
    if isinstance(stored, int) and isinstance(recomputed, int):
        return stored == recomputed
    if isinstance(stored, int | float) and isinstance(recomputed, int | float):
        return math.isclose(stored, recomputed, rel_tol=tolerance.relative, abs_tol=tolerance.absolute)
    is_sentence = isinstance(stored, str) and isinstance(recomputed, str) and " " in stored
    return stored == recomputed or (is_sentence and not tolerance.same_words)


def _under(path: str, key: str) -> str:
    if not PLAIN_KEY.fullmatch(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key
