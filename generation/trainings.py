"""Trainings: a worker trains a network in the checkpoint folder, going on where it was, and registers what came out."""

from pathlib import Path

from django.conf import settings

from generation.checkpoints import register_checkpoint
from generation.diffusion.plans import ClassifierPlan
from generation.diffusion.training import Progress
from generation.diffusion.training_runs import REFUSALS, train_classifier_run, train_denoiser_run
from generation.holds import Hold, Report, WorkImpossible
from generation.training_options import InvalidTraining, training_plan


def train_network(hold: Hold, report: Report) -> None:
    """Do the work of a training: its card is kept as a file, its weights are registered."""
    try:
        plan = training_plan(str(hold.work.options["role"]), dict(hold.work.options["plan"]))
    except InvalidTraining as error:
        raise WorkImpossible(str(error)) from error

    def on_step(progress: Progress) -> None:
        report(progress.step, plan.steps, f"step {progress.step}, loss {progress.loss:.4f}")

    out = folder_of_training(hold.work.pk)
    try:
        if isinstance(plan, ClassifierPlan):
            path = train_classifier_run(plan, out=out, on_step=on_step)
        else:
            path = train_denoiser_run(plan, out=out, on_step=on_step)
    except REFUSALS as error:
        raise WorkImpossible(str(error)) from error
    card = path.with_suffix(".md")
    hold.keep_file(card.name, card.read_bytes(), content_type="text/markdown")
    checkpoint = register_checkpoint(path, name=plan.name)
    hold.finish(note=f"{checkpoint.get_role_display()} {checkpoint.name} is trained and registered")


def folder_of_training(work_id: int) -> Path:
    """Where a training keeps its weights and its resumable state."""
    return Path(settings.CHECKPOINT_DIR) / f"training-{work_id}"
