"""Diagnostics: what guidance does along a trajectory, and what classifiers' gradients look like on given images.

A recorder is handed to `seed_matched.sample_arms` as `observe` and sees what the arm really applies: its gradient after
stabilising, normalising, the schedule and the scale. Cosine similarity does not depend on the scale; norms do, and a
stabiliser shapes both (averaged gradients are alike because they share their past). Symbols: t, the original index of a
noise level, 0 = least noise; N images; S steps, the first step (most noise) first. Sources: "GradCheck", Vaeth et al.
(2024), for the cosine similarity of consecutive gradients; Kawar et al. (2023), figures 3 to 5, for the others.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from generation.diffusion.attacks import climb
from generation.diffusion.classifiers import Head
from generation.diffusion.guidance import Step
from generation.diffusion.guides import Guide
from generation.diffusion.plans import Attack
from generation.diffusion.spaces import Decode, unchanged

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


class NothingRecorded(ValueError):
    """A recorder was asked for an arm that it has not seen from the first step to the last."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Stability:
    """How steady one arm's gradients are along its trajectories.

    timesteps: int64 [S], original indices; levels: float64 [S], shares of the chain, 1 = most noise; cosine: float64
    [S - 1, N] in [-1, 1], of the gradients at steps k and k + 1, belonging to timesteps[1:]; norms: float64 [S, N],
    Euclidean, of gradients flattened per image. A cosine is NaN where one of its two gradients is zero (no guidance).
    """

    timesteps: Integers
    levels: Floats
    cosine: Floats
    norms: Floats

    @property
    def mean_cosine(self) -> float:
        """The mean over all steps and images that have a cosine; NaN if none has."""
        known = self.cosine[np.isfinite(self.cosine)]
        return float(known.mean()) if known.size else float("nan")


@dataclass(frozen=True, eq=False, kw_only=True)
class Band:
    """Mean and quartiles over images, float64 [S] each; n: int64 [S], how many images have a value at each step."""

    mean: Floats
    low: Floats
    high: Floats
    n: Integers


class GradientTrace:
    """Records every arm's `Stability`; give it to `sample_arms` as `observe`, once or for several chunks of seeds."""

    def __init__(self) -> None:
        self._runs: dict[str, list[_Run]] = {}

    def __call__(self, arm: str, step: Step, gradient: Tensor) -> None:
        """Take one step's gradient [N, C, H, W] of an arm."""
        runs = self._runs.setdefault(arm, [])
        if step.index == 0:
            runs.append(_Run(steps=step.steps))
        # The original index is the same in every row, and stays on the device: no step waits for it.
        runs[-1].take(step, gradient.detach().flatten(1))

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that were seen, in their order."""
        return tuple(self._runs)

    def stability(self, arm: str) -> Stability:
        """What was recorded of an arm, images in the order of their chunks. Raises NothingRecorded."""
        runs = self._runs.get(arm, [])
        if not runs or any(not run.is_whole for run in runs):
            raise NothingRecorded(f'No whole trajectory of arm "{arm}" was recorded.')
        return Stability(
            timesteps=torch.stack(runs[0].timesteps).cpu().numpy(),
            levels=np.array(runs[0].levels, dtype=np.float64),
            cosine=np.concatenate([_array(run.cosine, width=run.rows) for run in runs], axis=1),
            norms=np.concatenate([_array(run.norms, width=run.rows) for run in runs], axis=1),
        )


@dataclass(frozen=True, eq=False, kw_only=True)
class Estimates:
    """One arm's estimates of its final images. timesteps: int64 [K]; images: [K, N, 3, H, W] about in [-1, 1]."""

    timesteps: Integers
    images: Tensor


class EstimateTrace:
    """Records every arm's x_0 at `columns` evenly spaced steps, the first and the last among them; an `observe`.

    decode: from the denoiser's space to images. For one call of `sample_arms`, or several chunks of seeds.
    """

    def __init__(self, *, columns: int, decode: Decode = unchanged) -> None:
        self._columns, self._decode = columns, decode
        self._runs: dict[str, list[dict[int, tuple[Tensor, Tensor]]]] = {}

    def __call__(self, arm: str, step: Step, gradient: Tensor) -> None:
        """Take one step's estimate, if it is one of those to keep."""
        runs = self._runs.setdefault(arm, [])
        if step.index == 0:
            runs.append({})
        if step.index in _spread(step.steps, self._columns):
            runs[-1][step.index] = step.t[0], self._decode(step.x_0).float().cpu()

    def estimates(self, arm: str) -> Estimates:
        """What was recorded of an arm, images in the order of their chunks. Raises NothingRecorded."""
        runs = self._runs.get(arm, [])
        if not runs or any(run.keys() != runs[0].keys() for run in runs):
            raise NothingRecorded(f'No whole trajectory of arm "{arm}" was recorded.')
        timesteps = torch.stack([t for t, _ in runs[0].values()])
        images = torch.cat([torch.stack([x_0 for _, x_0 in run.values()]) for run in runs], dim=1)
        return Estimates(timesteps=timesteps.cpu().numpy(), images=images)


