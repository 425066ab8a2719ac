"""Samplers: from noise to images.

Sources: Ho et al. (2020), algorithm 2, with the learned variance of Nichol and Dhariwal (2021) and the guidance
of Dhariwal and Nichol (2021), algorithms 1 and 2; Song et al. (2021) for DDIM; Ho and Salimans (2022) for
classifier-free guidance. Symbols as in process.py. No step waits for the device: tables are on it, and nothing is read
back.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import torch
from torch import Tensor

from generation.diffusion.guidance import Attached, Guidance, Step, Unguided
from generation.diffusion.noise import Noise
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Variance

OnStep = Callable[[int, int], None]
Observe = Callable[[Step, Tensor], None]
"""Called with every step and its gradient, times the scale, before the sample moves."""


class Denoiser(Protocol):
    """A noise predictor: (x_t [N, C, H, W], t [N], y [N] or None) -> [N, C or 2 C, H, W]."""

    def __call__(self, x_t: Tensor, t: Tensor, y: Tensor | None = None, /) -> Tensor: ...


@dataclass(frozen=True, kw_only=True)
class Weighted:
    """Rows under classifier-free guidance: eps + weight (eps - eps_null), between two noise levels."""

    rows: slice
    weight: float
    guided_from: float = 0.0
    guided_until: float = 1.0


@dataclass(frozen=True)
class Model:
    """A denoiser and what it is asked: labels int64 [N], None for an unconditional one, and how x_0 is treated.

    classifier_free: rows that are predicted twice, with their label and with null_class. The variance of such a row is
    that of its label.
    """

    denoiser: Denoiser
    labels: Tensor | None
    clipped: bool = True
    variance: Variance = Variance.LEARNED
    null_class: int | None = None
    classifier_free: Sequence[Weighted] = field(default=())


@torch.no_grad()
def ddpm(
    model: Model,
    process: Diffusion,
    *,
    noise: Noise,
    guidance: Guidance | None = None,
    on_step: OnStep | None = None,
    observe: Observe | None = None,
) -> Tensor:
    """Sample along every level of a (respaced) process: [N, C, H, W], about in [-1, 1].

    on_step(k, steps) is called after the k-th step, k = 1 the first; what it raises ends the sampling. The last step,
    to level 0, takes no noise but is guided.
    """
    guidance, steps = guidance or Unguided(), len(process)
    x_t = noise.initial()
    for done, k in enumerate(reversed(range(steps))):
        at, log_variance = _predicted(model, process, x_t, k=k, guidance=guidance)
        variance = log_variance.exp()
        at = replace(at, variance=variance)
        gradient = guidance(at)
        if observe is not None:
            observe(at, gradient)
        mean = process.posterior_mean(at.x_0, x_t, k) + variance * gradient
        x_t = mean + (0.5 * log_variance).exp() * noise.step(done) if k else mean
        if on_step is not None:
            on_step(done + 1, steps)
    return x_t


@torch.no_grad()
def ddim(
    model: Model,
    process: Diffusion,
    *,
    noise: Noise,
    guidance: Guidance | None = None,
    on_step: OnStep | None = None,
    observe: Observe | None = None,
) -> Tensor:
    """Sample without noise (eta = 0), as `ddpm` otherwise; guidance changes eps instead of the mean."""
    guidance, steps = guidance or Unguided(), len(process)
    x_t = noise.initial()
    for done, k in enumerate(reversed(range(steps))):
        at, _ = _predicted(model, process, x_t, k=k, guidance=guidance)
        at = replace(at, variance=None)
        gradient = guidance(at)
        if observe is not None:
            observe(at, gradient)
        eps = process.eps(x_t, k, at.x_0) - process.noise[k] * gradient
        x_0 = process.x_0(x_t, k, eps)
        x_t = process.signal[k - 1] * x_0 + process.noise[k - 1] * eps if k else x_0
        if on_step is not None:
            on_step(done + 1, steps)
    return x_t


def to_uint8(x: Tensor) -> Tensor:
    """Pixels of samples [N, 3, H, W] in [-1, 1]: uint8 [N, H, W, 3] on the CPU.

    Truncated, not rounded, as the reference samplers do.
    """
    pixels = ((x + 1) * 127.5).clamp(0, 255).to(torch.uint8)
    return pixels.permute(0, 2, 3, 1).contiguous().cpu()


def _predicted(model: Model, process: Diffusion, x_t: Tensor, *, k: int, guidance: Guidance) -> tuple[Step, Tensor]:
    """Where the trajectories are at level k, and the step's log variance: learned, or the posterior's."""
    steps = len(process)
    level = process.level(k)
    t = process.t(k, rows=len(x_t))
    channels = x_t.shape[1]
    attached: list[Attached] = []
    parts: list[tuple[slice, Tensor]] = []
    for rows in guidance.attached_rows(level, rows=len(x_t)):
        with torch.enable_grad():
            leaf = x_t[rows].detach().requires_grad_()
            out = _forward(model, leaf, t, rows=rows, level=level)
            attached.append(Attached(rows, leaf, _x_0(model, process, leaf, k=k, eps=out[:, :channels])))
        parts.append((rows, out.detach()))
    predicted = _joined(parts, lambda rows: _forward(model, x_t[rows], t, rows=rows, level=level), count=len(x_t))
    eps, v = predicted[:, :channels], predicted[:, channels:]
    learned = v.shape[1] == channels and model.variance is Variance.LEARNED
    log_variance = process.learned_log_variance(v, k) if learned else process.posterior_log_variance(k)
    step = Step(
        x_t=x_t,
        t=t,
        x_0=_x_0(model, process, x_t, k=k, eps=eps),
        level=level,
        index=steps - 1 - k,
        steps=steps,
        largest_variance=process.largest_posterior_variance,
        attached=tuple(attached),
    )
    return step, log_variance


def _joined(parts: Sequence[tuple[slice, Tensor]], rest: Callable[[slice], Tensor], *, count: int) -> Tensor:
    """All rows' predictions in their order: those of the parts, and one forward for each gap between them."""
    if not parts:
        return rest(slice(0, count))
    pieces: list[Tensor] = []
    done = 0
    for rows, out in sorted(parts, key=lambda part: int(part[0].start)):
        if done < rows.start:
            pieces.append(rest(slice(done, rows.start)))
        pieces.append(out)
        done = rows.stop
    if done < count:
        pieces.append(rest(slice(done, count)))
    return torch.cat(pieces)


def _forward(model: Model, x_t: Tensor, t: Tensor, *, rows: slice, level: float) -> Tensor:
    """The prediction for some rows, those under classifier-free guidance predicted twice in the same forward."""
    labels = None if model.labels is None else model.labels[rows]
    t = t[rows]
    twice = [
        (slice(part.rows.start - rows.start, part.rows.stop - rows.start), part.weight)
        for part in model.classifier_free
        if part.rows.start >= rows.start
        and part.rows.stop <= rows.stop
        and part.weight
        and part.guided_from <= level <= part.guided_until
    ]
    if not twice:
        return model.denoiser(x_t, t, labels).float()
    if labels is None or model.null_class is None:
        raise ValueError("Classifier-free guidance needs a denoiser with classes and a null class.")
    n, channels = len(x_t), x_t.shape[1]
    more = [x_t[part] for part, _ in twice]
    nulls = torch.full((sum(len(part) for part in more),), model.null_class, device=labels.device)
    out = model.denoiser(
        torch.cat([x_t, *more]), torch.cat([t, *(t[part] for part, _ in twice)]), torch.cat([labels, nulls])
    ).float()
    predicted, start = out[:n].clone(), n
    for part, weight in twice:
        eps = predicted[part, :channels]
        without = out[start : start + len(eps), :channels]
        predicted[part, :channels] = eps + weight * (eps - without)
        start += len(eps)
    return predicted


def _x_0(model: Model, process: Diffusion, x_t: Tensor, *, k: int, eps: Tensor) -> Tensor:
    x_0 = process.x_0(x_t, k, eps)
    return x_0.clamp(-1, 1) if model.clipped else x_0
