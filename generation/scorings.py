"""Scorings: measurements of a batch, asked for, and their results as one table. No torch: pages import this."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.contrib.auth.models import User

from generation.diffusion.metrics import Metric
from generation.models import Arm, Batch, Score, Work
from generation.scoring_options import InvalidScoring as InvalidScoring
from generation.scoring_options import Options, check_scoring
from generation.scoring_options import reference_folder as reference_folder
from generation.works import create_work

TITLES = {
    Metric.FRECHET: "Frechet distance",
    Metric.CONDITIONAL_FRECHET: "Conditional Frechet distance",
    Metric.PRECISION: "Precision",
    Metric.RECALL: "Recall",
    Metric.TARGET_ACCURACY: "Target accuracy",
    Metric.GUIDE_ACCURACY: "Guide's accuracy under noise",
    Metric.GUIDE_ECE: "Guide's calibration error under noise",
    Metric.GUIDE_ACCURACY_X_0: "Guide's accuracy through x0",
    Metric.GUIDE_ECE_X_0: "Guide's calibration error through x0",
}
LOWER_IS_BETTER = frozenset({Metric.FRECHET, Metric.CONDITIONAL_FRECHET, Metric.GUIDE_ECE, Metric.GUIDE_ECE_X_0})


@dataclass(frozen=True)
class Cell:
    """One arm's newest score in a row of the table."""

    value: float | None
    problem: str
    n: int
    n_reference: int | None


@dataclass(frozen=True, kw_only=True)
class ScoreRow:
    """One metric over all arms. cells: in the order of the table's arms, None where it was not measured.

    measured_on: the features, the reference and the judge, as far as the metric depends on them. part: the class or
    the timestep it is of, empty for all.
    """

    metric: str
    title: str
    measured_on: str
    part: str
    lower_is_better: bool
    cells: Sequence[Cell | None]

    @property
    def best(self) -> float | None:
        """The best value of the row, None unless two arms have one and they differ."""
        values = [cell.value for cell in self.cells if cell is not None and cell.value is not None]
        if len(set(values)) < 2:
            return None
        return min(values) if self.lower_is_better else max(values)


@dataclass(frozen=True)
class ScoreTable:
    """The newest scores of a batch, metrics down and arms across."""

    arms: Sequence[Arm]
    rows: Sequence[ScoreRow]


def create_scoring(
    batch: Batch, *, options: Options, owner: User | None, inside: Path | None = None, queue: bool = True
) -> Work:
    """Check the options and queue the measuring. inside: see check_scoring. Raises InvalidScoring."""
    chosen = check_scoring(batch, options, inside=inside)
    title = f"Scores: {batch.name}"
    return create_work(owner=owner, kind=Work.Kind.SCORING, title=title, options=chosen, batch=batch, queue=queue)


def scores_table(batch: Batch, *, parts: bool = True) -> ScoreTable:
    """Return the newest score of every metric, arm and part; parts: also by class and timestep. Two queries."""
    arms = list(batch.arms.all())
    scores = batch.scores.select_related("judge")
    if not parts:
        scores = scores.filter(class_index=None, level=None)
    by_row: dict[tuple[object, ...], dict[int, Score]] = {}
    # The newest comes first, and the first stays.
    for score in scores.order_by("-created_at", "-pk"):
        by_row.setdefault(_place(score), {}).setdefault(score.arm_id, score)
    ordered = sorted(by_row.items(), key=lambda item: _order(item[1]))
    return ScoreTable(arms, [_row(batch, arms, cells) for _, cells in ordered])


def _place(score: Score) -> tuple[object, ...]:
    return score.metric, score.features, score.reference, score.judge_id, score.class_index, score.level


def _order(cells: Mapping[int, Score]) -> tuple[object, ...]:
    score = next(iter(cells.values()))
    part = (score.class_index is not None, score.class_index or 0, score.level is not None, score.level or 0)
    return list(Metric).index(Metric(score.metric)), score.features, score.reference, score.judge_id or 0, part


def _row(batch: Batch, arms: Sequence[Arm], cells: Mapping[int, Score]) -> ScoreRow:
    score = next(iter(cells.values()))
    metric = Metric(score.metric)
    return ScoreRow(
        metric=metric.value,
        title=_title(metric, score),
        measured_on=_measured_on(score),
        part=_part(batch, score),
        lower_is_better=metric in LOWER_IS_BETTER,
        cells=[_cell(cells.get(arm.pk)) for arm in arms],
    )


def _title(metric: Metric, score: Score) -> str:
    # The name that everybody compares is kept for the features that it was defined on.
    if score.features == "FID" and metric is Metric.FRECHET:
        return "FID"
    if score.features == "FID" and metric is Metric.CONDITIONAL_FRECHET:
        return "Conditional FID"
    return TITLES[metric]


def _measured_on(score: Score) -> str:
    features = "Inception (2015-12-05)" if score.features == "FID" else score.features
    judge = f"judge {score.judge}" if score.judge else ""
    against = f"against {score.reference}" if score.reference else ""
    return ", ".join(part for part in (features, against, judge) if part)


def _part(batch: Batch, score: Score) -> str:
    if score.level is not None:
        return f"t = {score.level}"
    if score.class_index is None:
        return ""
    return str(batch.class_table.get(str(score.class_index), f"class {score.class_index}"))


def _cell(score: Score | None) -> Cell | None:
    return None if score is None else Cell(score.value, score.problem, score.n, score.n_reference)