def input_gradients(guide: Guide, x_t: Tensor, *, t: Tensor, wanted: Tensor) -> Tensor:
    """Each image's gradient of log p(wanted | x_t) by x_t: [N, 3, H, W]. t: int64 [N]; wanted: bool [N, classes]."""
    with torch.enable_grad():
        leaf = x_t.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(_log_probabilities(guide, leaf, t=t, wanted=wanted).sum(), leaf)
    return gradient


def probabilities(guide: Guide, x_t: Tensor, *, t: Tensor, wanted: Tensor) -> Tensor:
    """Each image's p(wanted | x_t): float64 [N]; of several wanted classes, the product."""
    with torch.no_grad():
        return _log_probabilities(guide, x_t, t=t, wanted=wanted).exp()


def towards(guide: Guide, x: Tensor, *, t: Tensor, wanted: Tensor, attack: Attack) -> Tensor:
    """Targeted projected gradient ascent: each image moved within attack.eps so as to raise p(wanted | x)."""
    return climb(lambda moved: _log_probabilities(guide, moved, t=t, wanted=wanted).sum(), x, attack=attack)


def band(values: Floats) -> Band:
    """Mean and quartiles (linear interpolation) over the last axis of [S, N], leaving NaN out; NaN where all are."""
    n = np.isfinite(values).sum(axis=1)
    known = [row[np.isfinite(row)] for row in values]
    mean, low, high = (
        np.array([measure(row) if row.size else np.nan for row in known], dtype=np.float64)
        for measure in (np.mean, lambda row: np.quantile(row, 0.25), lambda row: np.quantile(row, 0.75))
    )
    return Band(mean=mean, low=low, high=high, n=n.astype(np.int64))


def _log_probabilities(guide: Guide, x_t: Tensor, *, t: Tensor, wanted: Tensor) -> Tensor:
    # In float64: where a classifier is sure, 1 - p is lost in float32, and with it the gradient.
    logits = guide.logits(x_t, t).double()
    terms = logits.log_softmax(dim=1) if guide.head is Head.SOFTMAX else F.logsigmoid(logits)
    return torch.where(wanted, terms, 0.0).sum(dim=1)


def _spread(steps: int, columns: int) -> set[int]:
    """At most `columns` evenly spaced indices of range(steps), both ends among them; the last if it is one only."""
    if columns == 1:
        return {steps - 1}
    return {round(i * (steps - 1) / (columns - 1)) for i in range(columns)}


@dataclass
class _Run:
    """One chunk's gradients of one arm; only the last one is kept whole."""

    steps: int
    rows: int = 0
    timesteps: list[Tensor] = field(default_factory=list)
    levels: list[float] = field(default_factory=list)
    cosine: list[Tensor] = field(default_factory=list)
    norms: list[Tensor] = field(default_factory=list)
    _last: Tensor | None = None

    @property
    def is_whole(self) -> bool:
        return len(self.levels) == self.steps

    def take(self, step: Step, gradient: Tensor) -> None:
        gradient = gradient.double()
        norms = torch.linalg.vector_norm(gradient, dim=1)
        if self._last is not None:
            # 0 / 0 is NaN: a gradient of zero points nowhere.
            self.cosine.append((gradient * self._last).sum(dim=1) / (norms * self.norms[-1]))
        self.timesteps.append(step.t[0])
        self.levels.append(step.level)
        self.norms.append(norms)
        self._last, self.rows = gradient, len(gradient)


def _array(rows: Sequence[Tensor], *, width: int) -> Floats:
    """Rows [N] as an array [len, N], also where there are none."""
    if not rows:
        return np.zeros((0, width), dtype=np.float64)
    stacked: Floats = torch.stack(list(rows)).cpu().numpy()
    return stacked
