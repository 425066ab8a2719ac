"""Spaces: what a denoiser's samples are, pixels or the latents of an autoencoder."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

Decode = Callable[[Tensor], Tensor]


def unchanged(x: Tensor) -> Tensor:
    """Pixels are their own images."""
    return x


@dataclass(frozen=True, kw_only=True)
class Space:
    """Samples are [N, channels, size, size]; decode makes images [N, 3, H, W] in about [-1, 1] of them.

    clipped: whether the sampler clamps its estimate x_0 to [-1, 1], as it does for pixels and must not for latents.
    """

    size: int
    channels: int = 3
    clipped: bool = True
    decode: Decode = unchanged

    @property
    def shape(self) -> tuple[int, int, int]:
        """One sample's shape."""
        return self.channels, self.size, self.size
