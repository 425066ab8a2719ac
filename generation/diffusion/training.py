"""Training loops: the denoiser, the guiding classifiers (vanilla and robust) and the judge.

Every draw of step s is a function of (seed, s), so a run that was killed continues exactly as if it had not
been, on the same kind of device. Noise is drawn on the device that trains, so a run on another device is another run.
Sources: Nichol and Dhariwal (2021) for the denoiser; Kawar et al. (2023), section 3 and appendix, for the
classifiers. Symbols as in process.py.
"""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from generation.diffusion.attacks import Attack, pgd
from generation.diffusion.datasets import Examples
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
    """How long and how to train.

    anneal_steps: where the learning rate would reach 0 (training may stop before), None to keep it. clip_norm: most
    that the gradient's norm may be, None for no limit. ema_decay 0: the "averaged" weights are those of the last step.
    workers: parts of a batch trained on at once; parts: pieces of each of those, one after another. keep_every: steps
    between averaged weights that are handed out along the run, 0 for none.
    """

    steps: int
    anneal_steps: int | None
    batch_size: int
    learning_rate: float
    seed: int
    weight_decay: float = 0.05
    warmup_steps: int = 100
    clip_norm: float | None = 1.0
    ema_decay: float = 0.999
    optimiser: Optimiser = Optimiser.ADAMW
    bf16: bool = False
    workers: int = 1
    parts: int = 1
    save_every: int = 250
    keep_every: int = 0

    def rate(self, step: int) -> float:
        """The learning rate of a step: a short rise, then a straight line to 0 at anneal_steps."""
        rise = min(1.0, (step + 1) / max(self.warmup_steps, 1))
        left = 1.0 if self.anneal_steps is None else max(0.0, 1 - step / self.anneal_steps)
        return self.learning_rate * rise * left


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
    data: Examples,
    options: TrainingOptions,
    state_path: Path,
    on_step: Callable[[Progress], None],
    on_keep: Callable[[Progress, Weights], None] | None = None,
    device: torch.device | str = "cpu",
) -> Trained:
    """Train a network to options.steps, from state_path if that exists, saving there every options.save_every steps.

    on_step may raise to stop: nothing is lost but the steps since the last save. on_keep gets the averaged weights
    every options.keep_every steps, before the state of that step is saved, so that no kill can skip one.
    Raises ForeignState if the state belongs to another run, TrainingDiverged if the loss is not finite.
    """
    run = _Run(network.to(device), options=options, data=data.fingerprint, device=torch.device(device))
    if state_path.exists():
        run.restore(state_path)
    network.train()
    with run.pool():
        for x_0, y in _batches(data, options, first=run.progress.step):
            run.advance(batch_loss, x_0.to(device), y.to(device))
            step = run.progress.step
            if on_keep is not None and options.keep_every and step % options.keep_every == 0:
                on_keep(run.progress, run.averaged)
            if step % options.save_every == 0 or step == options.steps:
                run.save(state_path)
            on_step(run.progress)
    return Trained(run.averaged, run.progress)


def denoiser_loss(
    process: Diffusion, *, null_class: int | None, dropped: float, weights: LevelWeights, bf16: bool
) -> BatchLoss:
    """The hybrid loss at uniform levels, with a share `dropped` of the labels replaced by the null class.

    null_class None: the denoiser has no class for "none", so nothing is dropped.
    """

    def batch_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        k, noise = _levels(process, x_0, rng)
        labels = y
        if null_class is not None:
            labels = torch.where(torch.rand(len(y), generator=rng, device=y.device) < dropped, null_class, y)
        with torch.autocast(x_0.device.type, torch.bfloat16, enabled=bf16):
            predicted = network(process.noised(x_0, k, noise), k, labels)
        return denoising_loss(predicted.float(), process, x_0=x_0, k=k, noise=noise, weights=weights).mean()

    return batch_loss


def unconditional_loss(process: Diffusion, *, weights: LevelWeights, bf16: bool) -> BatchLoss:
    """The hybrid loss of a denoiser that is told no class."""
    of_labels = denoiser_loss(process, null_class=None, dropped=0.0, weights=weights, bf16=bf16)

    def batch_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        return of_labels(_Unlabelled(network), x_0, y, rng)

    return batch_loss


def classifier_loss(process: Diffusion, *, attack: Attack | None, bf16: bool, timed: bool = True) -> BatchLoss:
    """Loss at uniform levels, on attacked images if there is an attack (then the classifier gets robust).

    timed: whether the network is told t. The loss is classification_loss, for classes or attributes as y has it.
    """

    def batch_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
        t, noise = _levels(process, x_0, rng)
        x_t = process.noised(x_0, t, noise)
        told = network if timed else _Untimed(network)
        with torch.autocast(x_0.device.type, torch.bfloat16, enabled=bf16):
            if attack is not None:
                x_t = pgd(told, x_t, t=t, y=y, attack=attack)
            return classification_loss(told, x_t, t=t, y=y)

    return batch_loss


