"""Where a sampler's noise comes from: one random stream per seed, or recorded arrays.

An image depends on its own seed only, never on its neighbours, because no two seeds share a stream. Noise is
drawn on the CPU, so that all devices agree, and ahead of time in a thread, so that they need not wait.
"""

import hashlib
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

import numpy as np
import torch
from torch import Tensor


class Noise(Protocol):
    """Noise for one chain: N rows of images."""

    def initial(self) -> Tensor:
        """x_T: float32 [N, 3, H, W]."""
        ...

    def step(self, k: int) -> Tensor:
        """The noise of the k-th step of sampling, k = 0 being the first: float32 [N, 3, H, W]."""
        ...


class RecordedNoise:
    """Noise that was drawn before. draws: [steps + 1, N, 3, H, W], the first of them x_T."""

    def __init__(self, draws: Tensor) -> None:
        self._draws = draws

    def initial(self) -> Tensor:
        """x_T: [N, 3, H, W]."""
        return self._draws[0]

    def step(self, k: int) -> Tensor:
        """The noise of step k: [N, 3, H, W]."""
        return self._draws[k + 1]


class SeededNoise:
    """Standard normal noise, one Philox stream per seed, the same for every arm.

    seeds: one per pair; shape: (channels, height, width); steps: how many `step` calls there will be, each once and in
    order; copies: how many arms see the same noise. Rows are arm-major: row arm * len(seeds) + i has seeds[i].
    """

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, int, int],
        *,
        steps: int,
        copies: int = 1,
        device: torch.device | str = "cpu",
    ) -> None:
        self._streams = [np.random.Generator(np.random.Philox(seed)) for seed in seeds]
        self._shape = shape
        self._copies = copies
        self._device = torch.device(device)
        self._next = 0
        self._left = steps
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="noise")
        self._initial = self._draw()
        self._upcoming = self._prefetch()

    def initial(self) -> Tensor:
        """x_T: float32 [N, 3, H, W]."""
        return self._placed(self._initial)

    def step(self, k: int) -> Tensor:
        """The noise of step k: float32 [N, 3, H, W]. Raises ValueError if steps are asked for out of order."""
        if k != self._next or self._upcoming is None:
            raise ValueError(f"Noise is drawn in order: step {self._next} comes next, not {k}.")
        drawn = self._upcoming.result()
        self._next += 1
        self._upcoming = self._prefetch()
        return self._placed(drawn)

    def initial_sha256(self) -> list[str]:
        """The fingerprint of each seed's x_T: sha256 of its float32 bytes, one per seed."""
        return [hashlib.sha256(row.numpy().tobytes()).hexdigest() for row in self._initial]

    def _prefetch(self) -> "Future[Tensor] | None":
        if not self._left:
            self._pool.shutdown(wait=False)
            return None
        self._left -= 1
        return self._pool.submit(self._draw)

    def _draw(self) -> Tensor:
        # From pinned memory a copy to the device waits for nothing. torch keeps such memory until the copy is done.
        drawn = torch.empty((len(self._streams), *self._shape), pin_memory=self._device.type == "cuda")
        for stream, row in zip(self._streams, drawn.numpy(), strict=True):
            stream.standard_normal(dtype=np.float32, out=row)
        return drawn

    def _placed(self, drawn: Tensor) -> Tensor:
        return drawn.to(self._device, non_blocking=True).repeat(self._copies, 1, 1, 1)
