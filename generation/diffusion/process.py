"""The Gaussian diffusion process: its schedule, its respaced chains and their tables.

Symbols: beta, the variance added by a step; alpha_bar, the share of the image's variance that is left; x_0, the image
[N, 3, H, W] in [-1, 1]; x_t, the noised image; eps, the noise in it; k, an index into this (maybe respaced) chain,
0 = least noise; t = timesteps[k], the index into the original chain, which is what networks are told. All tables are
computed in float64 and cast to float32 once. Sources: Ho et al. (2020); Nichol and Dhariwal (2021), for the cosine
schedule, the learned variance (eq. 15) and respacing (section 4).
"""

import itertools
import math
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

Floats = npt.NDArray[np.float64]


class Schedule(StrEnum):
    """How beta grows along the chain."""

    LINEAR = "linear"
    SCALED_LINEAR = "scaled_linear"
    """Linear in sqrt(beta), as Rombach et al. (2022) train."""
    COSINE = "cosine"


class InvalidSchedule(ValueError):
    """A chain was asked for that cannot be made."""


@dataclass(frozen=True, eq=False)
class Diffusion:
    """One chain of noise levels. betas: float64 [K]; timesteps: int64 [K], original indices, ascending.

    original_length: levels of the chain that this one is a part of.
    """

    schedule: Schedule
    betas: Floats
    timesteps: npt.NDArray[np.int64]
    device: torch.device
    original_length: int

    @classmethod
    def make(cls, schedule: str = "linear", timesteps: int = 1000) -> "Diffusion":
        """The original chain of a schedule: its name, and its first and last beta if they are not the usual ones.

        "linear", "cosine", "linear:0.0001:0.0173". Raises InvalidSchedule.
        """
        kind, betas = _betas(schedule, timesteps)
        return cls(kind, betas, np.arange(timesteps, dtype=np.int64), torch.device("cpu"), timesteps)

    def respaced(self, steps: int) -> "Diffusion":
        """A chain of `steps` evenly spaced levels of this one, from the first to the last.

        Raises InvalidSchedule unless 1 <= steps <= the length of this chain.
        """
        length = len(self.betas)
        if not 1 <= steps <= length:
            raise InvalidSchedule(f"Sampling takes between 1 and {length} steps, not {steps}.")
        stride = (length - 1) / max(steps - 1, 1)
        return self._subset(np.array([round(k * stride) for k in range(steps)], dtype=np.int64))

    def strided(self, steps: int) -> "Diffusion":
        """A chain of every (length // steps)-th level, as DDIM papers write "ddimN"."""
        length = len(self.betas)
        if steps < 1 or length % steps:
            raise InvalidSchedule(f"Strided sampling needs a number of steps that divides {length}, not {steps}.")
        return self._subset(np.arange(0, length, length // steps, dtype=np.int64))

    def to(self, device: torch.device | str) -> "Diffusion":
        """The same chain with its tables on another device."""
        return replace(self, device=torch.device(device))

    def __len__(self) -> int:
        return len(self.betas)

    def t(self, k: int, *, rows: int) -> Tensor:
        """The original timestep of level k for every row: int64 [rows]."""
        return self._timesteps[k].repeat(rows)

    def level(self, k: int) -> float:
        """Where level k of this chain lies in the original one: 0 = least noise, 1 = most."""
        return float(self.timesteps[k]) / max(self.original_length - 1, 1)

    def noised(self, x_0: Tensor, k: Tensor, eps: Tensor) -> Tensor:
        """x_t of level k [N], made of the image and the noise (Ho et al., eq. 4)."""
        return at(self.signal, k) * x_0 + at(self.noise, k) * eps

    def x_0(self, x_t: Tensor, k: Tensor | int, eps: Tensor) -> Tensor:
        """The image that x_t and its noise imply, not clamped."""
        return (x_t - at(self.noise, k) * eps) / at(self.signal, k)

    def eps(self, x_t: Tensor, k: Tensor | int, x_0: Tensor) -> Tensor:
        """The noise that x_t and its image imply."""
        return (x_t - at(self.signal, k) * x_0) / at(self.noise, k)

    def posterior_mean(self, x_0: Tensor, x_t: Tensor, k: Tensor | int) -> Tensor:
        """The mean of x_{t-1} given x_t and x_0 (Ho et al., eq. 7)."""
        return at(self._mean_of_x_0, k) * x_0 + at(self._mean_of_x_t, k) * x_t

    def posterior_log_variance(self, k: Tensor | int) -> Tensor:
        """The log variance of x_{t-1} given x_t and x_0; level 0, whose variance is 0, takes that of level 1."""
        return at(self._log_posterior_variance, k)

    def learned_log_variance(self, v: Tensor, k: Tensor | int) -> Tensor:
        """Interpolate between beta (v = 1) and the posterior variance (v = -1), in the log domain."""
        f = (v + 1) / 2
        return f * at(self._log_beta, k) + (1 - f) * at(self._log_posterior_variance, k)

    @cached_property
    def alpha_bar(self) -> Floats:
        """The share of the image's variance left at every level: float64 [K]."""
        return np.cumprod(1 - self.betas, dtype=np.float64)

    @cached_property
    def signal(self) -> Tensor:
        """sqrt(alpha_bar): float32 [K]."""
        return self._table(np.sqrt(self.alpha_bar))

    @cached_property
    def noise(self) -> Tensor:
        """sqrt(1 - alpha_bar): float32 [K]."""
        return self._table(np.sqrt(1 - self.alpha_bar))

    @cached_property
    def snr(self) -> Tensor:
        """The signal-to-noise ratio alpha_bar / (1 - alpha_bar): float32 [K]."""
        return self._table(self.alpha_bar / (1 - self.alpha_bar))

    @cached_property
    def _previous(self) -> Floats:
        return np.append(1.0, self.alpha_bar[:-1])

    @cached_property
    def _mean_of_x_0(self) -> Tensor:
        return self._table(self.betas * np.sqrt(self._previous) / (1 - self.alpha_bar))

    @cached_property
    def _mean_of_x_t(self) -> Tensor:
        return self._table((1 - self._previous) * np.sqrt(1 - self.betas) / (1 - self.alpha_bar))

    @cached_property
    def _posterior_variance(self) -> Floats:
        variance = self.betas * (1 - self._previous) / (1 - self.alpha_bar)
        # A chain of one level has no level 1 to borrow from; its beta is the only variance there is.
        variance[0] = variance[1] if len(variance) > 1 else self.betas[0]
        return variance

    @cached_property
    def _log_posterior_variance(self) -> Tensor:
        return self._table(np.log(self._posterior_variance))

    @cached_property
    def largest_posterior_variance(self) -> float:
        """The greatest posterior variance of this chain's steps."""
        # From the table in float64: reading the device's would wait for it.
        return float(self._posterior_variance.max())

    @cached_property
    def _timesteps(self) -> Tensor:
        return torch.from_numpy(self.timesteps).to(self.device)

    @cached_property
    def _log_beta(self) -> Tensor:
        return self._table(np.log(self.betas))

    def _table(self, values: Floats) -> Tensor:
        return torch.from_numpy(values).to(torch.float32).to(self.device)

    def _subset(self, levels: npt.NDArray[np.int64]) -> "Diffusion":
        kept = self.alpha_bar[levels]
        betas = 1 - kept / np.append(1.0, kept[:-1])
        return replace(self, betas=betas, timesteps=self.timesteps[levels])


def at(table: Tensor, k: Tensor | int) -> Tensor:
    """Look up levels in a table: a scalar for an int, [N, 1, 1, 1] for levels [N]."""
    return table[k] if isinstance(k, int) else table[k][:, None, None, None]


def _betas(schedule: str, timesteps: int) -> tuple[Schedule, Floats]:
    name, *ends = schedule.split(":")
    if timesteps < 1:
        raise InvalidSchedule(f"A chain has at least one timestep, not {timesteps}.")
    if name == Schedule.COSINE and not ends:
        return Schedule.COSINE, _cosine_betas(timesteps)
    if name not in _POWERS or len(ends) not in (0, 2):
        raise InvalidSchedule(f'"{schedule}" is no schedule; known are linear, scaled_linear and cosine.')
    # The end points 1e-4 and 0.02 belong to 1000 steps; other lengths keep the total noise.
    scale = 1000 / timesteps
    try:
        first, last = (float(end) for end in ends) if ends else (scale * 1e-4, scale * 0.02)
    except ValueError as error:
        raise InvalidSchedule(f'The betas of "{schedule}" are no numbers.') from error
    if not 0 < first <= last < 1:
        raise InvalidSchedule(f'The betas of "{schedule}" must rise between 0 and 1.')
    kind = Schedule(name)
    power = _POWERS[kind]
    return kind, np.linspace(first ** (1 / power), last ** (1 / power), timesteps, dtype=np.float64) ** power


def _cosine_betas(timesteps: int) -> Floats:
    def left(share: float) -> float:
        return math.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2

    edges = [left(i / timesteps) for i in range(timesteps + 1)]
    pairs = itertools.pairwise(edges)
    return np.array([min(1 - after / before, 0.999) for before, after in pairs], dtype=np.float64)


_POWERS = {Schedule.LINEAR: 1, Schedule.SCALED_LINEAR: 2}