def judge_loss(network: nn.Module, x_0: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
    """Loss on clean images with a little noise, as generated ones have, but no timestep and no attack."""
    noise = torch.randn(x_0.shape, generator=rng, device=x_0.device) * 0.05
    t = torch.zeros(len(y), dtype=torch.int64, device=x_0.device)
    return classification_loss(_Untimed(network), x_0 + noise, t=t, y=y)


def _levels(process: Diffusion, x_0: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """A uniform level and noise for every row."""
    k = torch.randint(len(process), (len(x_0),), generator=rng, device=x_0.device)
    return k, torch.randn(x_0.shape, generator=rng, device=x_0.device)


class _Untimed(nn.Module):
    """A network of images alone, called as one that is told t."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        logits: Tensor = self.network(x_t)
        return logits


class _Unlabelled(nn.Module):
    """A denoiser without classes, called as one with them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor) -> Tensor:
        predicted: Tensor = self.network(x_t, t)
        return predicted


class _Run:
    """One training run's changing parts, and how they are saved and restored."""

    def __init__(self, network: nn.Module, *, options: TrainingOptions, data: str, device: torch.device) -> None:
        self.network, self.options, self.data, self.device = network, options, data, device
        self.optimisers = Optimisers(network, kind=options.optimiser, weight_decay=options.weight_decay)
        self.averaged: Weights = {name: value.clone() for name, value in network.state_dict().items()}
        self.progress = Progress(0, float("nan"), 0.0)
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def pool(self) -> Iterator[None]:
        """Threads for the workers, if there are several."""
        if self.options.workers == 1:
            yield
            return
        with ThreadPoolExecutor(max_workers=self.options.workers) as self._pool:
            yield

    def advance(self, batch_loss: BatchLoss, x_0: Tensor, y: Tensor) -> None:
        """Train on one batch."""
        started, step = time.monotonic(), self.progress.step
        loss = self._differentiate(batch_loss, x_0, y)
        if self.options.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.network.parameters(), self.options.clip_norm)
        self.optimisers.step(rate=self.options.rate(step))
        self._average(step)
        self._note(loss, time.monotonic() - started)

    def _differentiate(self, batch_loss: BatchLoss, x_0: Tensor, y: Tensor) -> float:
        """Set the parameters' gradients to those of the batch's loss, whose value is returned.

        The batch is cut between the workers. Their threads meet once a step, not in every operation as torch's own
        threads do, which costs dearly on a machine that has other work.
        """
        parameters = list(self.network.parameters())
        pieces = self.options.workers * self.options.parts
        seed = (self.options.seed * 1_000_003 + self.progress.step) * pieces

        def part(index: int, rows: Tensor) -> tuple[float, tuple[Tensor, ...]]:
            rng = torch.Generator(device=self.device).manual_seed(seed + index)
            loss = batch_loss(self.network, x_0[rows], y[rows], rng) * (len(rows) / len(y))
            return loss.item(), torch.autograd.grad(loss, parameters)

        shares = torch.arange(len(y), device=self.device).chunk(pieces)
        total = 0.0
        for parameter in parameters:
            parameter.grad = None
        with _dropout_of(seed, self.device):
            for loss, gradients in self._map(part, range(len(shares)), shares):
                total += loss
                for parameter, gradient in zip(parameters, gradients, strict=True):
                    parameter.grad = gradient if parameter.grad is None else parameter.grad.add_(gradient)
        return total

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
        state: dict[str, Any] = torch.load(
            path, map_location=self.device, weights_only=True
        )  # Any: a checkpoint mixes types
        if state["identity"] != self._identity():
            differing = _differing(state["identity"], self._identity())
            raise ForeignState(
                f"{path.name} was written by a run with other options ({differing}); "
                "give the same options or another folder."
            )
        self.network.load_state_dict(state["network"])
        self.averaged = state["averaged"]
        self.optimisers.restore(state["optimisers"])
        self.progress = Progress(*state["progress"])

    def _identity(self) -> dict[str, float | str | None]:
        """What decides every weight of a step."""
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
            "parts": options.parts,
            "clip_norm": options.clip_norm,
            "device": self.device.type,
            "data": self.data,
        }


def _differing(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:  # Any: plain values of any kind
    names = [name for name in ours if theirs.get(name) != ours[name]]
    return ", ".join(f"{name} {theirs.get(name)}, not {ours[name]}" for name in names)


@contextmanager
def _dropout_of(seed: int, device: torch.device) -> Iterator[None]:
    """Dropout draws from torch's global generator: let it depend on the step alone, and leave it as it was."""
    with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield


def _batches(data: Examples, options: TrainingOptions, *, first: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batch after batch of endless examples, the next one drawn while this one is trained on."""

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
