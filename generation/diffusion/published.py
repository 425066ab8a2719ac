"""Published ADM weights: pickled state dicts that carry no configuration, which is read off their keys and shapes.

Sources of the table: the flags that Dhariwal and Nichol (2021) publish with their files, and those of Kawar et
al. (2023) for CIFAR-10. Five facts leave no trace in a shape: the number of attention heads, the order of their
channels, the groups of the norms, the noise schedule and, of a UNet, the image size. Files of the table are known by
the rest; for others these facts have to be told.
"""

import pickle
import re
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from generation.diffusion.blocks import PUBLISHED_GROUPS
from generation.diffusion.classifiers import ClassifierConfig
from generation.diffusion.facts import (
    Architecture,
    AttentionOrder,
    CheckpointFacts,
    CheckpointMismatch,
    Kind,
    Options,
    UnreadableCheckpoint,
    UntoldFacts,
    check_chain,
    checked_labels,
    classes_of,
    digest_of,
    first_line,
)
from generation.diffusion.layouts import Layout, layout_of
from generation.diffusion.networks import UNetConfig
from generation.diffusion.weights import Config, Shapes, check_shapes, expected_shapes, filled, shapes_of


@dataclass(frozen=True, kw_only=True)
class Published:
    """A row of the table: how a file is known, and what its shapes don't show. classes: of a UNet's embedding."""

    name: str
    channels: int
    mult: tuple[float, ...]
    blocks: int
    attention: tuple[int, ...]
    image_size: int
    classes: tuple[int | None, ...] = (1000,)
    classifier: bool = False
    resblock_updown: bool = True
    heads: int | None = None
    head_width: int | None = 64
    attention_order: AttentionOrder = AttentionOrder.LEGACY
    schedule: str = "linear"

    def is_of(self, layout: Layout) -> bool:
        """Whether these shapes are this file's. Classifiers of other data have other classes and nothing else."""
        same_network = (
            (self.channels, self.mult, self.blocks)
            == (layout.model_channels, layout.channel_mult, layout.num_res_blocks)
            and self.attention == layout.attention_resolutions
            and self.resblock_updown == layout.resblock_updown
        )
        if self.classifier:
            return same_network and not layout.is_unet and layout.pooled_size == self.image_size
        return same_network and layout.is_unet and layout.num_classes in self.classes and layout.out_channels == 6


_TIMESTEPS = 1000
_MULT = {
    64: (1, 2, 3, 4),
    128: (1, 1, 2, 3, 4),
    256: (1, 1, 2, 2, 4, 4),
    512: (0.5, 1, 1, 2, 2, 4, 4),
}
_ATTENTION = {64: (2, 4, 8), 128: (4, 8, 16), 256: (8, 16, 32), 512: (16, 32, 64)}


def _adm(size: int, *, channels: int = 256, blocks: int = 2, **changes: Any) -> Published:  # Any: fields of Published
    kind = "classifier" if changes.get("classifier") else "denoiser"
    row = Published(
        name=f"ADM {kind}, {size} px",
        channels=channels,
        mult=_MULT[size],
        blocks=blocks,
        attention=_ATTENTION[size],
        image_size=size,
    )
    return replace(row, **changes)


PUBLISHED = (
    _adm(64, channels=192, blocks=3, attention_order=AttentionOrder.NEW, schedule="cosine"),
    _adm(128, heads=4, head_width=None),
    _adm(256, classes=(1000, None)),
    _adm(512),
    Published(
        name="CIFAR-10 denoiser, 32 px",
        channels=128,
        mult=(1, 2, 2, 2),
        blocks=3,
        attention=(2, 4),
        image_size=32,
        classes=(10,),
        resblock_updown=False,
        heads=4,
        head_width=None,
    ),
    _adm(64, channels=128, blocks=4, schedule="cosine", classifier=True),
    _adm(128, channels=128, classifier=True),
    _adm(256, channels=128, classifier=True),
    _adm(512, channels=128, classifier=True),
    Published(
        name="CIFAR-10 classifier, 32 px",
        channels=32,
        mult=(1, 2, 2, 4),
        blocks=2,
        attention=(2, 4),
        image_size=32,
        classifier=True,
    ),
)


