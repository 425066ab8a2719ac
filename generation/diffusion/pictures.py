"""Pictures by index: where they come from, and how they are brought to one size with Pillow."""

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from PIL import Image as Pillow
from PIL import ImageOps

from generation.diffusion.datasets import Pixels

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp"}
Window = tuple[float, float, float, float]


class InvalidData(ValueError):
    """These files make no data set; the message names the file or the row."""


class Pictures(Protocol):
    """RGB pictures, by index."""

    def __len__(self) -> int: ...

    @property
    def fingerprint(self) -> str:
        """Equal for equal pictures."""

    def open(self, index: int) -> Pillow.Image:
        """One picture in RGB. Raises InvalidData."""


@dataclass(frozen=True)
class FolderPictures:
    """Files of a folder, by their paths within it."""

    root: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @property
    def fingerprint(self) -> str:
        """Of names and sizes: reading all bytes of a large folder would take hours."""
        sizes = (f"{name} {(self.root / name).stat().st_size}" for name in self.names)
        return hashlib.sha256("\n".join(sizes).encode()).hexdigest()

    def open(self, index: int) -> Pillow.Image:
        """See Pictures."""
        return decoded(self.root / self.names[index], self.names[index])


@dataclass(frozen=True, eq=False)
class ArrayPictures:
    """Pictures of one size, uint8 [N, H, W, 3]."""

    pixels: Pixels

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def fingerprint(self) -> str:
        """Of every pixel."""
        return hashlib.sha256(self.pixels.tobytes()).hexdigest()

    def open(self, index: int) -> Pillow.Image:
        """See Pictures."""
        return Pillow.fromarray(self.pixels[index])


def fitted(picture: Pillow.Image, side: int, *, window: Window | None = None) -> Pillow.Image:
    """A picture's central square (or a square window of it, in its pixels) at side x side pixels."""
    if window is None:
        width, height = picture.size
        short = min(width, height)
        left, top = (width - short) // 2, (height - short) // 2
        window = (left, top, left + short, top + short)
    # Cut before resizing: Pillow's filters look beyond the box that they are given.
    left, top, right, bottom = math.floor(window[0]), math.floor(window[1]), math.ceil(window[2]), math.ceil(window[3])
    within = (window[0] - left, window[1] - top, window[2] - left, window[3] - top)
    cut = picture.crop((left, top, right, bottom))
    return cut.resize((side, side), Pillow.Resampling.BICUBIC, box=within, reducing_gap=1.0)


def pictures_under(folder: Path) -> list[Path]:
    """All pictures in a folder and the folders in it, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)


def decoded(file: Path | IO[bytes], name: str) -> Pillow.Image:
    """A file's picture in RGB, turned upright. Raises InvalidData, which calls it `name`."""
    try:
        with Pillow.open(file) as picture:
            return ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, Pillow.DecompressionBombError) as error:
        raise InvalidData(f"{name} is no readable picture: {error}.") from error
