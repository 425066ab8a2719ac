"""Classifiers: the time-dependent one that guides, and a plain one that judges.

Source: Dhariwal and Nichol (2021), section 4: the guiding classifier is the encoder half of the UNet with
attention pooling.
A guide is never a judge: `CleanClassifier` has another architecture, sees clean images only and never guides.
"""

from dataclasses import dataclass
from enum import StrEnum

from torch import Tensor, nn

from generation.diffusion.blocks import AttentionPool, group_norm, timestep_embedding
from generation.diffusion.networks import BackboneConfig, encoder_stages, middle_stage, time_embedder


class Head(StrEnum):
    """What a classifier's logits mean."""

    SOFTMAX = "softmax"
    """One class of many."""
    SIGMOID = "sigmoid"
    """Attributes, each yes or no: columns 2k and 2k + 1 hold minus and plus the logit of attribute k."""


class Classifier(nn.Module):
    """What guides and judges share. A subclass that takes t is called with (x_t, t), another one with images alone."""

    takes_t: bool
    n_classes: int
    head_kind: Head = Head.SOFTMAX
    normalises: bool = True
    """Whether its own preprocessing normalises what comes in [-1, 1]; read by off-the-shelf classifiers only."""


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(BackboneConfig):
    """A guiding classifier: out_channels is the number of classes; num_head_channels must be a width."""

    num_head_channels: int = 64
    pool: str = "attention"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.pool != "attention":
            raise ValueError(f"The only pooling of these classifiers is 'attention', not {self.pool!r}.")


class EncoderClassifier(Classifier):
    """Classify noised images x_t, knowing their timestep t."""

    takes_t = True

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.n_classes = config.out_channels
        self.time_embed = time_embedder(config)
        stages, widths = encoder_stages(config)
        channels = widths[-1]
        self.input_blocks = nn.ModuleList(stages)
        self.middle_block = middle_stage(config, channels)
        side = config.image_size // 2 ** (len(config.channel_mult) - 1)
        pool = AttentionPool(side, channels, head_channels=config.num_head_channels, out_channels=config.out_channels)
        self.out = nn.Sequential(group_norm(channels, config.norm_groups), nn.SiLU(), pool)

    def forward(self, x_t: Tensor, t: Tensor) -> Tensor:
        """x_t: [N, 3, H, W], t: int64 [N], 0 = least noise -> logits [N, classes]."""
        embedding = self.time_embed(timestep_embedding(t, self.config.model_channels))
        h = x_t
        for stage in self.input_blocks:
            h = stage(h, embedding)
        logits: Tensor = self.out(self.middle_block(h, embedding))
        return logits


@dataclass(frozen=True, kw_only=True)
class CleanConfig:
    """A judge: a plain convolutional network of widths `widths`, halving the size after each."""

    image_size: int
    out_channels: int
    widths: tuple[int, ...] = (32, 64, 96, 128)

    def __post_init__(self) -> None:
        object.__setattr__(self, "widths", tuple(self.widths))


class CleanClassifier(Classifier):
    """Classify clean images with plain convolutions, batch normalisation and global average pooling."""

    takes_t = False

    def __init__(self, config: CleanConfig) -> None:
        super().__init__()
        self.config = config
        self.n_classes = config.out_channels
        layers: list[nn.Module] = []
        for channels, width in zip((3, *config.widths), config.widths, strict=False):
            layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)
        self.head = nn.Linear(config.widths[-1], config.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """x: clean images [N, 3, H, W] in [-1, 1] -> logits [N, classes]."""
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits
