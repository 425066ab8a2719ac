"""Withdrawing: a rater's right to leave with everything that was said, at any time, by a code alone."""

from dataclasses import dataclass

from survey_site.models import Rater, Study


class UnknownWithdrawalCode(Exception):
    """No rater of the study has this code; the message says what to do."""


@dataclass(frozen=True)
class WithdrawnTally:
    """What withdrawals leave behind: how many raters went, of how many who came."""

    withdrawn: int
    raters: int


def withdraw(rater: Rater) -> None:
    """Erase everything about a rater but the fact that there was one, and give the votes' places back.

    Works at any time, in a closed study too. Withdrawing again changes nothing.
    """
    raise NotImplementedError


def rater_by_withdrawal_code(study: Study | None, code: str) -> Rater:
    """Return the rater with a code as people type it, of one study or of any. Raises `UnknownWithdrawalCode`."""
    raise NotImplementedError


def withdrawn_tally(study: Study) -> WithdrawnTally:
    """Count the raters who withdrew; their votes are erased."""
    return WithdrawnTally(
        withdrawn=study.raters.filter(withdrawn_at__isnull=False).count(), raters=study.raters.count()
    )
