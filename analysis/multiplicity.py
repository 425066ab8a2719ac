"""Many p-values at once: how a family of them is corrected for its number.

Few contrasts that are each a claim (arms): Holm, no false claim among all of them with 95 %. Many figures that are
looked through (classes): Benjamini-Hochberg, at most 5 % false ones among those pointed out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import stats

from analysis.intervals import Floats
from analysis.records import Method


class Correction(StrEnum):
    """How the p-values of one family are corrected for their number."""

    HOLM = "holm"
    BH = "fdr_bh"
    NONE = "none"


METHODS = (
    Method(
        "holm",
        "Holm's correction",
        "nothing about how the tests depend on each other",
        "Holm (1979), Scandinavian Journal of Statistics 6:65",
        "Called significant below 0.05: in at most one of twenty such studies is any of these differences mere chance.",
    ),
    Method(
        "fdr_bh",
        "Benjamini and Hochberg's correction",
        "the tests are independent or pull the same way",
        "Benjamini, Hochberg (1995), J. Royal Statistical Society B 57:289",
        "Called significant below 0.05: of the figures pointed out, at most about one in twenty is mere chance.",
    ),
    Method(
        "none",
        "No correction",
        "one question was asked, not many",
        "",
        "Where there is nothing to find, one in twenty of these p-values falls below 0.05 all the same.",
    ),
)


@dataclass(frozen=True)
class Family:
    """Which p-values were corrected together. entered + len(left_out) = of; left_out: names without a p-value."""

    correction: Correction
    entered: int
    of: int
    left_out: tuple[str, ...]


def adjusted(ps: Sequence[float] | Floats, *, method: Correction | str) -> Floats:
    """Correct the p-values of one family, [k] in 0..1; the answer keeps their order.

    method: "holm" (Holm 1979), "fdr_bh" (Benjamini and Hochberg 1995) or "none"; ValueError for any other.
    """
    raw = np.asarray(ps, dtype=np.float64)
    correction = Correction(method)
    if correction is Correction.NONE or not len(raw):
        return raw.copy()
    return _holm(raw) if correction is Correction.HOLM else stats.false_discovery_control(raw, method="bh")


def _holm(raw: Floats) -> Floats:
    order = np.argsort(raw, kind="stable")
    steps = raw[order] * np.arange(len(raw), 0, -1)
    corrected = np.empty_like(raw)
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected
