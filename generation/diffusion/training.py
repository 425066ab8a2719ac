"""Training loops: the denoiser, the guiding classifiers (vanilla and robust) and the judge.

Every draw of step s is a function of (seed, s), so a run that was killed continues exactly as if it had not
been. Sources: Nichol and Dhariwal (2021) for the denoiser; Kawar et al. (2023), section 3 and appendix, for the
classifiers. Symbols as in process.py.
"""

import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generation.diffusion.attacks import Attack, pgd
from generation.diffusion.datasets import SportBalls
from generation.diffusion.losses import LevelWeights, classification_loss, denoising_loss
from generation.diffusion.optimisers import Optimiser, Optimisers
from generation.diffusion.process import Diffusion

Weights = dict[str, Tensor]
# Loss of one batch: the network, its images x_0 and classes y, and the step's random generator.
BatchLoss = Callable[[nn.Module, Tensor, Tensor, torch.Generator], Tensor]


class TrainingDiverged(RuntimeError):
    """The loss stopped being a finite number."""


class ForeignState(ValueError):
    """A resumable state belongs to a run with other options."""


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """How long and how to train. anneal_steps: where the learning rate would reach 0; training may stop before."""

    steps: int
    anneal_steps: int
    batch_size: int
    learning_rate: float
    seed: int
    weight_decay: float = 0.05
    warmup_steps: int = 100
    ema_decay: float = 0.999
    optimiser: Optimiser = Optimiser.ADAMW
    bf16: bool = False
    workers: int = 1
    save_every: int = 250

    def rate(self, step: int) -> float:
        """The learning rate of a step: a short rise, then a straight line to 0 at anneal_steps."""
        rise = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        return self.learning_rate * rise * max(0.0, 1 - step / self.anneal_steps)


@dataclass(frozen=True)
class Progress:
    """Where a run stands: steps done, the loss averaged over about 200 steps, seconds of training so far."""

    step: int
    loss: float
    seconds: float


@dataclass(frozen=True)
class Trained:
    """A finished run: the averaged weights, and where it stood."""

    weights: Weights
    progress: Progress


def train(
    network: nn.Module,
    batch_loss: BatchLoss,
    *,
    data: SportBalls,
    options: TrainingOptions,
    state_path: Path,
    on_step: Callable[[Progress], None],
) -> Trained:
    """Train a network to options.steps, from state_path if that exists, saving there every options.save_every steps.

    Raises ForeignState if the state belongs to another run, TrainingDiverged if the loss is not finite.
    """
    run = _Run(network, options=options)
    if state_path.exists():
        run.restore(state_path)
    network.train()
    for x_0, y in _batches(data, options, first=run.progress.step):
        run.advance(batch_loss, x_0, y)
        if run.progress.step % options.save_every == 0 or run.progress.step == options.steps:
            run.save(state_path)
        on_step(run.progress)
    return Trained(run.averaged, run.progress)


def denoiser_loss(
    process: Diffusion, *, null_class: int, dropped: float, weights: LevelWeights, bf16: bool
) -> BatchLoss:
    """The hybrid loss at uniform levels, with a share `dropped` of the labels replaced by the null class."""

    def batch_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        k = torch.randint(len(process), (len(x_0),), generator=rng)
        noise = torch.randn(x_0.shape, generator=rng)
        labels = torch.where(torch.rand(len(y), generator=rng) < dropped, null_class, y)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            predicted = network(process.noised(x_0, k, noise), k, labels)
        return denoising_loss(predicted.float(), process, x_0=x_0, k=k, noise=noise, weights=weights).mean()

    return batch_loss


def classifier_loss(process: Diffusion, *, attack: Attack | None, bf16: bool) -> BatchLoss:
    """Cross-entropy at uniform levels, on attacked images if there is an attack (then the classifier gets robust)."""

    def batch_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        t = torch.randint(len(process), (len(x_0),), generator=rng)
        x_t = process.noised(x_0, t, torch.randn(x_0.shape, generator=rng))
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            if attack is not None:
                x_t = pgd(network, x_t, t=t, y=y, attack=attack)
            return classification_loss(network, x_t, t=t, y=y)

    return batch_loss


def judge_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
    """Cross-entropy on clean images with a little noise, as generated ones have, but no timestep and no attack."""
    noise = torch.randn(x_0.shape, generator=rng) * 0.05
    return F.cross_entropy(network(x_0 + noise), y)


