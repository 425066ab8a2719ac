"""The ADM noise predictor: one UNet whose configurations cover the published checkpoints.

Source: Dhariwal and Nichol (2021), section 3. Parameter names and shapes are those of the published files, so that
they load with strict=True. x_t: noised images [N, 3, H, W] around [-1, 1]; t: int64 [N], 0 = least noise, always an
index of the original (not respaced) chain; y: class indices int64 [N].
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from generation.diffusion.blocks import (
    PUBLISHED_GROUPS,
    AttentionBlock,
    Downsample,
    ResBlock,
    Stage,
    Upsample,
    conv3,
    group_norm,
    timestep_embedding,
    zeroed,
)


@dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """What the encoder half of every ADM network is made of.

    attention_resolutions: down-sampling factors (2 = half the image size) that get attention. num_head_channels: width
    of a head, or -1 for num_heads heads at every level.
    """

    image_size: int
    model_channels: int
    out_channels: int
    num_res_blocks: int
    attention_resolutions: tuple[int, ...]
    channel_mult: tuple[float, ...]
    in_channels: int = 3
    num_heads: int = 4
    num_head_channels: int = -1
    use_scale_shift_norm: bool = True
    resblock_updown: bool = True
    use_new_attention_order: bool = False
    dropout: float = 0.0
    norm_groups: int = PUBLISHED_GROUPS

    def __post_init__(self) -> None:
        # JSON knows no tuples: a config that comes back from a file must equal the one that went in.
        object.__setattr__(self, "attention_resolutions", tuple(self.attention_resolutions))
        object.__setattr__(self, "channel_mult", tuple(self.channel_mult))

    @property
    def embedding_width(self) -> int:
        """Width of the time (and class) embedding."""
        return 4 * self.model_channels

    def width_at(self, level: int) -> int:
        """Channels at a level; those of the 512 px networks begin at half of model_channels."""
        return int(self.channel_mult[level] * self.model_channels)

    def resblock(self, channels: int, out_channels: int, *, resample: float = 1) -> ResBlock:
        """A residual block of this network's kind."""
        return ResBlock(
            channels,
            out_channels,
            embedding_width=self.embedding_width,
            scale_shift=self.use_scale_shift_norm,
            dropout=self.dropout,
            groups=self.norm_groups,
            resample=resample,
        )

    def attention(self, channels: int) -> AttentionBlock:
        """An attention block of this network's kind."""
        by_width = self.num_head_channels != -1
        heads = channels // self.num_head_channels if by_width else self.num_heads
        return AttentionBlock(channels, heads=heads, new_order=self.use_new_attention_order, groups=self.norm_groups)


@dataclass(frozen=True, kw_only=True)
class UNetConfig(BackboneConfig):
    """A noise predictor: out_channels is 3 (noise) or 6 (noise and the learned variance).

    num_classes: rows of the class embedding, None for an unconditional network.
    """

    num_classes: int | None = None

    @property
    def learns_sigma(self) -> bool:
        """Whether the network also predicts the variance of a step."""
        return self.out_channels == 2 * self.in_channels


class UNet(nn.Module):
    """Predict the noise (and the variance) in x_t at timestep t, for class y if the network has classes."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        self.time_embed = time_embedder(config)
        if config.num_classes is not None:
            self.label_emb = nn.Embedding(config.num_classes, config.embedding_width)
        stages, skips = encoder_stages(config)
        self.input_blocks = nn.ModuleList(stages)
        self.middle_block = middle_stage(config, skips[-1])
        self.output_blocks = nn.ModuleList(_decoder_stages(config, skips))
        width = config.width_at(0)
        self.out = nn.Sequential(
            group_norm(width, config.norm_groups), nn.SiLU(), zeroed(conv3(width, config.out_channels))
        )

    def forward(self, x_t: Tensor, t: Tensor, y: Tensor | None = None) -> Tensor:
        """x_t: [N, 3, H, W], t: [N], y: [N] or None -> [N, out_channels, H, W].

        Raises ValueError if labels are missing, or given to an unconditional network.
        """
        if (y is None) != (self.config.num_classes is None):
            raise ValueError("A class-conditional network needs labels; an unconditional one takes none.")
        embedding = self.time_embed(timestep_embedding(t, self.config.model_channels))
        if y is not None:
            embedding = embedding + self.label_emb(y)
        h, skips = x_t.to(torso_dtype(self)), []
        for stage in self.input_blocks:
            h = stage(h, embedding)
            skips.append(h)
        h = self.middle_block(h, embedding)
        for stage in self.output_blocks:
            h = stage(torch.cat([h, skips.pop()], dim=1), embedding)
        predicted: Tensor = self.out(h.float())
        return predicted


def torso_dtype(network: nn.Module) -> torch.dtype:
    """What the blocks between a network's embedding and its head compute in; both of those are in float32."""
    return next(network.get_submodule("middle_block").parameters()).dtype


def time_embedder(config: BackboneConfig) -> nn.Sequential:
    """The two layers that follow the sinusoidal timestep embedding."""
    width = config.embedding_width
    return nn.Sequential(nn.Linear(config.model_channels, width), nn.SiLU(), nn.Linear(width, width))


def encoder_stages(config: BackboneConfig) -> tuple[list[nn.Module], list[int]]:
    """The encoder, and the number of channels that each of its stages puts out."""
    channels = config.width_at(0)
    stages: list[nn.Module] = [Stage(conv3(config.in_channels, channels))]
    widths = [channels]
    for level in range(len(config.channel_mult)):
        if level:
            stages.append(Stage(_halving(config, channels)))
            widths.append(channels)
        for _ in range(config.num_res_blocks):
            block = config.resblock(channels, config.width_at(level))
            channels = config.width_at(level)
            stages.append(Stage(block, *_attention_at(config, level, channels)))
            widths.append(channels)
    return stages, widths


def middle_stage(config: BackboneConfig, channels: int) -> Stage:
    """The stage at the lowest resolution."""
    first, second = config.resblock(channels, channels), config.resblock(channels, channels)
    return Stage(first, config.attention(channels), second)


def _decoder_stages(config: UNetConfig, skips: list[int]) -> Iterator[nn.Module]:
    skips = list(skips)
    channels = skips[-1]
    for level in reversed(range(len(config.channel_mult))):
        width = config.width_at(level)
        for index in range(config.num_res_blocks + 1):
            layers: list[nn.Module] = [config.resblock(channels + skips.pop(), width)]
            channels = width
            layers += _attention_at(config, level, channels)
            if level and index == config.num_res_blocks:
                layers.append(_doubling(config, channels))
            yield Stage(*layers)


def _attention_at(config: BackboneConfig, level: int, channels: int) -> list[nn.Module]:
    return [config.attention(channels)] if 2**level in config.attention_resolutions else []


def _halving(config: BackboneConfig, channels: int) -> nn.Module:
    return config.resblock(channels, channels, resample=0.5) if config.resblock_updown else Downsample(channels)


def _doubling(config: BackboneConfig, channels: int) -> nn.Module:
    return config.resblock(channels, channels, resample=2) if config.resblock_updown else Upsample(channels)
