"""The layout of an ADM network, read off the keys and shapes of its state dict."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count, takewhile

from generation.diffusion.facts import CheckpointMismatch, Options, UntoldFacts
from generation.diffusion.weights import Shapes

_ATTENTION_POOL = "out.2.positional_embedding"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What shapes show of a network. pool_side: pixels along a side where a classifier pools, None for a UNet."""

    in_channels: int
    model_channels: int
    out_channels: int
    num_res_blocks: int
    channel_mult: tuple[float, ...]
    attention_resolutions: tuple[int, ...]
    use_scale_shift_norm: bool
    resblock_updown: bool
    num_classes: int | None
    pool_side: int | None

    @property
    def is_unet(self) -> bool:
        """Whether it is a denoiser."""
        return self.pool_side is None

    @property
    def pooled_size(self) -> int | None:
        """A classifier's image size, None for a UNet, whose shapes don't show it."""
        return None if self.pool_side is None else self.pool_side * 2 ** (len(self.channel_mult) - 1)

    @property
    def attention_widths(self) -> tuple[int, ...]:
        """Channels wherever there is attention; there always is some in the middle."""
        levels = {level for level in range(len(self.channel_mult)) if 2**level in self.attention_resolutions}
        levels.add(len(self.channel_mult) - 1)
        return tuple(int(self.channel_mult[level] * self.model_channels) for level in sorted(levels))

    def __str__(self) -> str:
        mult = ", ".join(f"{mult:g}" for mult in self.channel_mult)
        classes = self.num_classes if self.is_unet else self.out_channels
        return (
            f"{'denoiser' if self.is_unet else 'classifier'} of {self.model_channels} channels times ({mult}), "
            f"{self.num_res_blocks} blocks a level, {f'{classes} classes' if classes else 'no classes'}"
        )


def layout_of(shapes: Shapes, *, name: str, options: Options) -> Layout:
    """What the shapes show. Raises CheckpointMismatch, or UntoldFacts where they allow two layouts."""
    is_unet = any(key.startswith("output_blocks.") for key in shapes)
    if not is_unet and _ATTENTION_POOL not in shapes:
        raise CheckpointMismatch(
            f"{name} has neither output_blocks nor {_ATTENTION_POOL}: it is no ADM denoiser, nor an ADM classifier "
            "with attention pooling."
        )
    model_channels = _shape(shapes, "time_embed.0.weight", name=name)[-1]
    levels, blocks = _levels(shapes) if is_unet else _classifier_levels(shapes, name=name, options=options)
    starts = [level * (blocks + 1) for level in range(levels)]
    widths = [_width(shapes, start + 1, name=name) for start in starts]
    first = _shape(shapes, "input_blocks.1.0.emb_layers.1.bias", name=name)[0]
    halved = [start for start in starts if start]
    out = "out.2.weight" if is_unet else "out.2.c_proj.weight"
    labels = shapes.get("label_emb.weight")
    return Layout(
        in_channels=_shape(shapes, "input_blocks.0.0.weight", name=name)[1],
        model_channels=model_channels,
        out_channels=_shape(shapes, out, name=name)[0],
        num_res_blocks=blocks,
        channel_mult=tuple(_multiple(width, model_channels) for width in widths),
        attention_resolutions=tuple(
            2**level for level, start in enumerate(starts) if _has_attention(shapes, start + 1)
        ),
        use_scale_shift_norm=first == 2 * widths[0],
        resblock_updown=not any(f"input_blocks.{start}.0.op.weight" in shapes for start in halved),
        num_classes=labels[0] if labels else None,
        pool_side=None if is_unet else _side(shapes, name=name),
    )


def _levels(shapes: Shapes) -> tuple[int, int]:
    """Levels and residual blocks a level of a UNet: the first doubling in its decoder ends its lowest level."""
    stages = _stages(shapes, "output_blocks")
    doubling = next((stage for stage in range(stages) if _doubles(shapes, stage)), stages - 1)
    return max(stages // (doubling + 1), 1), max(doubling, 1)


def _doubles(shapes: Shapes, stage: int) -> bool:
    prefix = f"output_blocks.{stage}."
    return any(
        key.startswith(prefix) and key.endswith((".conv.weight", ".in_layers.0.weight")) and key.split(".")[2] != "0"
        for key in shapes
    )


def _classifier_levels(shapes: Shapes, *, name: str, options: Options) -> tuple[int, int]:
    """Levels and residual blocks a level of an encoder: the one division of its stages that its shapes allow."""
    stages = _stages(shapes, "input_blocks")
    side = _side(shapes, name=name)
    fits = [
        (levels, stages // levels - 1)
        for levels in range(1, stages // 2 + 1)
        if stages % levels == 0
        and options.res_blocks in (None, stages // levels - 1)
        and (options.image_size or side * 2 ** (levels - 1)) == side * 2 ** (levels - 1)
        and _divides(shapes, levels, stages // levels - 1)
    ]
    if len(fits) > 1:
        raise UntoldFacts(f"{name} may have {_either(blocks for _, blocks in fits)} blocks a level; say --res-blocks.")
    if not fits:
        raise CheckpointMismatch(
            f"{name} has {stages} input blocks, which make no levels of equal length"
            + (" that agree with what was said of it." if options.res_blocks or options.image_size else ".")
        )
    return fits[0]


def _divides(shapes: Shapes, levels: int, blocks: int) -> bool:
    """Whether every level, cut so, begins by halving, keeps one width, and has attention everywhere or nowhere."""
    for level in range(levels):
        start = level * (blocks + 1)
        stages = range(start + 1, start + blocks + 1)
        if len({_out(shapes, stage) for stage in stages}) > 1:
            return False
        if len({_has_attention(shapes, stage) for stage in stages}) > 1:
            return False
        if any(f"input_blocks.{stage}.0.op.weight" in shapes for stage in stages):
            return False
        if level and (_has_attention(shapes, start) or _out(shapes, start) != _out(shapes, start - 1)):
            return False
    return True


def _stages(shapes: Shapes, part: str) -> int:
    found = {key.split(".")[1] for key in shapes if key.startswith(f"{part}.")}
    return sum(1 for _ in takewhile(lambda stage: str(stage) in found, count()))


def _out(shapes: Shapes, stage: int) -> int | None:
    keys = (f"input_blocks.{stage}.0.{last}.bias" for last in ("out_layers.3", "op"))
    return next((shapes[key][0] for key in keys if key in shapes), None)


def _width(shapes: Shapes, stage: int, *, name: str) -> int:
    return _shape(shapes, f"input_blocks.{stage}.0.out_layers.3.bias", name=name)[0]


def _has_attention(shapes: Shapes, stage: int) -> bool:
    return any(key.startswith(f"input_blocks.{stage}.1.") for key in shapes)


def _side(shapes: Shapes, *, name: str) -> int:
    shape = _shape(shapes, _ATTENTION_POOL, name=name)
    return math.isqrt(shape[-1] - 1)


def _shape(shapes: Shapes, key: str, *, name: str) -> tuple[int, ...]:
    if key not in shapes:
        raise CheckpointMismatch(f"{name} lacks the tensor {key}, which its network needs.")
    return shapes[key]


def _multiple(width: int, channels: int) -> float:
    return width // channels if width % channels == 0 else width / channels


def _either(options: Iterator[int]) -> str:
    return " or ".join(str(option) for option in options)
