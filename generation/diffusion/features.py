"""Features: images as rows of numbers that a metric compares, by a named extractor.

Images come in blocks, uint8 [N, H, W, 3] with class indices [N], and are looked at once. Their features, float32
[N, D], go to a file in a folder of the caller's and are read through a memory map, so that memory stays bounded.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from generation.diffusion.inception import is_published, load_inception
from generation.diffusion.offshelf import ClipGuide, load_offshelf

Pixels = npt.NDArray[np.uint8]
Classes = npt.NDArray[np.int64]
Singles = npt.NDArray[np.float32]
Block = tuple[Pixels, Classes]
"""Images [N, H, W, 3] and their class indices [N]; -1 = not known."""

FORWARD_ROWS = 64
NO_CLASS = -1
CPU = torch.device("cpu")


class UnusableExtractor(ValueError):
    """A network has no features to give."""


class UnfitImages(ValueError):
    """Images are not what an extractor or a judge takes."""


@dataclass(frozen=True, kw_only=True)
class Extractor:
    """extract: images [N, 3, H, W] with values 0 to 255 -> features [N, D].

    name: what a score says it was measured on. is_fid: whether these are the features that FID is defined by.
    image_size: side of the images it takes, None for any. device: where extract wants them.
    """

    name: str
    extract: Callable[[Tensor], Tensor]
    is_fid: bool = False
    image_size: int | None = None
    device: torch.device = CPU

    @property
    def distance_name(self) -> str:
        """What the Frechet distance on these features is called."""
        return "FID" if self.is_fid else f"Frechet distance on {self.name}"


@dataclass(frozen=True, eq=False)
class Gathered:
    """Features [N, D] of images, and their classes [N]."""

    features: Singles
    classes: Classes

    def __len__(self) -> int:
        return len(self.classes)

    def of_class(self, class_index: int) -> Singles:
        """The features of one class's images."""
        return self.features[np.flatnonzero(self.classes == class_index)]


def pixels(side: int, *, device: torch.device | str = "cpu") -> Extractor:
    """The picture itself, averaged to side x side pixels, values 0 to 1: cheap, and blind to what is shown."""
    if side < 1:
        raise UnusableExtractor(f"Pictures can't be averaged to {side} pixels a side; use 1 or more.")

    def extract(x: Tensor) -> Tensor:
        return F.adaptive_avg_pool2d(x, side).flatten(1) / 255

    return Extractor(name=f"pixels-{side}", extract=extract, device=torch.device(device))


def penultimate(
    network: nn.Module, *, name: str, image_size: int | None = None, device: torch.device | str = "cpu"
) -> Extractor:
    """What the last linear layer of a classifier of clean images reads. network: takes [N, 3, H, W] in [-1, 1].

    Raises UnusableExtractor for a network without a linear layer, or one that is told a timestep.
    """
    if getattr(network, "takes_t", False):
        raise UnusableExtractor(f"{name} expects noised images and a timestep; features are of clean images.")
    last = next((module for module in reversed(list(network.modules())) if isinstance(module, nn.Linear)), None)
    if last is None:
        raise UnusableExtractor(f"{name} has no linear layer, so there is no layer before it to read.")

    def extract(x: Tensor) -> Tensor:
        seen: list[Tensor] = []
        hook = last.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
        try:
            network(in_range(x))
        finally:
            hook.remove()
        return seen[0].flatten(1)

    return Extractor(name=name, extract=extract, image_size=image_size, device=torch.device(device))


def inception(path: Path, *, device: torch.device | str = "cpu") -> Extractor:
    """The 2048 features of the Inception network. Raises UnusableInception."""
    network = load_inception(path, device=device)
    published = is_published(path)
    name = "Inception (2015-12-05)" if published else f"Inception with weights {path.name}"
    return Extractor(name=name, extract=network, is_fid=published, device=torch.device(device))


def image_model(folder: Path, *, device: torch.device | str = "cpu") -> Extractor:
    """The pooled output of an image classifier or CLIP in the `transformers` format, read from a local folder.

    A classifier gives what its last layer reads, CLIP its image embedding. Raises UnusableFolder, MissingExtra.
    """
    network = load_offshelf(folder, device=device)
    if not isinstance(network, ClipGuide):
        return penultimate(network, name=folder.name, device=device)

    def extract(x: Tensor) -> Tensor:
        shown = network.shown(in_range(x), normalised=True)
        embedding: Tensor = network.network.visual_projection(
            network.network.vision_model(pixel_values=shown).pooler_output
        )
        return embedding

    return Extractor(name=folder.name, extract=extract, device=torch.device(device))


def in_range(x: Tensor) -> Tensor:
    """Values 0 to 255 -> [-1, 1], as our networks were trained."""
    return x / 127.5 - 1


def as_tensor(images: Pixels, *, device: torch.device) -> Tensor:
    """Images uint8 [N, H, W, 3] -> float32 [N, 3, H, W] with values 0 to 255."""
    # Copied: blocks may be views of bytes that were read, which torch must not share.
    return torch.from_numpy(np.array(images)).to(device).permute(0, 3, 1, 2).float()


Look = Callable[[Pixels, Classes], None]
"""Called with every block of at most FORWARD_ROWS images."""


@torch.no_grad()
def gather(images: Iterable[Block], extractor: Extractor, *, file: Path, look: Look | None = None) -> Gathered:
    """Go through images once, and keep their features in a file. look: is shown every block too.

    Raises UnfitImages for images of another size than the extractor takes, or none at all.
    """
    classes: list[Classes] = []
    width = 0
    with file.open("wb") as kept:
        for pixels_, class_indices in _blocks(images):
            check_size(pixels_, size=extractor.image_size, name=extractor.name)
            rows = extractor.extract(as_tensor(pixels_, device=extractor.device)).float().cpu().numpy()
            kept.write(np.ascontiguousarray(rows, dtype=np.float32).tobytes())
            classes.append(class_indices)
            width = rows.shape[1]
            if look is not None:
                look(pixels_, class_indices)
    if not classes:
        raise UnfitImages("There are no images to look at.")
    together = np.concatenate(classes).astype(np.int64)
    features = np.memmap(file, dtype=np.float32, mode="r", shape=(len(together), width))
    return Gathered(features, together)


def check_size(images: Pixels, *, size: int | None, name: str) -> None:
    """Raise UnfitImages for images that are not size x size."""
    height, width = images.shape[1:3]
    if size is not None and (height, width) != (size, size):
        raise UnfitImages(f"{name} takes images of {size} x {size} px, and these have {width} x {height}.")


def _blocks(images: Iterable[Block]) -> Iterable[Block]:
    for pixels_, classes in images:
        for start in range(0, len(pixels_), FORWARD_ROWS):
            yield pixels_[start : start + FORWARD_ROWS], classes[start : start + FORWARD_ROWS]