@dataclass(frozen=True, kw_only=True)
class Inferred:
    """A configuration and its chain. recognised: the row of the table that it was known by, or empty."""

    config: UNetConfig | ClassifierConfig
    schedule: str
    timesteps: int
    recognised: str = field(default="")


def inspect_published(path: Path, options: Options) -> CheckpointFacts:
    """Read a state dict's facts. Raises RefusedCheckpoint."""
    shapes = shapes_of(_state_dict(path, mapped=True))
    inferred = infer(shapes, name=path.name, options=options)
    config = inferred.config
    check_shapes(path.name, expected=expected_shapes(config, name=path.name), found=shapes)
    is_unet = isinstance(config, UNetConfig)
    if isinstance(config, UNetConfig):
        labels, null_class = classes_of(config.num_classes, name=path.name, options=options)
    else:
        labels = checked_labels(options.class_labels, count=config.out_channels, name=path.name)
        null_class = None
    return CheckpointFacts(
        kind=Kind.DENOISER if is_unet else Kind.CLASSIFIER,
        architecture=Architecture.UNET if is_unet else Architecture.ENCODER,
        config=asdict(config),
        image_size=config.image_size,
        class_labels=labels,
        null_class=null_class,
        schedule=inferred.schedule,
        timesteps=inferred.timesteps,
        noise_trained=True if options.noise_trained is None else options.noise_trained,
        takes_t=True,
        adversarial=dict(options.adversarial) if options.adversarial else None,
        card={"recognised as": inferred.recognised} if inferred.recognised else {},
        sha256=digest_of(path),
        takes_labels=is_unet and bool(labels),
        details={} if is_unet else {"relus": 0},
    )


def load_published(path: Path, config: Config, *, device: torch.device | str = "cpu") -> nn.Module:
    """A network with the weights of a state dict, frozen, in float32. Raises RefusedCheckpoint."""
    return filled(config, _state_dict(path), name=path.name, device=device)


def infer(shapes: Shapes, *, name: str, options: Options) -> Inferred:
    """The configuration of a state dict. Raises UntoldFacts, naming every fact that is missing, or CheckpointMismatch.

    What is told goes before what the table says.
    """
    layout = layout_of(shapes, name=name, options=options)
    row = next((row for row in PUBLISHED if row.is_of(layout)), None)
    said = _completed(options, row)
    size, schedule = _told(layout, said, name=name)
    _check_sizes(layout, said, size, name=name)
    timesteps = _TIMESTEPS if said.timesteps is None else said.timesteps
    check_chain(schedule, timesteps, name=name)
    return Inferred(
        config=_config(layout, said, size),
        schedule=schedule,
        timesteps=timesteps,
        recognised=row.name if row else "",
    )


def _state_dict(path: Path, *, mapped: bool = False) -> dict[str, Tensor]:
    """The tensors of a file; mapped ones stay on the disk. Raises UnreadableCheckpoint."""
    try:
        loaded: object = torch.load(
            path, map_location="cpu", weights_only=True, mmap=mapped and zipfile.is_zipfile(path)
        )
    except pickle.UnpicklingError as error:
        raise UnreadableCheckpoint(_unpicklable(path.name, error)) from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise UnreadableCheckpoint(f"{path.name} is not a readable state dict ({first_line(error)}).") from error
    if not isinstance(loaded, dict) or not all(isinstance(value, Tensor) for value in loaded.values()):
        held = ", ".join(str(key) for key in list(loaded)[:4]) if isinstance(loaded, dict) else type(loaded).__name__
        raise UnreadableCheckpoint(
            f"{path.name} is not a readable state dict: it holds {held}; save the network's weights alone."
        )
    return loaded


