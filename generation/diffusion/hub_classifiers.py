"""Facts of classifiers off the shelf, as of every other checkpoint."""

from pathlib import Path

import torch
from torch import nn

from generation.diffusion import offshelf
from generation.diffusion.classifiers import Classifier
from generation.diffusion.facts import (
    Architecture,
    CheckpointFacts,
    CheckpointMismatch,
    Kind,
    MissingExtra,
    Options,
    UnreadableCheckpoint,
    digest_of,
)
from generation.diffusion.offshelf_folders import Shelf

EXTRA = "transformers"
_ARCHITECTURES = {
    Shelf.IMAGE_CLASSIFIER: Architecture.IMAGE_CLASSIFIER,
    Shelf.CLIP: Architecture.CLIP,
}


def inspect_folder(folder: Path, options: Options) -> CheckpointFacts:
    """Read a folder's facts, and its weights once. Raises RefusedCheckpoint.

    A folder has labels of its own, unless it is CLIP's: labels told make them its classes for good, else it takes those
    of whatever it guides.
    """
    network = _loaded(folder, labels=options.class_labels, prompt=options.prompt, device="cpu")
    shelf = offshelf.inspect_offshelf(folder)
    return CheckpointFacts(
        kind=Kind.CLASSIFIER,
        architecture=_ARCHITECTURES[shelf.kind],
        config={},
        image_size=shelf.image_size,
        class_labels=options.class_labels or shelf.labels,
        null_class=None,
        schedule=options.schedule or "linear",
        timesteps=options.timesteps or 1000,
        noise_trained=bool(options.noise_trained),
        takes_t=False,
        adversarial=dict(options.adversarial) if options.adversarial else None,
        card={},
        sha256=digest_of(folder),
        takes_labels=False,
        head=shelf.head,
        extra=EXTRA,
        details={
            "resizes": True,
            "relus": sum(type(module) is nn.ReLU for module in network.modules()),
            "labels": list(options.class_labels) if options.class_labels else None,
            "prompt": options.prompt,
        },
    )


def load_folder(folder: Path, facts: CheckpointFacts, *, device: torch.device | str = "cpu") -> Classifier:
    """The classifier of a folder, frozen, in float32. Raises RefusedCheckpoint."""
    return _loaded(folder, labels=facts.details["labels"], prompt=facts.details["prompt"], device=device)


def _loaded(
    folder: Path, *, labels: tuple[str, ...] | list[str] | None, prompt: str | None, device: torch.device | str
) -> Classifier:
    try:
        return offshelf.load_offshelf(folder, labels=labels, prompt=prompt, device=device)
    except offshelf.MissingExtra as error:
        raise MissingExtra(folder.name, library=EXTRA) from error
    except offshelf.UnusableFolder as error:
        # A folder that is whole but of another network, and one that is damaged, differ in the message alone.
        problem = CheckpointMismatch if (folder / "config.json").is_file() else UnreadableCheckpoint
        raise problem(str(error)) from error
