"""Figures of a batch's arms: their images side by side, their trajectories, their scores. For workers only."""

import math
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import torch

from generation.arms_at_work import guided_arm, source_of
from generation.diffusion.diagnostics import EstimateTrace, GradientTrace, Stability
from generation.diffusion.figures import Cell, Row, picture_grid, png_bytes
from generation.diffusion.plots import Form, Swept, stability_plot, sweep_plot
from generation.diffusion.sampling import to_uint8
from generation.diffusion.seed_matched import ObserveArm, Source, sample_arms
from generation.figure_options import Chosen
from generation.holds import Report, WorkImpossible
from generation.images import MissingFile, Pixels, read_bytes
from generation.models import Arm, Batch, Checkpoint, Image
from generation.pairs import Pair, choose_pairs
from generation.sweeps import NothingToSweep, Point, sweep_of

Numbers = Mapping[str, Any]  # Any: what JSON can hold
Files = dict[str, bytes]
Drawn = tuple[Files, Numbers]
# Seeds that are sampled together: enough to fill a forward, few enough for a small machine.
SEEDS_AT_ONCE = 8


def draw_pairs(batch: Batch, chosen: Chosen, *, report: Report, device: torch.device) -> Drawn:
    """Seed-matched rows: the stored images of all chosen arms."""
    arms = _arms(batch, chosen)
    pairs = _pairs(batch, chosen, made_by=chosen["arms"])
    rows, cells = [], []
    for done, arm in enumerate(arms):
        report(done, len(arms), f"images of {arm}")
        images = [_image(batch, arm, pair) for pair in pairs]
        rows.append(Row(label=arm.name, cells=[Cell(pixels_of(image)) for image in images]))
        cells += [{"arm": arm.name, "class": i.class_index, "seed": i.seed, "sha256": i.sha256} for i in images]
    picture = picture_grid(rows, heads=[_head(batch, pair) for pair in pairs])
    return {"png": png_bytes(picture)}, {"images": cells}


def draw_trajectory(batch: Batch, chosen: Chosen, *, report: Report, device: torch.device) -> Drawn:
    """Each arm's estimate of x_0 at evenly spaced steps, a block of rows for each pair."""
    arms, pairs = _arms(batch, chosen), _pairs(batch, chosen)
    traces: dict[str, EstimateTrace] = {}

    def trace_for(source: Source, group: Sequence[Arm]) -> ObserveArm:
        trace = EstimateTrace(columns=chosen["columns"], decode=source.space.decode)
        traces.update({arm.name: trace for arm in group})
        return trace

    _sample(batch, arms, pairs, steps=chosen["steps"], observed=trace_for, report=report, device=device)
    estimates = {arm.name: traces[arm.name].estimates(arm.name) for arm in arms}
    rows = []
    for column, pair in enumerate(pairs):
        for i, arm in enumerate(arms):
            pictures = [Cell(to_uint8(images[column : column + 1])[0].numpy()) for images in estimates[arm.name].images]
            name = arm.name if len(pairs) == 1 else f"{arm.name}\n{batch.label_of(pair[0])}, seed {pair[1]}"
            rows.append(Row(label=name, cells=pictures, starts_block=i == 0))
    # Arms of another sampler pass other levels; then there is no one head for a column.
    levels = {arm.name: estimates[arm.name].timesteps.tolist() for arm in arms}
    heads = [f"t = {t}" for t in levels[arms[0].name]] if len({tuple(each) for each in levels.values()}) == 1 else []
    shown = ", ".join(f"{batch.label_of(c)} (seed {s})" for c, s in pairs)
    note = f"Estimates of the final image along the trajectory, {chosen['steps']} steps: {shown}."
    picture = picture_grid(rows, heads=heads, note=note)
    return {"png": png_bytes(picture)}, {"timesteps": levels, "pairs": pairs, "steps": chosen["steps"]}


def draw_stability(batch: Batch, chosen: Chosen, *, report: Report, device: torch.device) -> Drawn:
    """Cosine similarity of consecutive gradients and their norms over t, for every guided arm."""
    arms, pairs = _arms(batch, chosen), _pairs(batch, chosen)
    trace = GradientTrace()
    _sample(batch, arms, pairs, steps=chosen["steps"], observed=lambda *_: trace, report=report, device=device)
    by_arm = {arm.name: trace.stability(arm.name) for arm in arms}
    files = {form.value: stability_plot(by_arm, form=form) for form in Form}
    numbers = {name: _stability_numbers(stability) for name, stability in by_arm.items()}
    return files, {"arms": numbers, "pairs": pairs, "steps": chosen["steps"]}


