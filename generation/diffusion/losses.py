"""What networks are trained to make small.

Source of the denoiser's loss: Nichol and Dhariwal (2021), section 3.1 (the hybrid of the noise's squared error and the
variational bound, which alone trains the variance); Hang et al. (2023) for the cap on the signal-to-noise weight.
Symbols as in process.py. The bound is in bits per dimension.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generation.diffusion.process import Diffusion


@dataclass(frozen=True, kw_only=True)
class LevelWeights:
    """How much the squared error of a noise level counts.

    The weight is min(1, cap / SNR) and, below SNR 1, SNR^(-1/2) up to `boost`. The cap spares effort on levels with
    little noise (Hang et al., 2023). The boost spends it on levels with much noise, where small errors in the noise are
    large ones in the image: without it a small network paints the whole canvas in a wrong colour for long. cap =
    infinity and boost = 1 give every level the weight 1 (Ho et al.).
    """

    cap: float = math.inf
    boost: float = 1.0

    def of(self, snr: Tensor) -> Tensor:
        """Weights of signal-to-noise ratios, elementwise."""
        return (self.cap / snr).clamp(max=1) * snr.rsqrt().clamp(1, self.boost)


# The bound's weight: a thousandth of its sum over the original chain's 1000 steps.
BOUND_WEIGHT = 1.0
HALF_LEVEL = 1 / 255  # Half the distance between two of 256 pixel values in [-1, 1].


@dataclass(frozen=True)
class DenoisingLoss:
    """The denoiser's loss per row: eps, its weighted squared error; bound, the variational bound; each [N]."""

    eps: Tensor
    bound: Tensor

    def mean(self) -> Tensor:
        """The training loss, one number."""
        return (self.eps + BOUND_WEIGHT * self.bound).mean()


def denoising_loss(
    predicted: Tensor, process: Diffusion, *, x_0: Tensor, k: Tensor, noise: Tensor, weights: LevelWeights
) -> DenoisingLoss:
    """Loss of a prediction [N, 3 or 6, H, W] for images noised to levels k [N] with `noise`."""
    eps = predicted[:, : x_0.shape[1]]
    squared = weights.of(process.snr[k]) * (eps - noise).square().mean(dim=(1, 2, 3))
    if predicted.shape[1] == x_0.shape[1]:
        return DenoisingLoss(squared, torch.zeros_like(squared))
    v = predicted[:, x_0.shape[1] :]
    # The bound must not disturb the mean, which the squared error trains better: hence the detached noise.
    return DenoisingLoss(squared, _bound(eps.detach(), v, process=process, x_0=x_0, k=k, noise=noise))


def _bound(eps: Tensor, v: Tensor, *, process: Diffusion, x_0: Tensor, k: Tensor, noise: Tensor) -> Tensor:
    """The variational bound's term of level k, per row: [N]."""
    x_t = process.noised(x_0, k, noise)
    mean = process.posterior_mean(process.x_0(x_t, k, eps), x_t, k)
    log_variance = process.learned_log_variance(v, k)
    true_mean = process.posterior_mean(x_0, x_t, k)
    divergence = _divergence(true_mean, process.posterior_log_variance(k), mean=mean, log_variance=log_variance)
    likelihood = _negative_log_likelihood(x_0, mean, log_scale=log_variance / 2)
    terms = torch.where(k[:, None, None, None] == 0, likelihood, divergence)
    return terms.mean(dim=(1, 2, 3)) / math.log(2)


def _divergence(true_mean: Tensor, true_log_variance: Tensor, *, mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the true Gaussian from the predicted one, per pixel, in nats."""
    ratio = true_log_variance - log_variance
    return 0.5 * (ratio.exp() - ratio - 1 + (true_mean - mean).square() * (-log_variance).exp())


def _negative_log_likelihood(x_0: Tensor, mean: Tensor, *, log_scale: Tensor) -> Tensor:
    """That of 8-bit pixels under a Gaussian cut into bins, the outer ones open (Ho et al., eq. 13), in nats."""
    inverse = (-log_scale).exp()
    above = torch.special.ndtr(inverse * (x_0 - mean + HALF_LEVEL))
    below = torch.special.ndtr(inverse * (x_0 - mean - HALF_LEVEL))
    above = torch.where(x_0 > 0.999, torch.ones_like(above), above)
    below = torch.where(x_0 < -0.999, torch.zeros_like(below), below)
    return -(above - below).clamp_min(1e-12).log()


def classification_loss(classifier: nn.Module, x_t: Tensor, *, t: Tensor, y: Tensor) -> Tensor:
    """Mean cross-entropy of a classifier's answers: of classes y [N], or binary, of attributes y [N, K] of 0 and 1."""
    logits = classifier(x_t, t).float()
    if y.ndim == 2:
        return F.binary_cross_entropy_with_logits(logits, y.to(logits.dtype))
    return F.cross_entropy(logits, y)