def _unpicklable(name: str, error: Exception) -> str:
    # torch's own message advises to run the code in the file.
    wanted = re.search(r"GLOBAL ([\w.]+)", str(error))
    if wanted is None:
        return f"{name} is not a readable state dict; copy or download it again."
    return f"{name} wants to run code ({wanted[1]}) and is not loaded; save the network's state dict alone."


def _completed(options: Options, row: Published | None) -> Options:
    """What was told, and what the table adds."""
    if row is None:
        return options
    said_heads = options.heads is not None or options.head_width is not None
    return replace(
        options,
        image_size=options.image_size or row.image_size,
        schedule=options.schedule or row.schedule,
        attention_order=options.attention_order or row.attention_order.value,
        heads=options.heads if said_heads else row.heads,
        head_width=options.head_width if said_heads else row.head_width,
    )


def _told(layout: Layout, said: Options, *, name: str) -> tuple[int, str]:
    """The image size and the schedule. Raises UntoldFacts if these or other facts are missing."""
    size = said.image_size if layout.is_unet else layout.pooled_size
    missing = list(_missing(layout, said))
    if missing or size is None or said.schedule is None:
        raise UntoldFacts(
            f"{name} is a {layout}, which is none of the published files known here; "
            f"say what its shapes don't show: {', '.join(missing)}."
        )
    return size, said.schedule


def _missing(layout: Layout, said: Options) -> Iterator[str]:
    if layout.is_unet and said.image_size is None:
        yield "--image-size"
    if said.schedule is None:
        yield "--schedule (linear or cosine)"
    if layout.is_unet and said.heads is None and said.head_width is None:
        yield "--heads or --head-width"
    if not layout.is_unet and said.head_width is None:
        yield "--head-width"
    # With one head, both orders are the same.
    if said.attention_order is None and said.heads != 1:
        yield "--attention-order (legacy or new)"


def _check_sizes(layout: Layout, said: Options, size: int, *, name: str) -> None:
    factor = 2 ** (len(layout.channel_mult) - 1)
    if layout.is_unet and (size <= 0 or size % factor):
        raise CheckpointMismatch(f"{name} halves its images {factor.bit_length() - 1} times; {size} px can't be.")
    if layout.is_unet and (layout.in_channels != 3 or layout.out_channels not in (3, 6)):
        raise CheckpointMismatch(
            f"{name} takes {layout.in_channels} channels and predicts {layout.out_channels}; a denoiser of images "
            "takes 3 and predicts 3 or 6."
        )
    if said.heads is not None and said.head_width is not None:
        raise CheckpointMismatch(f"{name}: say either --heads or --head-width, not both.")
    divisor = said.heads if said.head_width is None else said.head_width
    if divisor is None or divisor < 1 or any(width % divisor for width in layout.attention_widths):
        widths = ", ".join(str(width) for width in layout.attention_widths)
        raise CheckpointMismatch(f"{name} has attention over {widths} channels, which {divisor} does not divide.")


def _config(layout: Layout, said: Options, size: int) -> UNetConfig | ClassifierConfig:
    network: dict[str, Any] = {  # Any: fields of either configuration
        "image_size": size,
        "in_channels": layout.in_channels,
        "model_channels": layout.model_channels,
        "out_channels": layout.out_channels,
        "num_res_blocks": layout.num_res_blocks,
        "attention_resolutions": layout.attention_resolutions,
        "channel_mult": layout.channel_mult,
        "use_scale_shift_norm": layout.use_scale_shift_norm,
        "resblock_updown": layout.resblock_updown,
        "use_new_attention_order": said.attention_order == AttentionOrder.NEW,
        "norm_groups": PUBLISHED_GROUPS if said.norm_groups is None else said.norm_groups,
    }
    if not layout.is_unet:
        return ClassifierConfig(**network, num_head_channels=said.head_width or 64)
    if said.head_width is not None:
        return UNetConfig(**network, num_classes=layout.num_classes, num_head_channels=said.head_width)
    return UNetConfig(**network, num_classes=layout.num_classes, num_heads=said.heads or 1)
