"""A study's results bundle: what it collected, handed to the analysis, which writes the zip."""

from typing import BinaryIO

from analysis import Report, VoteColumns
from analysis.bundles import BundledStudy, write_bundle
from analysis.votes import Pair
from survey_site.logs.exports import VOTE_COLUMNS, vote_rows
from survey_site.logs.vote_logs import pair_rows
from survey_site.models import Study
from survey_site.results import bootstrap_rounds
from survey_site.voting.withdrawals import withdrawn_tally


def write_study_bundle(study: Study, target: BinaryIO) -> Report:
    """Write a study's results bundle into an open file; return the report that it holds.

    Raises `analysis.InvalidVotes` for a study without comparisons; then nothing is written.
    """
    return write_bundle(target, bundled_study(study))


def bundled_study(study: Study) -> BundledStudy:
    """Collect what goes into a study's bundle: its votes, every comparison, judged or not, and the frozen plan."""
    votes = _votes(study)
    return BundledStudy(
        votes=votes,
        pairs=tuple(
            Pair(row.pair_id, row.class_label, (row.arm_a, row.arm_b), row.group_id) for row in pair_rows(study)
        ),
        plan=study.analysis_plan if study.plan_sha256 else None,
        # As the results page, so that both show the same report.
        rounds=bootstrap_rounds(sum(not gold_arm for gold_arm in votes.gold_arm or ())),
        facts={
            "title": study.title,
            "question": study.question,
            "status": study.status,
            "opened_at": study.opened_at.isoformat() if study.opened_at else None,
            "closed_at": study.closed_at.isoformat() if study.closed_at else None,
            "raters_withdrawn": withdrawn_tally(study).withdrawn,
        },
    )


def _votes(study: Study) -> VoteColumns:
    header, *rows = vote_rows(study)
    assert header == VOTE_COLUMNS, "an export begins with its header"
    cells = zip(*rows, strict=True) if rows else [()] * len(VOTE_COLUMNS)
    columns = dict(zip(VOTE_COLUMNS, cells, strict=True))
    return VoteColumns(
        pair_id=columns["pair_id"],
        rater_id=columns["rater_id"],
        left_arm=columns["left_arm"],
        right_arm=columns["right_arm"],
        choice=columns["choice"],
        class_label=columns["class_label"],
        group_id=columns["group_id"],
        response_ms=[None if ms == "" else int(ms) for ms in columns["response_ms"]],
        gold_arm=columns["gold_arm"],
        simulated=study.is_simulated,
    )
