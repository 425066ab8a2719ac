"""Folders of classifiers off the shelf: what they say of themselves, read without loading weights.

What a folder says about its network's input is followed to the letter and nothing is assumed: input size, mean and
standard deviation come from its files, or it is refused. Nothing is fetched, no code of the folder runs, and weights
are read as safetensors only.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import ModuleType
from typing import Any

from safetensors import SafetensorError, safe_open

from generation.diffusion.classifiers import Head, attribute_labels


class MissingExtra(ImportError):
    """An optional package is not installed; the message says how to install it."""


class UnusableFolder(ValueError):
    """A folder holds no classifier that can be used; the message says what is wrong with it."""


class Shelf(StrEnum):
    """How a classifier off the shelf knows its classes."""

    IMAGE_CLASSIFIER = "image-classifier"
    """It was trained on them."""
    CLIP = "clip"
    """It compares images with texts, any texts."""


@dataclass(frozen=True, kw_only=True)
class ImageInput:
    """What a network wants to see: square images of `size` pixels in [0, 1], less mean, over std, by channel.

    bgr: whether it wants blue first.
    """

    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    bgr: bool = False


@dataclass(frozen=True, kw_only=True)
class ShelfFacts:
    """What a folder says of itself, known without loading weights.

    labels: texts of the classes in the order of the logits, none for CLIP; attributes have two each, "not X" and "X".
    """

    kind: Shelf
    image_input: ImageInput
    labels: tuple[str, ...]
    head: Head = Head.SOFTMAX

    @property
    def image_size(self) -> int:
        """Side of the network's own input; images of any other size are resized to it."""
        return self.image_input.size


def inspect_offshelf(folder: Path) -> ShelfFacts:
    """Read a folder's facts and check that its weights are whole. Raises UnusableFolder, MissingExtra."""
    config = _config(folder)
    _check_weights_files(folder)
    kind = _kind(folder, config)
    image_input = _image_input(folder, config)
    if kind is Shelf.CLIP:
        _check_tokenizer_files(folder)
        return ShelfFacts(kind=kind, image_input=image_input, labels=())
    names = tuple(str(config.id2label[index]) for index in range(config.num_labels))
    if config.problem_type == "multi_label_classification":
        return ShelfFacts(kind=kind, image_input=image_input, labels=attribute_labels(names), head=Head.SIGMOID)
    return ShelfFacts(kind=kind, image_input=image_input, labels=names)


def transformers_package() -> ModuleType:
    """The optional package, imported where it is needed: it takes seconds."""
    try:
        import transformers
    except ImportError as error:
        raise MissingExtra(
            "Classifiers off the shelf need the package transformers: pip install -r requirements-extras.txt"
        ) from error
    transformers.utils.logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # untyped there
    return transformers


def _config(folder: Path) -> Any:  # Any: every architecture has a configuration class of its own
    if not (folder / "config.json").is_file():
        raise UnusableFolder(f"{folder.name} has no config.json; give the folder of a transformers model.")
    _document(folder / "config.json")
    try:
        return transformers_package().AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UnusableFolder(
            f"{folder.name}/config.json describes no model known here ({first_line(error)})."
        ) from error


def _kind(folder: Path, config: Any) -> Shelf:  # Any: as above
    named = config.architectures or []
    if any(name.endswith("ForImageClassification") for name in named):
        return Shelf.IMAGE_CLASSIFIER
    if "CLIPModel" in named:
        return Shelf.CLIP
    raise UnusableFolder(
        f"{folder.name} holds {listed(named) or 'no named architecture'}; "
        "what can guide is an image classifier (...ForImageClassification) or a CLIPModel."
    )


def _check_weights_files(folder: Path) -> None:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise UnusableFolder(f"{folder.name} has no weights in a .safetensors file; other formats are not read.")
    for file in files:
        try:
            # The header says where the last tensor ends, so that opening a file that was cut short fails.
            with safe_open(str(file), framework="pt"):
                pass
        except (OSError, SafetensorError) as error:
            raise UnusableFolder(
                f"{folder.name}/{file.name} is not a whole safetensors file ({first_line(error)}); copy it again."
            ) from error


def _check_tokenizer_files(folder: Path) -> None:
    # Without them transformers makes a tokenizer that knows no words, and all texts are alike to it.
    if not any(all((folder / name).is_file() for name in names) for names in _TOKENIZERS):
        raise UnusableFolder(f"{folder.name} has no tokenizer.json to read texts with; copy it along.")


def _image_input(folder: Path, config: Any) -> ImageInput:  # Any: as above
    document = _processor(folder)
    scale = document.get("rescale_factor", 1 / 255) if document.get("do_rescale", True) else 1.0
    if not isinstance(scale, float) or abs(scale * 255 - 1) > 1e-3:
        raise UnusableFolder(f"{folder.name} wants pixels times {scale}; only those from 0 to 1 are made here.")
    mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
    if document.get("do_normalize", True):
        mean, std = _channels(folder, document, "image_mean"), _channels(folder, document, "image_std")
    if min(std) <= 0:
        raise UnusableFolder(f"{folder.name} divides by an image_std of {min(std)}; it must be more than 0.")
    bgr = bool(document.get("do_flip_channel_order", False))
    return ImageInput(size=_input_size(folder, document, config), mean=mean, std=std, bgr=bgr)


def _processor(folder: Path) -> Mapping[str, Any]:  # Any: values as JSON has them
    alone, among_others = folder / "preprocessor_config.json", folder / "processor_config.json"
    if alone.is_file():
        return _document(alone)
    if among_others.is_file():
        document = _document(among_others).get("image_processor")
        if isinstance(document, dict):
            return document
    raise UnusableFolder(
        f"{folder.name} has no preprocessor_config.json, so nobody knows what input it wants; copy it along."
    )


def _document(file: Path) -> dict[str, Any]:  # Any: as above
    try:
        document = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UnusableFolder(f"{file.parent.name}/{file.name} is no readable JSON ({first_line(error)}).") from error
    if not isinstance(document, dict):
        raise UnusableFolder(f"{file.parent.name}/{file.name} must be a JSON object.")
    return document


def _channels(folder: Path, document: Mapping[str, Any], name: str) -> tuple[float, float, float]:  # Any: as above
    values = document.get(name)
    if not isinstance(values, list) or len(values) != 3 or not all(isinstance(value, int | float) for value in values):
        raise UnusableFolder(f"{folder.name} has {values!r} as its {name}; it must be three numbers, one a channel.")
    red, green, blue = map(float, values)
    return red, green, blue


def _input_size(folder: Path, document: Mapping[str, Any], config: Any) -> int:  # Any: as above
    cropped = document.get("crop_size") if document.get("do_center_crop", True) else None
    vision = getattr(config, "vision_config", config)
    stated = cropped or document.get("size") or getattr(vision, "image_size", None)
    if isinstance(stated, dict):
        sides = {value for name, value in stated.items() if name in ("height", "width", "shortest_edge")}
    else:
        sides = set(stated) if isinstance(stated, list | tuple) else {stated}
    if len(sides) != 1 or not isinstance(side := sides.pop(), int) or side < 1:
        raise UnusableFolder(f"{folder.name} gives its input size as {stated!r}; it must be one side in pixels.")
    return side


def listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown


def first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


_TOKENIZERS = (("tokenizer.json",), ("vocab.json", "merges.txt"))