class _Run:
    """One training run's changing parts, and how they are saved and restored."""

    def __init__(self, network: nn.Module, *, options: TrainingOptions) -> None:
        self.network, self.options = network, options
        self.optimisers = Optimisers(network, kind=options.optimiser, weight_decay=options.weight_decay)
        self.averaged: Weights = {name: value.clone() for name, value in network.state_dict().items()}
        self.progress = Progress(0, float("nan"), 0.0)
        self._pool = ThreadPoolExecutor(max_workers=options.workers) if options.workers > 1 else None

    def advance(self, batch_loss: BatchLoss, x_0: Tensor, y: Tensor) -> None:
        """Train on one batch."""
        started, step = time.monotonic(), self.progress.step
        loss = self._differentiate(batch_loss, x_0, y)
        nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimisers.step(rate=self.options.rate(step))
        self._average(step)
        self._note(loss, time.monotonic() - started)

    def _differentiate(self, batch_loss: BatchLoss, x_0: Tensor, y: Tensor) -> float:
        """Set the parameters' gradients to those of the batch's loss, whose value is returned.

        The batch is cut between the workers. Their threads meet once a step, not in every operation as torch's own
        threads do, which costs dearly on a machine that has other work.
        """
        parameters = list(self.network.parameters())
        seed = (self.options.seed * 1_000_003 + self.progress.step) * self.options.workers

        def part(index: int, rows: Tensor) -> tuple[float, tuple[Tensor, ...]]:
            rng = torch.Generator().manual_seed(seed + index)
            loss = batch_loss(self.network, x_0[rows], y[rows], rng) * (len(rows) / len(y))
            return loss.item(), torch.autograd.grad(loss, parameters)

        shares = torch.arange(len(y)).chunk(self.options.workers)
        parts: list[tuple[float, tuple[Tensor, ...]]] = list(self._map(part, range(len(shares)), shares))
        for parameter, *gradients in zip(parameters, *(gradients for _, gradients in parts), strict=True):
            parameter.grad = sum(gradients[1:], start=gradients[0])
        return sum(loss for loss, _ in parts)

    def _map(self, part: Callable[..., Any], *arguments: Any) -> Iterator[Any]:  # Any: as in map
        if self._pool is None:
            return map(part, *arguments)
        return self._pool.map(part, *arguments)

    def _average(self, step: int) -> None:
        # Early averages would otherwise be ruled by the random start.
        decay = min(self.options.ema_decay, (1 + step) / (10 + step))
        for name, value in self.network.state_dict().items():
            mean = self.averaged[name]
            if mean.is_floating_point():
                mean.lerp_(value, 1 - decay)
            else:
                mean.copy_(value)

    def _note(self, loss: float, seconds: float) -> None:
        before = self.progress
        if loss != loss or loss == float("inf"):
            raise TrainingDiverged(f"The loss became {loss} at step {before.step}; lower the learning rate.")
        share = max(1 / 200, 1 / (before.step + 1))
        smoothed = loss if before.step == 0 else before.loss + share * (loss - before.loss)
        self.progress = Progress(before.step + 1, smoothed, before.seconds + seconds)

    def save(self, path: Path) -> None:
        """Write everything a later run needs, so that a crash leaves the old file or the new one."""
        state = {
            "identity": self._identity(),
            "network": self.network.state_dict(),
            "averaged": self.averaged,
            "optimisers": self.optimisers.state(),
            "progress": [self.progress.step, self.progress.loss, self.progress.seconds],
        }
        unfinished = path.with_suffix(".part")
        torch.save(state, unfinished)
        os.replace(unfinished, path)

    def restore(self, path: Path) -> None:
        """Continue where `save` left off."""
        state: dict[str, Any] = torch.load(path, weights_only=True)  # Any: a checkpoint mixes types
        if state["identity"] != self._identity():
            raise ForeignState(
                f"{path} was written by a run with other options ({state['identity']}); "
                "give the same options or another folder."
            )
        self.network.load_state_dict(state["network"])
        self.averaged = state["averaged"]
        self.optimisers.restore(state["optimisers"])
        self.progress = Progress(*state["progress"])

    def _identity(self) -> dict[str, float | str]:
        """The options that decide every weight of a step."""
        options = self.options
        return {
            "seed": options.seed,
            "batch_size": options.batch_size,
            "learning_rate": options.learning_rate,
            "anneal_steps": options.anneal_steps,
            "weight_decay": options.weight_decay,
            "warmup_steps": options.warmup_steps,
            "ema_decay": options.ema_decay,
            "optimiser": options.optimiser.value,
            "bf16": options.bf16,
            "workers": options.workers,
        }


def _batches(data: SportBalls, options: TrainingOptions, *, first: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch after batch of the endless data set, the next one drawn while this one is trained on."""

    def indices(step: int) -> range:
        return range(step * options.batch_size, (step + 1) * options.batch_size)

    if first >= options.steps:
        return
    with ThreadPoolExecutor(max_workers=1) as pool:
        upcoming = pool.submit(data.examples, indices(first))
        for step in range(first, options.steps):
            batch = upcoming.result()
            upcoming = pool.submit(data.examples, indices(step + 1))
            yield batch
