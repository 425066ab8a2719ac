"""Score a batch's images: distances to a reference, a judge's opinion, the guides under noise."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from tqdm import tqdm

from generation.checkpoints import UnusableCheckpoint
from generation.diffusion.metrics import Metric
from generation.holds import LostWork, WorkImpossible, hold_work
from generation.management.references import InvalidText, reference_from
from generation.models import Batch, Checkpoint, Work
from generation.scores import make_scores
from generation.scorings import InvalidScoring, ScoreTable, create_scoring, scores_table

METRICS = ("frechet", "precision", "recall")


class Command(BaseCommand):
    """`manage.py score_batch BATCH_ID --reference ... --metrics ...`: measures here and stores the scores."""

    help = "Score a batch and store the scores with it. Its page shows them; so does this command."

    def add_arguments(self, parser: CommandParser) -> None:
        """What is measured, and against what."""
        parser.add_argument("batch", type=int, help="the batch's number, as in its page's address")
        parser.add_argument("--metrics", nargs="+", default=METRICS, choices=[metric.value for metric in Metric])
        parser.add_argument("--reference", help="folder:PATH, npz:PATH, batch:ID:ARM_ID or sportballs:N[:SEED]")
        parser.add_argument(
            "--features", default="pixels-8", help="pixels-N, judge, checkpoint:NAME, inception:FILE or model:FOLDER"
        )
        parser.add_argument("--judge", help="name of a registered classifier of clean images that guides no arm")
        parser.add_argument("--per-class", action="store_true", help="every score also by class")
        parser.add_argument("--levels", nargs="+", type=int, help="timesteps at which guides are measured")
        parser.add_argument("--guide-images", type=int, default=500, help="reference images they are measured on")

    def handle(self, *args: Any, **options: Any) -> None:  # Any: Django's signature
        """Measure, store, show."""
        batch = Batch.objects.filter(pk=options["batch"]).first()
        if batch is None:
            raise CommandError(f"There is no batch {options['batch']}.")
        try:
            work = create_scoring(batch, options=_wanted(options), owner=None, queue=False)
        except (InvalidScoring, InvalidText) as error:
            raise CommandError(str(error)) from error
        _measure(work, quiet=options["verbosity"] == 0)
        self.stdout.write(_drawn(scores_table(batch, parts=options["per_class"] or options["levels"] is not None)))


def _wanted(options: dict[str, Any]) -> dict[str, Any]:
    judge = None
    if options["judge"]:
        judge = Checkpoint.objects.filter(name=options["judge"]).values_list("pk", flat=True).first()
        if judge is None:
            raise CommandError(f'No checkpoint is called "{options["judge"]}"; register it with register_checkpoint.')
    return {
        "metrics": options["metrics"],
        "reference": reference_from(options["reference"]) if options["reference"] else None,
        "features": options["features"],
        "judge": judge,
        "per_class": options["per_class"],
        "levels": options["levels"],
        "guide_images": options["guide_images"],
    }


def _measure(work: Work, *, quiet: bool) -> None:
    hold = hold_work(work.pk)
    with tqdm(unit="image", mininterval=1, disable=quiet) as bar:

        def report(done: int, total: int, note: str = "") -> None:
            hold.report(done, total, note)
            bar.total = total
            bar.set_description(note, refresh=False)
            bar.update(done - bar.n)

        try:
            make_scores(hold, report)
        except (WorkImpossible, UnusableCheckpoint, LostWork) as error:
            hold.fail(str(error))
            raise CommandError(str(error)) from error
        except BaseException as error:
            hold.fail(f"The command ended with {type(error).__name__}.")
            raise


def _drawn(table: ScoreTable) -> str:
    lines = [["metric", "of", "measured on", *(str(arm) for arm in table.arms)]]
    problems: list[str] = []
    for row in table.rows:
        cells = []
        for cell in row.cells:
            if cell is not None and cell.value is None and cell.problem not in problems:
                problems.append(cell.problem)
            cells.append("" if cell is None else "-" if cell.value is None else f"{cell.value:.4g} (n={cell.n})")
        lines.append([row.title, row.part or "all", row.measured_on, *cells])
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    drawn = ["  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*drawn, *problems])
