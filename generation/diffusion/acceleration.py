"""Acceleration: networks made ready to sample, at a precision and compile mode.

Measured on a CPU with AMX, SportBalls at 64 px, CPU time a row: in float32 channels_last saves 7 to 16 % of a
denoiser's forward and 11 to 18 % of a guide's forward and backward; pieces of 8 rows save a fifth of a forward of 32,
whose activations leave the caches (nothing for a guide); bfloat16 makes a denoiser 2.3 times as fast and a guide no
faster. Two arms with one classifier could share its forward: that would save 8 % of it at most, and is not done.

bfloat16 means weights and activations where the network is ours: autocast would cast frozen weights anew in every
forward, and norm in float32. As in the published half-precision code, embeddings and heads stay in float32. Networks
off the shelf run under autocast instead. Nothing of this has been measured on a GPU.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import lru_cache, wraps
from typing import TypeVar

import torch
from torch import Tensor, nn

from generation.diffusion.arithmetic import Arithmetic, CompileMode, Precision
from generation.diffusion.blocks import ResBlock
from generation.diffusion.classifiers import Attributes, Classifier, CleanClassifier, EncoderClassifier
from generation.diffusion.guides import Guide, guide_of
from generation.diffusion.networks import UNet
from generation.diffusion.recipes import Guidance as By
from generation.diffusion.recipes import Preprocessing, Recipe
from generation.diffusion.sampling import Denoiser

_M = TypeVar("_M", bound=nn.Module)
Call = Callable[..., Tensor]  # a network, or a guide's logits: both are called with tensors

OURS = (UNet, EncoderClassifier, CleanClassifier, Attributes)
# Rows x height x width of one forward on a CPU: 8 rows of 64 px.
POSITIONS_AT_ONCE = 8 * 64 * 64


class CannotAccelerate(ValueError):
    """This device cannot run networks so; the message says what to do."""


@dataclass(frozen=True)
class Tolerance:
    """How far images in [-1, 1] may be from the exact path's: the mean over all pixels, and the farthest pixel."""

    mean: float
    largest: float


TOLERANCES: Mapping[Precision, Tolerance] = {
    Precision.FLOAT32: Tolerance(mean=1e-5, largest=1e-3),
    Precision.BFLOAT16: Tolerance(mean=1e-2, largest=1.0),
}
"""Of SportBalls images after 25 steps against the exact path, which has neither pieces nor channels_last.

Measured at s = 0, 0.5 and 1: mean 6e-7 and largest 9e-5 in float32, 2e-3 and 0.3 (at an edge) in bfloat16. The same
float32 tolerance holds between two numbers of forward_rows or of threads.
"""


def check_arithmetic(arithmetic: Arithmetic, *, device: torch.device) -> None:
    """Raise CannotAccelerate, with a sentence, if this device cannot compute so."""
    if arithmetic.compile_mode and device.type != "cuda":
        raise CannotAccelerate(
            f'Compile mode "{arithmetic.compile_mode}" needs a CUDA device, and this worker computes on its '
            f"{device.type.upper()}; make the batch without a compile mode, or start a worker that has a GPU."
        )


# A batch rarely needs more than one denoiser and three classifiers. What is compiled is compiled once a worker.
@lru_cache(maxsize=6)
def ready_denoiser(network: nn.Module, arithmetic: Arithmetic) -> Denoiser:
    """A frozen denoiser as a sampler calls it, on the device it is on; the network itself stays as it is.

    Raises CannotAccelerate.
    """
    device = _device_of(network)
    check_arithmetic(arithmetic, device=device)
    run = _at_precision(_in_our_layout(network, arithmetic.precision), network, arithmetic.precision)
    return _in_pieces(run) if device.type == "cpu" else _compiled(run, arithmetic.compile_mode)


def ready_guide(classifier: Classifier, recipe: Recipe, arithmetic: Arithmetic) -> Guide:
    """A frozen classifier as this recipe's guidance calls it; the classifier itself stays as it is.

    Raises CannotAccelerate, NothingToSmooth.
    """
    # Recipes that differ in their scales share what is compiled.
    return _ready_guide(classifier, recipe.preprocessing, recipe.softplus_beta, arithmetic)


@lru_cache(maxsize=12)
def _ready_guide(
    classifier: Classifier, preprocessing: Preprocessing, softplus_beta: float | None, arithmetic: Arithmetic
) -> Guide:
    check_arithmetic(arithmetic, device=_device_of(classifier))
    recipe = Recipe(guidance=By.CLASSIFIER, scale=1, preprocessing=preprocessing, softplus_beta=softplus_beta)
    guide = guide_of(_in_our_layout(classifier, arithmetic.precision), recipe)
    run = _at_precision(guide.logits, classifier, arithmetic.precision)
    return replace(guide, logits=_compiled(run, arithmetic.compile_mode))


def _in_our_layout(network: _M, precision: Precision) -> _M:
    """A copy of one of our networks in channels_last, its torso in this precision; another network as it is."""
    if not isinstance(network, OURS):
        return network
    # Copied: the network may serve others, who expect it as it was loaded.
    copied = deepcopy(network)
    # The stubs of nn.Module.to know the memory format beside other arguments only.
    copied.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if precision is Precision.BFLOAT16:
        for module in copied.modules():
            if isinstance(module, UNet | EncoderClassifier):
                _halve_torso(module)
    return copied


def _halve_torso(network: UNet | EncoderClassifier) -> None:
    for name in ("input_blocks", "middle_block", "output_blocks"):
        if hasattr(network, name):
            network.get_submodule(name).to(torch.bfloat16)
    for module in network.modules():
        if isinstance(module, ResBlock):
            module.emb_layers.float()


def _at_precision(run: Call, network: nn.Module, precision: Precision) -> Call:
    """Under autocast, if bfloat16 is wanted of a network whose weights are not in it."""
    if precision is Precision.FLOAT32 or any(
        isinstance(module, UNet | EncoderClassifier) for module in network.modules()
    ):
        return run

    @wraps(run)
    def under_autocast(x: Tensor, *more: Tensor | None) -> Tensor:
        with torch.autocast(x.device.type, torch.bfloat16):
            return run(x, *more)

    return under_autocast


def _in_pieces(run: Call) -> Denoiser:
    """On a CPU: a few rows at once, the same ones in every forward of as many rows."""

    def by_pieces(x_t: Tensor, t: Tensor, y: Tensor | None = None, /) -> Tensor:
        rows = max(1, POSITIONS_AT_ONCE // (x_t.shape[-2] * x_t.shape[-1]))
        given = (x_t, t) if y is None else (x_t, t, y)
        pieces = [run(*piece) for piece in zip(*(torch.split(rows_of, rows) for rows_of in given), strict=True)]
        # Contiguous, so that a sampler's tensors are laid out alike in every step.
        return torch.cat(pieces).contiguous()

    return by_pieces


def _compiled(run: Call, mode: CompileMode) -> Call:
    if mode is CompileMode.NONE:
        return lambda *inputs: run(*inputs).contiguous()
    # Every chunk is padded to the batch's rows: shapes never change, but for arms that a step does not guide.
    fast = torch.compile(run, mode=mode.value, dynamic=False)
    # A CUDA graph's output is overwritten by its next replay.
    return lambda *inputs: fast(*inputs).clone(memory_format=torch.contiguous_format)


def _device_of(network: nn.Module) -> torch.device:
    return next(network.parameters()).device
