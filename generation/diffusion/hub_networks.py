"""Denoisers of other conventions, wrapped so that they answer as ours do: (x_t, t, y) -> eps, or eps and the variance.

Symbols as in process.py. Sources: Salimans and Ho (2022), section 4, for v; Karras et al. (2022), table 1, for EDM;
Peebles and Xie (2023) for DiT. The networks inside come from `diffusers`, but nothing here imports it.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

import torch
from torch import Tensor, nn

from generation.diffusion.process import Diffusion, at
from generation.diffusion.spaces import Space


class Predicts(StrEnum):
    """What a network's output stands for."""

    EPS = "epsilon"
    V = "v_prediction"
    X_0 = "sample"


class HubDenoiser(nn.Module):
    """A network of `diffusers` on one of our chains. space: what its samples are."""

    signal: Tensor
    noise: Tensor

    def __init__(self, network: nn.Module, process: Diffusion, *, space: Space) -> None:
        super().__init__()
        self.network = network
        self.space = space
        self.register_buffer("signal", process.signal, persistent=False)
        self.register_buffer("noise", process.noise, persistent=False)

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """x_t: [N, C, H, W], t: int64 [N], original indices, y: [N] or None -> eps [N, C, ...] or [N, 2 C, ...]."""
        raise NotImplementedError

    def _out(self, x: Tensor, t: Tensor, y: Tensor | None) -> Tensor:
        out: Tensor = self.network(x, t, class_labels=y).sample
        return out


class PixelUNet(HubDenoiser):
    """A UNet2DModel that was trained on our chain, and predicts eps, v or x_0."""

    def __init__(self, network: nn.Module, process: Diffusion, *, space: Space, predicts: Predicts) -> None:
        super().__init__(network, process, space=space)
        self.predicts = predicts

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """As HubDenoiser's."""
        out = self._out(x_t, t, y)
        predicted, variance = out[:, : x_t.shape[1]], out[:, x_t.shape[1] :]
        return torch.cat([self._eps(predicted, x_t, t), variance], dim=1)

    def _eps(self, predicted: Tensor, x_t: Tensor, t: Tensor) -> Tensor:
        signal, noise = at(self.signal, t), at(self.noise, t)
        if self.predicts is Predicts.V:
            # v = signal eps - noise x_0, so that signal v + noise x_t = eps.
            return signal * predicted + noise * x_t
        if self.predicts is Predicts.X_0:
            return (x_t - signal * predicted) / noise
        return predicted


class EdmUNet(HubDenoiser):
    """A UNet2DModel with the preconditioning of Karras et al., moved to our chain.

    Its images x = x_0 + sigma eps are ours divided by `signal`, with sigma = noise / signal. sigma_data: the standard
    deviation of its training images. c_out_sign: -1 if the network was trained to predict the negative of F.
    """

    def __init__(
        self, network: nn.Module, process: Diffusion, *, space: Space, sigma_data: float, c_out_sign: int = 1
    ) -> None:
        super().__init__(network, process, space=space)
        self.sigma_data = sigma_data
        self.c_out_sign = c_out_sign

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """As HubDenoiser's."""
        signal, noise = at(self.signal, t), at(self.noise, t)
        sigma, x = noise / signal, x_t / signal
        total = sigma**2 + self.sigma_data**2
        c_noise = (self.noise / self.signal)[t].log() / 4
        f = self._out(x / total.sqrt(), c_noise, y)
        # eps = (x - D) / sigma with D = c_skip x + c_out F, multiplied out: at low noise x and D are all but equal.
        return x * sigma / total - self.c_out_sign * f * self.sigma_data / total.sqrt()


class LatentTransformer(HubDenoiser):
    """A DiT: its samples are an autoencoder's latents, times a factor, and images are decoded from them."""

    def __init__(self, network: nn.Module, process: Diffusion, *, autoencoder: nn.Module) -> None:
        config = _config(network)
        space = Space(size=config.sample_size, channels=config.in_channels, clipped=False, decode=self._decoded)
        super().__init__(network, process, space=space)
        self.autoencoder = autoencoder

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """As HubDenoiser's."""
        if y is None:
            raise ValueError("A DiT needs labels, or its null class for none.")
        return self._out(x_t, t, y)

    def _decoded(self, latents: Tensor) -> Tensor:
        """Images [N, 3, H, W] about in [-1, 1] of latents [N, C, h, w]; differentiable."""
        config = _config(self.autoencoder)
        decode: Callable[[Tensor], Any] = self.autoencoder.decode  # type: ignore[assignment]  # untyped library
        images: Tensor = decode(latents / config.scaling_factor + (config.shift_factor or 0)).sample
        return images


def _config(network: nn.Module) -> Any:  # Any: the optional library's own configurations
    return network.config
