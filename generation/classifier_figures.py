"""Figures of classifiers on images: their gradients at several noise levels, and images changed by them.

For workers only.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path

import numpy as np
import PIL.Image
import PIL.ImageOps
import torch
from torch import Tensor

from generation.arm_figures import Drawn, Numbers, pixels_of
from generation.arms_at_work import classifier_of
from generation.diffusion.datasets import SportBalls, as_images
from generation.diffusion.diagnostics import input_gradients, probabilities, towards
from generation.diffusion.figures import Cell, Row, min_max, picture_grid, png_bytes
from generation.diffusion.guidance import wanted_classes
from generation.diffusion.guides import Guide, guide_of
from generation.diffusion.noise import SeededNoise
from generation.diffusion.plans import HELD_OUT_SEED, Attack
from generation.diffusion.process import Diffusion
from generation.diffusion.sampling import to_uint8
from generation.figure_kinds import Shows
from generation.figure_options import Chosen
from generation.holds import Report, WorkImpossible
from generation.images import Pixels
from generation.labelled_folders import files_of
from generation.models import Batch, Checkpoint
from generation.pairs import choose_pairs

# Kawar et al., figure 4: a ball of radius 100 around images of 128 px; the same change of a pixel at other sizes.
PAPERS_RADIUS, PAPERS_SIDE = 100.0, 128


@dataclass(frozen=True)
class Shown:
    """An image to show classifiers: its pixels, the classes it shows by name, its noise's seed, and its title."""

    pixels: Pixels
    labels: tuple[str, ...]
    seed: int
    title: str


@dataclass(frozen=True)
class Named:
    """A classifier, ready to ask, with the names of its classes."""

    name: str
    guide: Guide
    labels: Sequence[str]

    def wanted(self, labels: Sequence[str], *, device: torch.device) -> Tensor:
        """Which of its classes these are: bool [1, classes]."""
        return wanted_classes(
            [[self.labels.index(label) for label in labels]], classes=self.guide.classes, device=device
        )


def draw_gradients(batch: Batch | None, chosen: Chosen, *, report: Report, device: torch.device) -> Drawn:
    """For every image its noised versions, and below them what each classifier would change in them."""
    named, shown = _classifiers(chosen, device=device), _shown(batch, chosen)
    process = _process(chosen)
    levels = torch.tensor(chosen["timesteps"], device=device)
    rows: list[Row] = []
    facts: list[Numbers] = []
    for done, image in enumerate(shown):
        report(done, len(shown), image.title)
        x_t = _noised(process.to(device), image, levels)
        rows.append(Row(label=image.title, cells=[Cell(pixels) for pixels in to_uint8(x_t).numpy()], starts_block=True))
        for classifier in named:
            wanted = classifier.wanted(image.labels, device=device).expand(len(levels), -1)
            gradients = input_gradients(classifier.guide, x_t, t=levels, wanted=wanted)
            p = probabilities(classifier.guide, x_t, t=levels, wanted=wanted).tolist()
            captions = [f"p = {share:.2f}" for share in p]
            cells = [Cell(*each) for each in zip(min_max(gradients), captions, strict=True)]
            rows.append(Row(label=classifier.name, cells=cells))
            norms = torch.linalg.vector_norm(gradients.flatten(1).double(), dim=1).tolist()
            facts.append({"image": image.title, "classifier": classifier.name, "p": p, "norm": norms})
    note = (
        "Gradients of log p(true class) by the noised image above them, each stretched to its own smallest and largest "
        "value; p: the classifier's probability of the true class."
    )
    picture = picture_grid(rows, heads=[f"t = {t}" for t in chosen["timesteps"]], note=note)
    return {"png": png_bytes(picture)}, {"timesteps": chosen["timesteps"], "gradients": facts}


def draw_targeted(batch: Batch | None, chosen: Chosen, *, report: Report, device: torch.device) -> Drawn:
    """For every image a row a classifier: the image, then the image moved towards each target class at t = 0."""
    named, shown = _classifiers(chosen, device=device), _shown(batch, chosen)
    labels = [chosen["labels"][index] for index in chosen["targets"]] or chosen["labels"][:4]
    rows: list[Row] = []
    facts: list[Numbers] = []
    for done, image in enumerate(shown):
        report(done, len(shown), image.title)
        x = as_images(image.pixels[None]).to(device)
        attack = _attack(chosen, side=x.shape[-1])
        for i, classifier in enumerate(named):
            start = Cell(image.pixels, image.title.replace(", ", "\n")) if i == 0 else None
            cells: list[Cell | None] = [start]
            for label in labels:
                moved, fact = _moved(classifier, x, label=label, attack=attack)
                caption = f"p {fact['p_before']:.2f} → {fact['p_after']:.2f}"
                cells.append(Cell(to_uint8(moved)[0].numpy(), caption))
                facts.append({"image": image.title, "classifier": classifier.name, "target": label, **fact})
            rows.append(Row(label=classifier.name, cells=cells, starts_block=i == 0))
    note = (
        f"Targeted gradient ascent at t = 0: {attack.steps} steps of length {attack.step:.3g} within a Euclidean "
        f"ball of {attack.eps:.3g} (pixels in [-1, 1]); p: the classifier's own probability of the target."
    )
    picture = picture_grid(rows, heads=["start", *(f"→ {label}" for label in labels)], note=note)
    return {"png": png_bytes(picture)}, {"attack": attack.facts(), "images": facts}


