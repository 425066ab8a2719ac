"""Guidance: where a sample should go, as scale times grad log p(y | x_t).

A sampler decides what to do with the gradient: DDPM adds variance times gradient to the mean, DDIM changes eps. So
guidance is no wrapper of the denoiser, except classifier-free guidance, which is a combination of two predictions and
no gradient. Sources: Dhariwal and Nichol (2021), section 4.1; recipes.py names those of the other methods. Symbols as
there. Shapes: x_t and gradients [N, C, H, W]; t int64 [N] (original index); wanted bool [N, classes].
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sin
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from generation.diffusion.classifiers import Head
from generation.diffusion.guides import Guide
from generation.diffusion.recipes import Guidance as By
from generation.diffusion.recipes import Reads, Recipe
from generation.diffusion.spaces import Decode, unchanged
from generation.diffusion.stabilisers import normalised, stabilised


@dataclass(frozen=True)
class Attached:
    """Some rows' x_t as a leaf, and their x_0 with the graph that leads from it through the denoiser."""

    rows: slice
    x_t: Tensor
    x_0: Tensor


@dataclass(frozen=True, kw_only=True)
class Step:
    """Where all trajectories of a sampler are.

    x_0: the sampler's estimate, clamped as the sampler clamps it. level: share of the chain of noise levels, 0 the
    least noise, 1 the most. index: 0 in the first of `steps` steps. variance: of the step, [N, ...] or a scalar, None
    under DDIM; largest_variance: the greatest posterior variance of the chain. attached: the rows that asked for a
    graph.
    """

    x_t: Tensor
    t: Tensor
    x_0: Tensor
    level: float
    index: int
    steps: int
    variance: Tensor | None = None
    largest_variance: float = 0.0
    attached: tuple[Attached, ...] = ()

    def of(self, rows: slice) -> "Step":
        """The same step of some rows only."""
        inside = tuple(
            Attached(slice(0, len(part.x_t)), part.x_t, part.x_0)
            for part in self.attached
            if (part.rows.start, part.rows.stop) == (rows.start, rows.stop)
        )
        variance = self.variance
        return Step(
            x_t=self.x_t[rows],
            t=self.t[rows],
            x_0=self.x_0[rows],
            level=self.level,
            index=self.index,
            steps=self.steps,
            variance=variance[rows] if variance is not None and variance.dim() else variance,
            largest_variance=self.largest_variance,
            attached=inside,
        )


class Guidance(Protocol):
    """Gradients for all rows of a sampler, step after step. May remember earlier steps, but of its own run only."""

    def attached_rows(self, level: float, *, rows: int) -> Sequence[slice]:
        """The rows, of `rows`, whose x_0 must come with its graph at this noise level."""
        ...

    def __call__(self, step: Step) -> Tensor:
        """The gradient at this step, times the scale."""
        ...


class Unguided:
    """No guidance: a gradient of zeros."""

    def attached_rows(self, level: float, *, rows: int) -> Sequence[slice]:
        """None."""
        return ()

    def __call__(self, step: Step) -> Tensor:
        """Zeros like x_t."""
        return torch.zeros_like(step.x_t)


class ClassifierGuidance:
    """A classifier's gradient towards the wanted classes, as a recipe shapes it."""

    def __init__(self, guide: Guide, wanted: Tensor, *, recipe: Recipe, decode: Decode) -> None:
        self._guide, self._wanted, self._recipe, self._decode = guide, wanted, recipe, decode
        self._stabilise = stabilised(recipe)

    def attached_rows(self, level: float, *, rows: int) -> Sequence[slice]:
        """All rows, where the gradient goes through the denoiser."""
        return (slice(0, rows),) if self._recipe.through_denoiser and self._is_on(level) else ()

    def __call__(self, step: Step) -> Tensor:
        """The gradient by x_t, or by the detached x_0: stabilised, normalised, scheduled, scaled."""
        recipe = self._recipe
        if step.index == 0:
            # What one run remembers must not reach the next, whoever calls.
            self._stabilise = stabilised(recipe)
        if not self._is_on(step.level):
            return torch.zeros_like(step.x_t)
        gradient = self._stabilise(self._gradient(step))
        if recipe.normalised:
            gradient = normalised(gradient)
        if recipe.sine_gamma is not None:
            gradient = gradient * _sine(step, gamma=recipe.sine_gamma)
        return recipe.scale * gradient

    def _gradient(self, step: Step) -> Tensor:
        with torch.enable_grad():
            origin, shown, t = self._shown(step)
            # In float32 the 1 - p of a confident classifier would be mostly rounding, which normalising blows up.
            logits = self._guide.logits(shown, t).double()
            (gradient,) = torch.autograd.grad(
                log_probability(logits, self._wanted, self._guide.head, self._recipe), origin
            )
        return gradient

    def _shown(self, step: Step) -> tuple[Tensor, Tensor, Tensor]:
        """What the gradient is taken by, the images that the classifier sees, and the timestep it is told."""
        if self._recipe.reads is Reads.X_T:
            x_t = step.x_t.detach().requires_grad_()
            return x_t, x_t, step.t
        # An estimate of the clean image has no noise left to speak of: level 0.
        clean = torch.zeros_like(step.t)
        if self._recipe.reads is Reads.X_0:
            (attached,) = step.attached
            return attached.x_t, self._decode(attached.x_0), clean
        x_0 = step.x_0.detach().requires_grad_()
        return x_0, self._decode(x_0), clean

    def _is_on(self, level: float) -> bool:
        return self._recipe.guided_from <= level <= self._recipe.guided_until


