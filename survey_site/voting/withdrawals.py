"""Withdrawing: a rater's right to leave with everything that was said, at any time, by a code alone."""

from dataclasses import dataclass

from django.utils import timezone
from django.utils.translation import gettext as _

from survey_site.models import CLEAR_LETTERS, Comparison, Rater, Study, Trial, Vote
from survey_site.voting.counters import count_erased
from survey_site.voting.turns import writing


class UnknownWithdrawalCode(Exception):
    """No rater of the study has this code; the message says what to do."""


@dataclass(frozen=True)
class WithdrawnTally:
    """What withdrawals leave behind: how many raters went, of how many who came."""

    withdrawn: int
    raters: int


def withdraw(rater: Rater) -> None:
    """Erase everything about a rater but the fact that there was one, and give the votes' places back.

    Works at any time, in a closed study too. Withdrawing again changes nothing. As everywhere, the rater is locked
    first, then the rater's trials, then their comparisons in the order of their keys.
    """
    with writing():
        rater = Rater.objects.select_for_update(of=("self",), no_key=True).get(pk=rater.pk)
        if rater.withdrawn_at is None:
            _erase_trials(rater)
            rater.answers.all().delete()
            _tombstone(rater).save(force_update=True)


def rater_by_withdrawal_code(study: Study | None, code: str) -> Rater:
    """Return the rater with a code as people type it, of one study or of any. Raises `UnknownWithdrawalCode`."""
    raters = Rater.objects.all() if study is None else study.raters.all()
    letters = "".join(letter for letter in code.lower() if letter in CLEAR_LETTERS)
    found = raters.filter(withdrawal_code=letters).select_related("study").first() if letters else None
    if found is None:
        raise UnknownWithdrawalCode(
            _("Nothing in this study belongs to this code. Look whether every letter is right, and type it again.")
        )
    return found


def withdrawn_tally(study: Study) -> WithdrawnTally:
    """Count the raters who withdrew; their votes are erased."""
    return WithdrawnTally(
        withdrawn=study.raters.filter(withdrawn_at__isnull=False).count(), raters=study.raters.count()
    )


def _erase_trials(rater: Rater) -> None:
    trials = list(rater.trials.order_by("pk").select_for_update(of=("self",), no_key=True))
    shown = Comparison.objects.filter(pk__in=rater.trials.order_by().values("comparison")).order_by("pk")
    list(shown.select_for_update(no_key=True).values_list("pk"))
    answered = set(Vote.objects.filter(trial__rater=rater).values_list("trial", flat=True))
    for trial in trials:
        count_erased(trial, is_answered=trial.pk in answered)
    Trial.objects.filter(rater=rater).delete()


def _tombstone(rater: Rater) -> Rater:
    """Return the row that stays: with a new code, so that the browser's cookie leads nowhere, and nothing else."""
    now = timezone.now()
    # The order's key is cleared as well: it is the seed of what the rater was shown.
    return Rater(pk=rater.pk, study_id=rater.study_id, order_key=0, created_at=now, withdrawn_at=now)
