"""Claims: what a paper found, what came out here, and whether the two agree, each in a row of a report."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether our numbers bear a claim out."""

    AGREES = "agrees"
    DISAGREES = "does not agree"
    UNDECIDED = "undecided: chance alone could do it"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One finding. theirs: the paper's numbers; ours: those measured here."""

    statement: str
    theirs: str
    ours: str
    verdict: Verdict

    def row(self) -> tuple[str, str, str, str]:
        """The cells of a report's table."""
        return self.statement, self.theirs, self.ours, self.verdict.value


def larger(interval: Sequence[float], others_interval: Sequence[float]) -> Verdict:
    """Whether one estimate lies above another: undecided where their 95 % intervals meet, which is cautious."""
    if interval[0] > others_interval[1]:
        return Verdict.AGREES
    if interval[1] < others_interval[0]:
        return Verdict.DISAGREES
    return Verdict.UNDECIDED


def below_zero(interval: Sequence[float]) -> Verdict:
    """Whether a difference is negative: undecided where its 95 % interval holds 0."""
    if interval[1] < 0:
        return Verdict.AGREES
    return Verdict.DISAGREES if interval[0] > 0 else Verdict.UNDECIDED