def _moved(classifier: Named, x: Tensor, *, label: str, attack: Attack) -> tuple[Tensor, dict[str, float]]:
    wanted = classifier.wanted([label], device=x.device)
    t = torch.zeros(1, dtype=torch.int64, device=x.device)
    moved = towards(classifier.guide, x, t=t, wanted=wanted, attack=attack)
    before, after = (probabilities(classifier.guide, image, t=t, wanted=wanted).item() for image in (x, moved))
    distance = torch.linalg.vector_norm(moved - x).item()
    return moved, {"p_before": before, "p_after": after, "distance": distance}


def _attack(chosen: Chosen, *, side: int) -> Attack:
    eps = float(chosen["eps"] or PAPERS_RADIUS * side / PAPERS_SIDE)
    return Attack(eps=eps, steps=chosen["attack_steps"], step=2.5 * eps / chosen["attack_steps"])


def _classifiers(chosen: Chosen, *, device: torch.device) -> list[Named]:
    rows = Checkpoint.objects.in_bulk(chosen["classifiers"])
    named = []
    for key in chosen["classifiers"]:
        if key not in rows:
            raise WorkImpossible("One of the classifiers is no longer registered; choose others.")
        guide = guide_of(classifier_of(rows[key], labels=chosen["labels"], device=device))
        named.append(Named(rows[key].name, guide, rows[key].class_labels or chosen["labels"]))
    return named


def _process(chosen: Chosen) -> Diffusion:
    """The chain of noise levels of the first classifier that is told t, or else of the first."""
    rows = Checkpoint.objects.in_bulk(chosen["classifiers"])
    in_order = [rows[key] for key in chosen["classifiers"]]
    row = next((row for row in in_order if row.takes_timestep), in_order[0])
    return Diffusion.make(row.schedule, row.timesteps)


def _noised(process: Diffusion, image: Shown, levels: Tensor) -> Tensor:
    """The image at every level, with the same noise at all: [levels, 3, H, W]."""
    x_0 = as_images(image.pixels[None]).to(levels.device).expand(len(levels), -1, -1, -1)
    channels, height, width = x_0.shape[1:]
    eps = SeededNoise([image.seed], (channels, height, width), steps=0, device=levels.device).initial()
    return process.noised(x_0, levels, eps)


def _shown(batch: Batch | None, chosen: Chosen) -> list[Shown]:
    sources = {Shows.SPORTBALLS.value: _sportballs, Shows.FOLDER.value: _files}
    if chosen["images"] in sources:
        return sources[chosen["images"]](chosen)
    if batch is None:
        raise WorkImpossible("The batch whose images were to be shown is gone.")
    return _of_batch(batch, chosen)


def _of_batch(batch: Batch, chosen: Chosen) -> list[Shown]:
    pairs = choose_pairs(
        batch, classes=chosen["classes"], seeds=chosen["seeds"], count=chosen["count"], made_by=[chosen["arm"]]
    )
    shown = []
    for class_index, seed in pairs:
        image = batch.images.get(arm=chosen["arm"], class_index=class_index, seed=seed)
        known = batch.class_labels
        labels = [known[i] for i in batch.requested(class_index)] if known else [batch.label_of(class_index)]
        title = f"{batch.label_of(class_index)}, seed {seed}"
        shown.append(Shown(pixels_of(image), tuple(labels), seed, title))
    return shown


def _sportballs(chosen: Chosen) -> list[Shown]:
    balls = SportBalls(seed=HELD_OUT_SEED, image_size=_side(chosen))
    classes = chosen["classes"] or range(len(chosen["labels"]))
    items = [item for item in chosen["seeds"] if balls.ball(item).class_index in classes]
    if chosen["seeds"] and not items:
        raise WorkImpossible("None of these balls is of these classes; choose others.")
    items = items or _items(balls, classes, chosen["count"])
    shown = []
    for item in items[: chosen["count"]]:
        label = chosen["labels"][balls.ball(item).class_index]
        shown.append(Shown(balls.image(item), (label,), item, f"{label}, ball {item}"))
    return shown


def _items(balls: SportBalls, classes: Sequence[int], wanted: int) -> list[int]:
    """The first balls of these classes, one of each class in turn."""
    return [next(items) for items in islice(cycle([_of_class(balls, index) for index in classes]), wanted)]


def _of_class(balls: SportBalls, class_index: int) -> Iterator[int]:
    return (item for item in count() if balls.ball(item).class_index == class_index)


def _files(chosen: Chosen) -> list[Shown]:
    labels = [chosen["labels"][index] for index in chosen["classes"]] or chosen["labels"]
    side = _side(chosen)
    shown = []
    for number, (label, path) in enumerate(files_of(Path(chosen["folder"]), labels)[: chosen["count"]]):
        shown.append(Shown(_fitted(path, side), (label,), number, f"{label}, {path.name}"))
    return shown


def _fitted(path: Path, side: int) -> Pixels:
    """The middle square of a picture, at this side."""
    try:
        with PIL.Image.open(path) as picture:
            square = PIL.ImageOps.fit(picture.convert("RGB"), (side, side), PIL.Image.Resampling.LANCZOS)
    except (OSError, SyntaxError, ValueError) as error:
        raise WorkImpossible(f'"{path}" is not a whole picture; remove it from the folder.') from error
    return np.array(square, dtype=np.uint8)


def _side(chosen: Chosen) -> int:
    rows = Checkpoint.objects.in_bulk(chosen["classifiers"])
    in_order = [rows[key] for key in chosen["classifiers"]]
    return next((row for row in in_order if not row.facts.get("resizes")), in_order[0]).image_size
