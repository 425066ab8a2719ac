"""Drawing what drawings.py has checked: a work of kind "figure", or a command's figure. For workers only."""

import json
from collections.abc import Callable, Mapping
from typing import Any

import torch
from django.conf import settings
from django.db import transaction

from generation.arm_figures import Drawn, draw_pairs, draw_stability, draw_sweep, draw_trajectory
from generation.classifier_figures import draw_gradients, draw_targeted
from generation.figure_kinds import FIGURES
from generation.figure_options import Chosen
from generation.holds import Hold, Report
from generation.models import Batch

CONTENT_TYPES = {
    "png": "image/png",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "json": "application/json",
}
Draw = Callable[..., Drawn]


def do_figure(hold: Hold, report: Report) -> None:
    """Draw a work's figure and keep its files. Raises WorkImpossible."""
    chosen = dict(hold.work.options)
    kind = chosen.pop("figure")
    files = draw_figure(hold.work.batch, kind=kind, chosen=chosen, report=report)
    with transaction.atomic():
        for suffix, data in files.items():
            hold.keep_file(f"{kind}.{suffix}", data, content_type=CONTENT_TYPES[suffix])
        hold.finish(note=f"{FIGURES[kind].title}: {', '.join(files)}")


def draw_figure(batch: Batch | None, *, kind: str, chosen: Chosen, report: Report) -> Mapping[str, bytes]:
    """Return a figure's files by suffix; json holds its numbers. chosen: as `drawings.check_figure` returned it."""
    device, steps = _device(), 1

    def told(done: int, total: int, note: str = "") -> None:
        nonlocal steps
        steps = total
        report(done, total, note)

    files, numbers = _DRAW[kind](batch, chosen, report=told, device=device)
    report(steps, steps, "drawn")
    facts: dict[str, Any] = {  # Any: what JSON can hold
        "figure": kind,
        "batch": None if batch is None else {"id": batch.pk, "name": batch.name},
        "options": chosen,
        "torch": torch.__version__,
        "device": str(device),
        "numbers": numbers,
    }
    return {**files, "json": json.dumps(facts, indent=1, allow_nan=False).encode()}


_DRAW: dict[str, Draw] = {
    "pairs": draw_pairs,
    "gradients": draw_gradients,
    "targeted": draw_targeted,
    "trajectory": draw_trajectory,
    "stability": draw_stability,
    "sweep": draw_sweep,
}


def _device() -> torch.device:
    if settings.TORCH_THREADS:
        torch.set_num_threads(settings.TORCH_THREADS)
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
