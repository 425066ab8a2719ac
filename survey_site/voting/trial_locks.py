"""One trial on its way to a vote: locked with its rater, and read with as little as a vote needs."""

from uuid import UUID

from django.db import connection

from survey_site.models import Rater, Study, Trial
from survey_site.voting.statements import Statement

# In the order of the models' fields, as the database gives them. Whatever else is asked for is read when it is.
TRIAL = ("id", "code", "rater_id", "comparison_id", "kind", "swapped", "lapsed_at")
RATER = ("id", "study_id", "code", "order_key", "outcome", "withdrawn_at")
STUDY = ("id", "status", "votes_wanted", "design_sha256", "secret")
COLUMNS = (*TRIAL, *(f"rater__{name}" for name in RATER), *(f"rater__study__{name}" for name in STUDY))
# PostgreSQL locks in the order in which the tables are named, and reads a row that it waited for anew.
BY_CODE = Statement(
    lambda code: (
        Trial.objects.filter(code=code)
        .order_by()
        .select_related("rater__study")
        .only(*COLUMNS)
        .select_for_update(of=("rater", "self"), no_key=True)
    ),
    n=1,
)


def lock_trial(code: UUID) -> Trial | None:
    """Lock the rater of the trial with this code, then the trial; None where there is no such trial."""
    rows = BY_CODE.rows(code)
    if not rows:
        return None
    row, n, m = rows[0], len(TRIAL), len(TRIAL) + len(RATER)
    alias = connection.alias
    trial, rater = Trial.from_db(alias, TRIAL, row[:n]), Rater.from_db(alias, RATER, row[n:m])
    rater.study = Study.from_db(alias, STUDY, row[m:])
    trial.rater = rater
    # SQLite has no type for these.
    trial.code, rater.code, trial.swapped = UUID(str(trial.code)), UUID(str(rater.code)), bool(trial.swapped)
    return trial
