"""Diagnostics: what guidance does along a trajectory, recorded while a sampler runs.

A recorder is handed to `seed_matched.sample_arms` as `observe` and sees what the arm really applies: its gradient after
stabilising, normalising, the schedule and the scale. Cosine similarity does not depend on the scale; norms do, and a
stabiliser shapes both (averaged gradients are alike because they share their past). Symbols: t, the original index of a
noise level, 0 = least noise; N images; S steps, the first step (most noise) first. Source: "GradCheck", Vaeth et al.
(2024), for the cosine similarity of consecutive gradients.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from generation.diffusion.guidance import Step

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


def band(values: Floats) -> Band:
    """Mean and quartiles (linear interpolation) over the last axis of [S, N], leaving NaN out; NaN where all are."""
    n = np.isfinite(values).sum(axis=1)
    known = [row[np.isfinite(row)] for row in values]
    mean, low, high = (
        np.array([measure(row) if row.size else np.nan for row in known], dtype=np.float64)
        for measure in (np.mean, lambda row: np.quantile(row, 0.25), lambda row: np.quantile(row, 0.75))
    )
    return Band(mean=mean, low=low, high=high, n=n.astype(np.int64))


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
