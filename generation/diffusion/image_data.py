"""Data sets of pictures: a folder of class folders, an archive laid out as CIFAR-10 is here, a table of attributes.

A picture is made square by its centre and brought to size by Pillow: BOX by the largest whole factor, then BICUBIC,
after Dhariwal and Nichol's loader (which halves with BOX instead). Pictures that fit into LIMIT bytes are decoded
once; others whenever they are drawn. What a training index shows (which picture, mirrored or not, which window) is a
function of (seed, index) alone.
"""

import hashlib
import lzma
import os
import tarfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import IO

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from generation.diffusion.datasets import DataSet, Pixels, as_images
from generation.diffusion.pictures import (
    SUFFIXES,
    ArrayPictures,
    FolderPictures,
    InvalidData,
    Pictures,
    Window,
    decoded,
    fitted,
    pictures_under,
)

LIMIT = 2**30
SMALLEST_WINDOW = 0.8  # Of the shorter side: Dhariwal and Nichol's training crops.
Labels = npt.NDArray[np.int64]
_ORDER, _AUGMENT, _SPLIT = 1, 2, 3  # Streams of one seed.


@dataclass(frozen=True)
class Augmentation:
    """What happens to training pictures at random: mirrored, or seen through a window of 80 to 100 % of a side."""

    flips: bool = False
    crops: bool = False


@dataclass(frozen=True, kw_only=True)
class Split:
    """How held-out pictures are chosen: a share of all, by seed."""

    share: float = 0.1
    seed: int = 0


PLAIN = Augmentation()
TENTH = Split()


def image_folder(
    root: Path,
    *,
    image_size: int,
    seed: int,
    held_out: Split | Path = TENTH,
    augmentation: Augmentation = PLAIN,
    labelled: bool = True,
) -> DataSet:
    """ROOT/CLASS/*.{png,jpg,webp} as a data set; unlabelled, the folder may have any layout.

    held_out: a share, or a folder of its own with the same classes. Raises InvalidData.
    """
    names, files, labels = _listed(root, labelled=labelled)
    if isinstance(held_out, Split):
        return _split(
            FolderPictures(root, files),
            labels,
            names=names,
            size=image_size,
            seed=seed,
            split=held_out,
            by=augmentation,
        )
    other_names, other_files, other_labels = _listed(held_out, labelled=labelled)
    unknown = sorted(set(other_names) - set(names))
    if unknown:
        raise InvalidData(f"{held_out.name} has a class {unknown[0]!r}, which {root.name} lacks.")
    mapped = np.array([names.index(name) for name in other_names], dtype=np.int64)[other_labels]
    return _data_set(
        _Labelled(FolderPictures(root, files), labels),
        _Labelled(FolderPictures(held_out, other_files), mapped),
        names=names,
        size=image_size,
        seed=seed,
        by=augmentation,
        origin=f"image folder {root.name}, held-out folder {held_out.name}",
    )


