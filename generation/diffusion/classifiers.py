"""Classifiers: the time-dependent one that guides, and a plain one that judges.

Source: Dhariwal and Nichol (2021), section 4: the guiding classifier is the encoder half of the UNet with
attention pooling.
A guide is never a judge: `CleanClassifier` has another architecture, sees clean images only and never guides.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import torch
from torch import Tensor, nn

from generation.diffusion.blocks import AttentionPool, group_norm, timestep_embedding
from generation.diffusion.networks import BackboneConfig, encoder_stages, middle_stage, time_embedder, torso_dtype


class Head(StrEnum):
    """What a classifier's logits mean."""

    SOFTMAX = "softmax"
    """One class of many."""
    SIGMOID = "sigmoid"
    """Attributes, each yes or no: columns 2k and 2k + 1 hold minus and plus the logit of attribute k."""


class Outputs(StrEnum):
    """What the numbers that a network puts out belong to."""

    CLASSES = "classes"
    """One to each class, of which an image has one: softmax."""
    ATTRIBUTES = "attributes"
    """One to each attribute, of which an image has any: sigmoid, trained by binary cross-entropy on [N, K]."""


class Classifier(nn.Module):
    """What guides and judges share. A subclass that takes t is called with (x_t, t), another one with images alone."""

    takes_t: bool
    n_classes: int
    head_kind: Head = Head.SOFTMAX
    normalises: bool = True
    """Whether its own preprocessing normalises what comes in [-1, 1]; read by off-the-shelf classifiers only."""

    def unnormalised(self) -> "Classifier":
        """The same weights without normalisation of the input; this classifier stays as it is."""
        other = copy.copy(self)
        other.normalises = False
        return other


class Attributes(Classifier):
    """A network with one logit an attribute, as guidance and judges see it: two classes an attribute, without and with.

    Class 2k is "without attribute k", whose logit is minus that of class 2k + 1, "with attribute k".
    """

    head_kind = Head.SIGMOID

    def __init__(self, network: Classifier) -> None:
        super().__init__()
        self.network = network
        self.takes_t = network.takes_t
        self.normalises = network.normalises
        self.n_classes = 2 * network.n_classes

    def forward(self, x: Tensor, *t: Tensor) -> Tensor:
        """x: [N, 3, H, W], and t: int64 [N] if the network takes it -> [N, 2 K]."""
        logits: Tensor = self.network(x, *t)
        return torch.stack([-logits, logits], dim=2).flatten(1)

    def unnormalised(self) -> "Attributes":
        """As Classifier's."""
        return Attributes(self.network.unnormalised())


def attribute_labels(attributes: Sequence[str]) -> tuple[str, ...]:
    """The classes of attributes, in the order of `Attributes`: "not Smiling", "Smiling" and so on."""
    return tuple(label for attribute in attributes for label in (f"not {attribute}", attribute))


def with_head(network: "EncoderClassifier | CleanClassifier") -> Classifier:
    """The network as guidance and judges call it: itself, or `Attributes` if that is what it puts out.

    Training takes the network itself, whose logits are [N, K]. The class labels of its checkpoint are those of
    `attribute_labels`, one to each of the 2 K classes.
    """
    return Attributes(network) if network.config.outputs is Outputs.ATTRIBUTES else network


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(BackboneConfig):
    """A guiding classifier: out_channels is the number of `outputs`; num_head_channels must be a width."""

    num_head_channels: int = 64
    pool: str = "attention"
    outputs: Outputs = Outputs.CLASSES

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "outputs", Outputs(self.outputs))
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
        """x_t: [N, 3, H, W], t: int64 [N], 0 = least noise -> logits [N, out_channels]."""
        embedding = self.time_embed(timestep_embedding(t, self.config.model_channels))
        h = x_t.to(torso_dtype(self))
        for stage in self.input_blocks:
            h = stage(h, embedding)
        logits: Tensor = self.out(self.middle_block(h, embedding).float())
        return logits


@dataclass(frozen=True, kw_only=True)
class CleanConfig:
    """A judge: a plain convolutional network of widths `widths`, halving the size after each."""

    image_size: int
    out_channels: int
    widths: tuple[int, ...] = (32, 64, 96, 128)
    outputs: Outputs = Outputs.CLASSES

    def __post_init__(self) -> None:
        object.__setattr__(self, "outputs", Outputs(self.outputs))
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
        """x: clean images [N, 3, H, W] in [-1, 1] -> logits [N, out_channels]."""
        logits: Tensor = self.head(self.features(x).mean(dim=(2, 3)))
        return logits