def draw_sweep(batch: Batch, chosen: Chosen, *, report: Report, device: torch.device) -> Drawn:
    """A stored score against the scale."""
    report(0, 1, "reading scores")
    try:
        sweep = sweep_of(
            batch,
            metric=chosen["metric"],
            arms=chosen["arms"],
            further=chosen["batches"],
            features=chosen["features"],
            reference=chosen["reference"],
        )
    except NothingToSweep as error:
        raise WorkImpossible(str(error)) from error
    swept = [
        Swept(
            label=series.label,
            scales=[point.scale for point in series.points],
            values=[point.value for point in series.points],
            n=[point.n for point in series.points],
        )
        for series in sweep.series
    ]
    unguided = [
        Swept(label=f"{point.arm} (no guidance)", scales=[0], values=[point.value], n=[point.n])
        for point in sweep.unguided
    ]
    files = {
        form.value: sweep_plot(swept, metric=chosen["title"], measured=sweep.measured, unguided=unguided, form=form)
        for form in Form
    }
    numbers = {
        "metric": sweep.metric,
        "measured": sweep.measured,
        "series": [{"label": series.label, "points": [_point(p) for p in series.points]} for series in sweep.series],
        "unguided": [_point(point) for point in sweep.unguided],
    }
    return files, numbers


def pixels_of(image: Image) -> Pixels:
    """The stored image, uint8 [H, W, 3]. Raises WorkImpossible if its file is gone."""
    try:
        with PIL.Image.open(BytesIO(read_bytes(image))) as picture:
            return np.array(picture.convert("RGB"), dtype=np.uint8)
    except MissingFile as error:
        raise WorkImpossible(str(error)) from error


def _sample(
    batch: Batch,
    arms: Sequence[Arm],
    pairs: Sequence[Pair],
    *,
    steps: int,
    observed: Callable[[Source, Sequence[Arm]], ObserveArm],
    report: Report,
    device: torch.device,
) -> None:
    """Make the pairs' images again in all arms, for the sake of what is observed on the way."""
    groups: dict[Checkpoint, list[Arm]] = {}
    for arm in arms:
        if arm.denoiser is None:
            raise WorkImpossible(f'Arm "{arm}" was made elsewhere, so its trajectory is not known; leave it out.')
        groups.setdefault(arm.denoiser, []).append(arm)
    # No more rows than the batch itself was made with: it may have met the end of the memory.
    at_once = min(SEEDS_AT_ONCE, max(1, (batch.forward_rows or SEEDS_AT_ONCE * len(arms)) // len(arms)))
    chunks = [pairs[start : start + at_once] for start in range(0, len(pairs), at_once)]
    parts = [(denoiser, group, chunk) for denoiser, group in groups.items() for chunk in chunks]
    seen: dict[Checkpoint, ObserveArm] = {}
    for part, (denoiser, group, chunk) in enumerate(parts):
        source = source_of(denoiser, device=device)
        if denoiser not in seen:
            seen[denoiser] = observed(source, group)

        def on_step(done: int, of: int, part: int = part) -> None:
            report(part * of + done, len(parts) * of, f"sampling, part {part + 1} of {len(parts)}")

        with torch.autocast(device.type, torch.bfloat16, enabled=batch.precision == Batch.Precision.BFLOAT16):
            sample_arms(
                source,
                [guided_arm(arm, labels=batch.class_labels, device=device) for arm in group],
                seeds=[seed for _, seed in chunk],
                requested=[batch.requested(class_index) for class_index, _ in chunk],
                steps=steps,
                device=device,
                on_step=on_step,
                observe=seen[denoiser],
            )


def _arms(batch: Batch, chosen: Chosen) -> list[Arm]:
    arms = {arm.pk: arm for arm in batch.arms.select_related("denoiser", "classifier")}
    return [arms[key] for key in chosen["arms"]]


def _pairs(batch: Batch, chosen: Chosen, *, made_by: Sequence[int] = ()) -> list[Pair]:
    pairs = choose_pairs(
        batch, classes=chosen["classes"], seeds=chosen["seeds"], count=chosen["count"], made_by=made_by
    )
    if not pairs:
        raise WorkImpossible(f'Batch "{batch}" has no such pairs any more; choose others.')
    return pairs


def _image(batch: Batch, arm: Arm, pair: Pair) -> Image:
    return batch.images.get(arm=arm, class_index=pair[0], seed=pair[1])


def _head(batch: Batch, pair: Pair) -> str:
    return f"{batch.label_of(pair[0])}\nseed {pair[1]}"


def _stability_numbers(stability: Stability) -> Numbers:
    return {
        "timesteps": stability.timesteps.tolist(),
        "levels": stability.levels.tolist(),
        "cosine": [[_known(value) for value in row] for row in stability.cosine.tolist()],
        "norms": stability.norms.tolist(),
        "mean_cosine": _known(stability.mean_cosine),
        "n": stability.norms.shape[1],
    }


def _known(value: float) -> float | None:
    # JSON has no NaN.
    return value if math.isfinite(value) else None


def _point(point: Point) -> Numbers:
    return {"scale": point.scale, "value": point.value, "n": point.n, "arm": point.arm, "batch": point.batch}