def image_archive(
    path: Path,
    *,
    image_size: int,
    seed: int,
    augmentation: Augmentation = PLAIN,
) -> DataSet:
    """A .tar, also compressed, of train/CLASS/* and test/CLASS/*: read once into memory. Raises InvalidData."""
    found: dict[str, list[tuple[str, str, Pixels]]] = {"train": [], "test": []}
    room = LIMIT
    try:
        with tarfile.open(path) as archive:
            for part, label, name, file in _members(archive):
                pixels = np.asarray(fitted(decoded(file, name), image_size))
                found[part].append((label, name, pixels))
                room -= pixels.nbytes
                if room < 0:
                    raise InvalidData(f"{path.name} needs more than {LIMIT >> 20} MiB unpacked; unpack it to a folder.")
    except (OSError, tarfile.TarError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise InvalidData(f"{path.name} can't be read as a .tar archive: {error}.") from error
    for part, items in found.items():
        if not items:
            raise InvalidData(f"{path.name} has no pictures {part}/CLASS/NAME.jpg.")
    names = tuple(sorted({label for label, _, _ in found["train"]}))
    training, held_out = (_in_memory(path.name, sorted(items, key=_place), names) for items in found.values())
    return _data_set(
        training, held_out, names=names, size=image_size, seed=seed, by=augmentation, origin=f"archive {path.name}"
    )


def attribute_folder(
    root: Path,
    files: Sequence[str],
    attributes: Labels,
    *,
    names: tuple[str, ...],
    image_size: int,
    seed: int,
    held_out: Split = TENTH,
    augmentation: Augmentation = PLAIN,
) -> DataSet:
    """Pictures of a folder with K attributes each, int64 [N, K] of 0 and 1 (see attribute_tables.py)."""
    whole = _split(
        FolderPictures(root, tuple(files)),
        attributes,
        names=names,
        size=image_size,
        seed=seed,
        split=held_out,
        by=augmentation,
    )
    return replace(whole, has_attributes=True)


@dataclass(frozen=True, eq=False)
class _Labelled:
    """Pictures, what they show, and which of them belong to this part (all, if `chosen` is None)."""

    pictures: Pictures
    labels: Labels
    chosen: npt.NDArray[np.intp] | None = None

    def __len__(self) -> int:
        return len(self.pictures) if self.chosen is None else len(self.chosen)

    def item(self, position: int) -> int:
        """Which picture is at a position of this part."""
        return position if self.chosen is None else int(self.chosen[position])


@dataclass(frozen=True, eq=False)
class _Drawn:
    """Examples of one part. Endless ones are shuffled anew in every round; the others once, and end."""

    part: _Labelled
    image_size: int
    seed: int
    by: Augmentation
    endless: bool

    @property
    def fingerprint(self) -> str:
        """Of the pictures, the labels, the order and the augmentation."""
        digest = hashlib.sha256(self.part.pictures.fingerprint.encode())
        digest.update(self.part.labels.tobytes())
        digest.update(b"" if self.part.chosen is None else self.part.chosen.tobytes())
        return f"{digest.hexdigest()[:32]} {self.image_size} {self.seed} {self.by}"

    def examples(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """See datasets.Examples. Raises IndexError past the end, InvalidData for a damaged file."""
        items = [self._item(index) for index in indices]
        if isinstance(self.part.pictures, ArrayPictures):
            pixels = [self._pixels(index, item) for index, item in zip(indices, items, strict=True)]
        else:
            # Decoding lets other threads run.
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                pixels = list(pool.map(self._pixels, indices, items))
        return as_images(np.stack(pixels)), torch.from_numpy(self.part.labels[items])

    def _item(self, index: int) -> int:
        turn, position = divmod(index, len(self.part))
        if turn and not self.endless:
            raise IndexError(f"There are {len(self.part)} held-out pictures, and none with index {index}.")
        return self.part.item(int(_order(self.seed, turn, len(self.part))[position]))

    def _pixels(self, index: int, item: int) -> Pixels:
        picture = self.part.pictures.open(item)
        rng = np.random.default_rng([self.seed, _AUGMENT, index])
        mirrored = self.by.flips and rng.random() < 0.5
        window = _window(rng, picture.size, side=self.image_size) if self.by.crops else None
        pixels = np.asarray(fitted(picture, self.image_size, window=window))
        return pixels[:, ::-1] if mirrored else pixels


@lru_cache(maxsize=4)
def _order(seed: int, turn: int, length: int) -> npt.NDArray[np.intp]:
    return np.random.default_rng([seed, _ORDER, turn]).permutation(length)


def _window(rng: np.random.Generator, size: tuple[int, int], *, side: int) -> Window:
    """A square of 80 to 100 % of the shorter side, anywhere in the picture."""
    # The published loader draws the size that the shorter side is brought to, and cuts `side` pixels out of that.
    brought_to = int(rng.integers(side, int(np.ceil(side / SMALLEST_WINDOW)) + 1))
    length = min(size) * side / brought_to
    left, top = (float(rng.random() * (extent - length)) for extent in size)
    return (left, top, left + length, top + length)


def _split(
    files: FolderPictures,
    labels: Labels,
    *,
    names: tuple[str, ...],
    size: int,
    seed: int,
    split: Split,
    by: Augmentation,
) -> DataSet:
    """One folder, cut in two by the split's own seed, so that all runs hold out the same pictures."""
    shuffled = np.random.default_rng([split.seed, _SPLIT]).permutation(len(files))
    held = max(1, round(split.share * len(files)))
    if held >= len(files):
        raise InvalidData(f"{files.root.name} has {len(files)} pictures: too few to hold some out.")
    return _data_set(
        _Labelled(files, labels, np.sort(shuffled[held:])),
        _Labelled(files, labels, np.sort(shuffled[:held])),
        names=names,
        size=size,
        seed=seed,
        by=by,
        origin=f"image folder {files.root.name}, {split.share:.0%} held out by seed {split.seed}",
    )


def _data_set(
    training: _Labelled,
    held_out: _Labelled,
    *,
    names: tuple[str, ...],
    size: int,
    seed: int,
    by: Augmentation,
    origin: str,
) -> DataSet:
    changes = "".join(text for on, text in ((by.flips, ", mirrored at random"), (by.crops, ", cut at random")) if on)
    # A window is cut from the whole file, so those pictures can't be decoded once and for all.
    kept = training if by.crops else _decoded_once(training, size)
    return DataSet(
        training=_Drawn(kept, size, seed, by, endless=True),
        held_out=_Drawn(_decoded_once(held_out, size), size, 0, PLAIN, endless=False),
        held_out_size=len(held_out),
        class_labels=names,
        description=f"{origin}, {size} px, {len(training)} training pictures in the order of seed {seed}{changes}",
    )


def _decoded_once(part: _Labelled, size: int) -> _Labelled:
    if isinstance(part.pictures, ArrayPictures) or len(part) * size * size * 3 > LIMIT // 2:
        return part

    def pixels(position: int) -> Pixels:
        return np.asarray(fitted(part.pictures.open(part.item(position)), size))

    decoded = np.empty((len(part), size, size, 3), dtype=np.uint8)
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for position, one in enumerate(pool.map(pixels, range(len(part)))):
            decoded[position] = one
    labels = part.labels if part.chosen is None else part.labels[part.chosen]
    return _Labelled(ArrayPictures(decoded), labels)


def _listed(root: Path, *, labelled: bool) -> tuple[tuple[str, ...], tuple[str, ...], Labels]:
    """Class names, files relative to root, and each file's class."""
    if not root.is_dir():
        raise InvalidData(f"There is no folder {root.name}.")
    if not labelled:
        files = tuple(path.relative_to(root).as_posix() for path in pictures_under(root))
        if not files:
            raise InvalidData(f"{root.name} has no .png, .jpg or .webp files.")
        return (), files, np.zeros(len(files), dtype=np.int64)
    folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not folders:
        raise InvalidData(f"{root.name} has no class folders; pictures belong into {root.name}/CLASS/.")
    listed = [list(pictures_under(folder)) for folder in folders]
    for folder, paths in zip(folders, listed, strict=True):
        if not paths:
            raise InvalidData(f"{root.name}/{folder.name} has no .png, .jpg or .webp files.")
    labels = np.repeat(np.arange(len(folders), dtype=np.int64), [len(paths) for paths in listed])
    files = tuple(path.relative_to(root).as_posix() for paths in listed for path in paths)
    return tuple(folder.name for folder in folders), files, labels


def _members(archive: tarfile.TarFile) -> Iterator[tuple[str, str, str, IO[bytes]]]:
    for member in archive:
        parts = member.name.split("/")
        is_picture = member.isfile() and Path(member.name).suffix.lower() in SUFFIXES
        file = archive.extractfile(member) if is_picture else None
        if file is not None and len(parts) >= 3 and parts[-3] in ("train", "test"):
            yield parts[-3], parts[-2], member.name, file


def _in_memory(archive: str, items: Sequence[tuple[str, str, Pixels]], names: tuple[str, ...]) -> _Labelled:
    for label, name, _ in items:
        if label not in names:
            raise InvalidData(f"{archive} has {name}, a class without training pictures.")
    labels = np.array([names.index(label) for label, _, _ in items], dtype=np.int64)
    return _Labelled(ArrayPictures(np.stack([pixels for _, _, pixels in items])), labels)


def _place(item: tuple[str, str, Pixels]) -> str:
    return item[1]