class ByRows:
    """Each slice of rows has its own guidance, so that all arms share one denoiser forward; other rows have none."""

    def __init__(self, parts: Sequence[tuple[slice, Guidance]]) -> None:
        self._parts = parts

    def attached_rows(self, level: float, *, rows: int) -> Sequence[slice]:
        """The slices of the parts that need a graph."""
        return [
            part_rows
            for part_rows, part in self._parts
            if part.attached_rows(level, rows=part_rows.stop - part_rows.start)
        ]

    def __call__(self, step: Step) -> Tensor:
        """Every part's gradient in its rows."""
        gradient = torch.zeros_like(step.x_t)
        for rows, part in self._parts:
            gradient[rows] = part(step.of(rows))
        return gradient


def guidance_of(recipe: Recipe, guide: Guide | None, wanted: Tensor, *, decode: Decode = unchanged) -> Guidance | None:
    """The guidance a recipe asks of a classifier, None if it asks for none: a scale of 0 is unguided.

    wanted: bool [N, classes], several True in a row where several classes are requested at once: their gradients are
    added. decode: from the denoiser's space to the classifier's images; x_0 goes through it. Raises ValueError if the
    recipe needs a guide and has none, or if a row asks for an attribute and its opposite.
    """
    if not recipe.needs_classifier or recipe.scale == 0:
        return None
    if guide is None:
        raise ValueError("This recipe is guided by a classifier, but none was given.")
    if guide.head is Head.SIGMOID and bool((wanted[:, 0::2] & wanted[:, 1::2]).any()):
        raise ValueError("An image can't be with and without one attribute; ask for one side of it.")
    return ClassifierGuidance(guide, wanted, recipe=recipe, decode=decode)


def classifier_guidance(guide: Guide, labels: Tensor, *, scale: float) -> Guidance:
    """The plain form: the gradient of log softmax at labels, int64 [N], of a classifier shown x_t, times the scale."""
    wanted = labels[:, None] == torch.arange(guide.classes, device=labels.device)
    recipe = Recipe(guidance=By.CLASSIFIER, scale=scale)
    return guidance_of(recipe, guide, wanted) or Unguided()


def by_rows(parts: Sequence[tuple[slice, Guidance | None]]) -> Guidance:
    """Give each slice of rows its own guidance, None for unguided."""
    return ByRows([(rows, part) for rows, part in parts if part is not None])


def wanted_classes(requested: Sequence[Sequence[int]], *, classes: int, device: torch.device | str = "cpu") -> Tensor:
    """Which of `classes` each row asks for: bool [N, classes]. Raises ValueError for a class out of range."""
    wanted = torch.zeros(len(requested), classes, dtype=torch.bool)
    for row, indices in enumerate(requested):
        if not indices or not all(0 <= index < classes for index in indices):
            raise ValueError(f"Row {row} asks for classes {list(indices)}; there are classes 0 to {classes - 1}.")
        wanted[row, list(indices)] = True
    return wanted.to(device)


def log_probability(logits: Tensor, wanted: Tensor, head: Head, recipe: Recipe) -> Tensor:
    """Sum over rows and wanted classes of t1 f_y - logsumexp(t2 f), a scalar; with t1 = t2 = 1, of log p(y).

    For attributes log p(y) is f_y - softplus(f_y), so that t2 = 0 leaves the logit of the wanted side (but a constant).
    EluCD, section 4.4.
    """
    t1, t2 = recipe.joint_temperature, recipe.conditional_temperature
    if head is Head.SIGMOID:
        terms = t1 * logits - F.softplus(t2 * logits)
    elif t1 == t2 == 1:
        terms = logits.log_softmax(dim=1)
    else:
        terms = t1 * logits - torch.logsumexp(t2 * logits, dim=1, keepdim=True)
    return torch.where(wanted, terms, 0.0).sum()


def _sine(step: Step, *, gamma: float) -> Tensor:
    """What turns variance times gradient into (variance + gamma sin(pi i / N) maxvar) times gradient."""
    if step.variance is None:
        raise ValueError("The sine schedule belongs to DDPM; this sampler has no variance.")
    return 1 + gamma * sin(pi * step.index / step.steps) * step.largest_variance / step.variance
