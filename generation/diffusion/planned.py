"""What a training plan names: its data, its device and its network."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from generation.diffusion.attribute_tables import attribute_table
from generation.diffusion.checkpoints import load_classifier, load_denoiser
from generation.diffusion.classifiers import (
    Attributes,
    ClassifierConfig,
    CleanClassifier,
    CleanConfig,
    EncoderClassifier,
    Outputs,
)
from generation.diffusion.datasets import DataSet, sportballs
from generation.diffusion.image_data import Augmentation, Split, image_archive, image_folder
from generation.diffusion.networks import UNet
from generation.diffusion.plans import SPORTBALLS, ClassifierPlan, DenoiserPlan, InvalidPlan, Kind, TrainingPlan
from generation.diffusion.presets import (
    WIDTH,
    cifar_denoiser_config,
    cifar_guide_config,
    denoiser_config,
    guide_config,
    imagenet_guide_config,
)


def data_of(plan: TrainingPlan, *, labelled: bool = True) -> DataSet:
    """The data set that a plan names. Raises InvalidData, InvalidPlan."""
    by = Augmentation(flips=plan.flips, crops=plan.crops)
    split = Split(share=plan.held_out_share, seed=plan.split_seed)
    if plan.data == SPORTBALLS:
        if plan.flips or plan.crops:
            raise InvalidPlan("flips" if plan.flips else "crops", "are for pictures; sportballs are drawn without end.")
        try:
            return sportballs(plan.seed, image_size=plan.side, diameters=(plan.smallest_ball, plan.largest_ball))
        except ValueError as error:
            raise InvalidPlan("largest_ball", f"is impossible: {error}") from error
    path = Path(plan.data)
    if plan.attributes:
        return attribute_table(
            path, Path(plan.attributes), image_size=plan.side, seed=plan.seed, held_out=split, augmentation=by
        )
    if path.is_file():
        return image_archive(path, image_size=plan.side, seed=plan.seed, augmentation=by)
    held_out = Path(plan.held_out_folder) if plan.held_out_folder else split
    return image_folder(
        path, image_size=plan.side, seed=plan.seed, held_out=held_out, augmentation=by, labelled=labelled
    )


def device_of(plan: TrainingPlan) -> torch.device:
    """Where a plan trains: what it says, else on CUDA where there is one. Raises InvalidPlan."""
    if plan.device == "cuda" and not torch.cuda.is_available():
        raise InvalidPlan("device", "can't be cuda: torch finds no such device here.")
    return torch.device(plan.device or ("cuda" if torch.cuda.is_available() else "cpu"))


def classifier_of(plan: ClassifierPlan, data: DataSet) -> nn.Module:
    """A plan's classifier: new, or of the weights it starts from. Raises InvalidPlan, or as load_classifier."""
    outputs = Outputs.ATTRIBUTES if data.has_attributes else Outputs.CLASSES
    classes, side, width = len(data.class_labels), plan.side, plan.width or WIDTH
    network: EncoderClassifier | CleanClassifier
    if plan.kind in (Kind.CLEAN, Kind.UNTIMED):
        widths = tuple(width * share for share in (1, 2, 3, 4))
        network = CleanClassifier(CleanConfig(image_size=side, out_channels=classes, widths=widths, outputs=outputs))
    else:
        _check_architecture(plan)
        configs: dict[str, Callable[[], ClassifierConfig]] = {
            "small": lambda: guide_config(side, classes, width=width),
            "imagenet": lambda: imagenet_guide_config(side, classes),
            "cifar": lambda: cifar_guide_config(classes),
        }
        config = configs[plan.architecture]()
        network = EncoderClassifier(replace(config, outputs=outputs, dropout=plan.dropout))
    return _started(network, plan, load_classifier)


def denoiser_of(plan: DenoiserPlan, classes: int | None) -> nn.Module:
    """A plan's denoiser. classes: with the null class, None for no classes. Raises as classifier_of."""
    _check_architecture(plan)
    if plan.architecture == "cifar":
        config = cifar_denoiser_config(classes, dropout=plan.dropout)
    else:
        config = denoiser_config(plan.side, classes, width=plan.width or WIDTH, dropout=plan.dropout)
    return _started(UNet(config), plan, load_denoiser)


def _check_architecture(plan: ClassifierPlan | DenoiserPlan) -> None:
    sides = {"imagenet": (64, 128, 256), "cifar": (32,)}.get(plan.architecture)
    if sides is not None and plan.side not in sides:
        allowed = " or ".join(str(side) for side in sides)
        raise InvalidPlan("image_size", f"must be {allowed} for the architecture {plan.architecture}, not {plan.side}.")


def _started(network: nn.Module, plan: TrainingPlan, load: Callable[[Path], nn.Module]) -> nn.Module:
    """The network, with the weights of plan.init_from if there are such."""
    if not plan.init_from:
        return network
    start = load(Path(plan.init_from))
    start = start.network if isinstance(start, Attributes) else start
    if getattr(start, "config", None) != network.config:
        raise InvalidPlan("init_from", f"names {Path(plan.init_from).name}, which is of another architecture.")
    network.load_state_dict(start.state_dict())
    return network
