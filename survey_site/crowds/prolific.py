"""What Twinseed and Prolific tell each other besides the messages of `webhooks`: submissions, and completion codes."""

from collections.abc import Iterator
from dataclasses import dataclass

from survey_site.crowds.prolific_client import Prolific, Submission
from survey_site.design.designs import Entry, Outcome
from survey_site.entrance.platforms import PROLIFIC, Person, completion, outcome_of
from survey_site.models import Study
from survey_site.voting.releases import end_part, part_of

CODE_TYPES = {
    Outcome.COMPLETE: "COMPLETED",
    Outcome.SCREENED_OUT: "SCREENED_OUT",
    Outcome.QUOTA_FULL: "QUOTA_FULL",
    Outcome.NO_CONSENT: "NO_CONSENT",
}
RETURN_REASONS = {
    Outcome.SCREENED_OUT: "You do not match what this study looks for.",
    Outcome.QUOTA_FULL: "All places of this study are taken.",
    Outcome.NO_CONSENT: "You did not agree to take part.",
}


class NotOnProlific(Exception):
    """The study's design does not say that its raters come from Prolific."""


@dataclass(frozen=True)
class Progress:
    """How far a look at Prolific's list is. ended: parts that were ended; released: trials that went back."""

    n_read: int = 0
    n_ended: int = 0
    n_released: int = 0


def sync_submissions(study: Study, prolific_study: str, *, dry_run: bool = False) -> Iterator[Progress]:
    """End the parts of which Prolific says so, and yield how far it is after each page.

    For studies without messages, and for what went past them. dry_run: only count. Raises `NotOnProlific` or
    `ProlificFailed`; what was done up to then stays, and doing it again does nothing twice.
    """
    require_prolific(study)
    progress = Progress()
    with Prolific() as prolific:
        for page in prolific.submissions(prolific_study):
            for submission in page:
                progress = _after(progress, study, submission=submission, dry_run=dry_run)
            yield progress


def completion_codes(study: Study) -> list[dict[str, object]]:
    """Return the study's endings as the `completion_codes` of Prolific's API. Raises `NotOnProlific`."""
    require_prolific(study)
    entry = study.how.entry
    return [
        {"code": entry.endings[outcome].code, "code_type": kind, "actions": [_action(outcome)]}
        for outcome, kind in CODE_TYPES.items()
        if outcome in entry.endings and entry.endings[outcome].code
    ]


def completion_addresses(entry: Entry) -> list[tuple[Outcome, str]]:
    """Return where the raters of each outcome go at the end, as far as the design says."""
    addresses = [(outcome, completion(entry, outcome, parameters={}).url) for outcome in CODE_TYPES]
    return [(outcome, url) for outcome, url in addresses if url]


def require_prolific(study: Study) -> None:
    """Raise `NotOnProlific` unless the study's raters come from Prolific."""
    if study.how.entry.platform != PROLIFIC:
        raise NotOnProlific(
            f"{study.title} does not get its raters from Prolific. Set entry.platform to prolific in its design."
        )


def _after(progress: Progress, study: Study, *, submission: Submission, dry_run: bool) -> Progress:
    n_ended, n_released = _ended(study, submission, dry_run=dry_run)
    return Progress(progress.n_read + 1, progress.n_ended + n_ended, progress.n_released + n_released)


def _ended(study: Study, submission: Submission, *, dry_run: bool) -> tuple[int, int]:
    """Return whether the submission's part was ended now (0 or 1), and how many trials went back."""
    outcome = outcome_of(submission.status)
    person = Person(PROLIFIC, submission.participant_id, submission_id=submission.submission_id)
    rater = part_of(study, person) if outcome else None
    if outcome is None or rater is None or rater.outcome:
        return 0, 0
    if dry_run:
        return 1, rater.trials.open().count()
    ended = end_part(study, person, outcome=outcome)
    return (1, ended.n_released) if ended else (0, 0)


def _action(outcome: Outcome) -> dict[str, str]:
    if outcome is Outcome.COMPLETE:
        return {"action": "MANUALLY_REVIEW"}
    return {"action": "REQUEST_RETURN", "return_reason": RETURN_REASONS[outcome]}
