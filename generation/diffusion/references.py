"""References: the images, or their statistics, that generated images are compared with.

Every source yields blocks (uint8 [N, H, W, 3], class indices [N]) and is never held whole: a compressed `.npz` is
unpacked as a stream, a folder is decoded picture by picture.
"""

import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
import PIL.Image
import PIL.ImageOps
from numpy.lib import format as npy

from generation.diffusion.datasets import SportBalls
from generation.diffusion.features import NO_CLASS, Block, Classes, Pixels
from generation.diffusion.metrics import InvalidFeatures, Moments

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp"})
ROWS = 64
BALLS_SEED = 424_242
"""Neither the seed of any training nor that of the held-out items."""


class InvalidReference(ValueError):
    """Files that make no reference; the message says what is wrong, and where."""


@dataclass(frozen=True, kw_only=True)
class Pictures:
    """Images that can be gone through. n: how many; blocks: begins anew with every call."""

    name: str
    n: int
    blocks: Callable[[], Iterable[Block]]


def sportballs(n: int, *, seed: int = BALLS_SEED, image_size: int = 64) -> Pictures:
    """Balls drawn for the occasion: items 0 to n - 1 of a seed. Raises InvalidReference for a size too small."""
    try:
        balls = SportBalls(seed=seed, image_size=image_size)
    except ValueError as error:
        raise InvalidReference(f"{error} Choose another reference.") from error

    def blocks() -> Iterator[Block]:
        for start in range(0, n, ROWS):
            items = range(start, min(start + ROWS, n))
            classes = [balls.ball(item).class_index for item in items]
            yield np.stack([balls.image(item) for item in items]), np.array(classes, dtype=np.int64)

    return Pictures(name=f"SportBalls, seed {seed}", n=n, blocks=blocks)


def folder(root: Path, *, image_size: int | None = None, labels: Sequence[str] = ()) -> Pictures:
    """All pictures under a folder, in the order of their paths, square-cropped and resized if image_size is given.

    A picture's class is that of the subfolder it lies in: a label's index, or the subfolder's own number; pictures of
    other subfolders have no known class. Raises InvalidReference if there are none.
    """
    files = sorted(file for file in root.rglob("*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise InvalidReference(f"There is no picture ({', '.join(sorted(SUFFIXES))}) in {root}.")

    def blocks() -> Iterator[Block]:
        for start in range(0, len(files), ROWS):
            part = files[start : start + ROWS]
            pictures = [_decoded(file, side=image_size) for file in part]
            odd = next((i for i, picture in enumerate(pictures) if picture.shape != pictures[0].shape), None)
            if odd is not None:
                raise InvalidReference(f"{part[odd]} has another size than {part[0]}; say to which size to bring them.")
            yield np.stack(pictures), np.array([_class_of(file, root, labels) for file in part], dtype=np.int64)

    return Pictures(name=f"folder {root.name}", n=len(files), blocks=blocks)


def archive(path: Path) -> Pictures:
    """An `.npz` of images: `arr_0` uint8 [N, H, W, 3], and `arr_1`, whole numbers [N], if there are classes.

    Raises InvalidReference, also while it is gone through, for a damaged file.
    """
    with _opened(path) as opened_:
        with _member(opened_, "arr_0", path) as file:
            shape, dtype = _header(file, path)
        classes = _labels(opened_, path) if "arr_1.npy" in opened_.namelist() else np.full(shape[0], NO_CLASS)
    if len(shape) != 4 or shape[3] != 3 or dtype != np.uint8 or not all(shape):
        raise InvalidReference(f"{path.name}: arr_0 is {dtype} {list(shape)}; it must be uint8 [N, height, width, 3].")
    if len(classes) != shape[0]:
        raise InvalidReference(f"{path.name} has {shape[0]} images and {len(classes)} classes.")

    def blocks() -> Iterator[Block]:
        with _opened(path) as again, _member(again, "arr_0", path) as file:
            _header(file, path)
            for start in range(0, shape[0], ROWS):
                rows = min(ROWS, shape[0] - start)
                yield _read(file, (rows, *shape[1:]), path), classes[start : start + rows]

    return Pictures(name=path.name, n=shape[0], blocks=blocks)


def statistics(path: Path) -> Moments | None:
    """The mean (`mu`) and covariance (`sigma`) of an `.npz`, None if it holds images. Raises InvalidReference."""
    with _opened(path) as opened_:
        held = {name.removesuffix(".npy") for name in opened_.namelist()}
    if not {"mu", "sigma"} <= held:
        if "arr_0" not in held:
            raise InvalidReference(
                f"{path.name} holds {', '.join(sorted(held)) or 'nothing'}; it needs images (arr_0, and arr_1 for "
                "classes) or statistics (mu and sigma)."
            )
        return None
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return Moments.known(arrays["mu"], arrays["sigma"])
    except (InvalidFeatures, ValueError, OSError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidReference(f"{path.name}: {error}") from error


def _class_of(file: Path, root: Path, labels: Sequence[str]) -> int:
    parents = file.relative_to(root).parts[:-1]
    if not parents:
        return NO_CLASS
    if parents[0] in labels:
        return labels.index(parents[0])
    return int(parents[0]) if parents[0].isascii() and parents[0].isdigit() else NO_CLASS


def _decoded(file: Path, *, side: int | None) -> Pixels:
    try:
        with PIL.Image.open(file) as picture:
            upright = PIL.ImageOps.exif_transpose(picture).convert("RGB")
    except (OSError, SyntaxError, ValueError, PIL.Image.DecompressionBombError) as error:
        raise InvalidReference(f"{file} is no whole picture; copy it again, or take it out.") from error
    if side is not None and upright.size != (side, side):
        upright = PIL.ImageOps.fit(upright, (side, side), method=PIL.Image.Resampling.BICUBIC)
    return np.asarray(upright, dtype=np.uint8)


def _opened(path: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile) as error:
        raise InvalidReference(f"{path} is no whole .npz file; copy it again.") from error


def _member(opened_: zipfile.ZipFile, name: str, path: Path) -> IO[bytes]:
    try:
        return opened_.open(f"{name}.npy")
    except KeyError as error:
        raise InvalidReference(f"{path.name} has no {name}.") from error


def _header(file: IO[bytes], path: Path) -> tuple[tuple[int, ...], "np.dtype[np.generic]"]:
    try:
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[npy.read_magic(file)]
        shape, is_fortran, dtype = read(file)
    except (ValueError, KeyError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidReference(f"{path.name} holds no array that numpy wrote.") from error
    if is_fortran and len(shape) > 1:
        raise InvalidReference(f"{path.name} is stored column by column; save np.ascontiguousarray of it.")
    return shape, dtype


def _labels(opened_: zipfile.ZipFile, path: Path) -> Classes:
    with _member(opened_, "arr_1", path) as file:
        shape, dtype = _header(file, path)
        if len(shape) != 1 or not np.issubdtype(dtype, np.integer):
            raise InvalidReference(f"{path.name}: arr_1 is {dtype} {list(shape)}; it must be whole numbers [N].")
        data = file.read(shape[0] * dtype.itemsize)
    return np.frombuffer(data, dtype=dtype).astype(np.int64)


def _read(file: IO[bytes], shape: tuple[int, ...], path: Path) -> Pixels:
    size = int(np.prod(shape))
    try:
        data = file.read(size)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidReference(f"{path.name} is damaged; copy it again.") from error
    if len(data) < size:
        raise InvalidReference(f"{path.name} ends before its last image; copy it again.")
    return np.frombuffer(data, dtype=np.uint8).reshape(shape)
