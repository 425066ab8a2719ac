"""One `.npz` an arm, as the reference samplers write it: `arr_0` uint8 [N, H, W, 3], `arr_1` integer labels [N].

Read as a stream, one image at a time, and never through pickle. Images of one position make a pair: the position is
the seed, and the labels of all arms must agree there.
"""

import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePath
from typing import IO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from generation.archives import opened, read_exactly, readable
from generation.images import Pixels
from generation.stimuli import MOST_IMAGES, MOST_PIXELS, InvalidUpload, Source, Stimulus, Upload, check_name


@dataclass(frozen=True)
class Header:
    """What an array says of itself before its numbers."""

    shape: tuple[int, ...]
    dtype: np.dtype[np.generic]


@dataclass(frozen=True)
class Samples:
    """One arm's file, opened and described."""

    name: str
    arm: str
    archive: zipfile.ZipFile
    images: Header
    labels: NDArray[np.int64]


def read_sample_arrays(uploads: Sequence[Upload], *, class_texts: Sequence[str], files: ExitStack) -> Source:
    """Describe all files and match them by position; images are read when they are asked for."""
    arms = [_described(upload, files.enter_context(opened(upload))) for upload in uploads]
    for arm in arms[1:]:
        _check_match(arm, arms[0])
    table = {int(index): _text(int(index), class_texts) for index in np.unique(arms[0].labels)}
    stimuli = [
        Stimulus(arm.arm, int(index), table[int(index)], seed, f"{arm.name}, row {seed}", f"{arm.name}[{seed}]")
        for arm in arms
        for seed, index in enumerate(arm.labels)
    ]
    return Source(stimuli, table, (pixels for arm in arms for pixels in _pixels(arm)))


def _described(upload: Upload, archive: zipfile.ZipFile) -> Samples:
    name = upload.name
    for member in ("arr_0.npy", "arr_1.npy"):
        if member not in archive.namelist():
            raise InvalidUpload(f"{name} has no {member[:-4]}; it needs arr_0 (images) and arr_1 (labels).")
    with readable(where=name, name="arr_0"), archive.open("arr_0.npy") as file:
        images = _header(file, where=f"{name}, arr_0")
    with readable(where=name, name="arr_1"), archive.open("arr_1.npy") as file:
        labels = _labels(file, where=f"{name}, arr_1")
    if len(images.shape) != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise InvalidUpload(f"{name}, arr_0: is {images.dtype} {images.shape}; it must be uint8 [N, height, width, 3].")
    count, height, width, _ = images.shape
    if not 0 < height * width <= MOST_PIXELS:
        raise InvalidUpload(f"{name}, arr_0: has {width} x {height} pixels an image; the most is {MOST_PIXELS}.")
    if len(labels) != count:
        raise InvalidUpload(f"{name}: arr_0 has {count} images, arr_1 {len(labels)} labels.")
    return Samples(name, check_name(upload.arm or PurePath(name).stem, where=name), archive, images, labels)


def _header(file: IO[bytes], *, where: str) -> Header:
    try:
        version = npy.read_magic(file)
        read = {(1, 0): npy.read_array_header_1_0, (2, 0): npy.read_array_header_2_0}[version]
        shape, is_fortran, dtype = read(file)
    except (ValueError, KeyError) as error:
        raise InvalidUpload(f"{where}: is not an array that numpy wrote.") from error
    if is_fortran and len(shape) > 1:
        raise InvalidUpload(f"{where}: is stored column by column; save np.ascontiguousarray of it.")
    if not shape or shape[0] > MOST_IMAGES:
        raise InvalidUpload(f"{where}: has shape {shape}; from 1 to {MOST_IMAGES} images can be read.")
    return Header(shape, dtype)


def _labels(file: IO[bytes], *, where: str) -> NDArray[np.int64]:
    header = _header(file, where=where)
    if len(header.shape) != 1 or not np.issubdtype(header.dtype, np.integer):
        raise InvalidUpload(f"{where}: is {header.dtype} {header.shape}; it must be a list of whole numbers.")
    data = read_exactly(file, header.shape[0] * header.dtype.itemsize)
    labels = np.frombuffer(data, dtype=header.dtype).astype(np.int64)
    if (wrong := np.flatnonzero((labels < 0) | (labels > 2**31 - 1))).size:
        raise InvalidUpload(f"{where}, row {wrong[0]}: label {labels[wrong[0]]} is not a class index.")
    return labels


def _check_match(arm: Samples, first: Samples) -> None:
    if arm.arm == first.arm:
        raise InvalidUpload(f'{arm.name}: arm "{arm.arm}" was named before ({first.name}); give each file its own.')
    if arm.images.shape[1:] != first.images.shape[1:]:
        raise InvalidUpload(
            f"{arm.name}, row 0: images are {arm.images.shape[1:]}, in {first.name} {first.images.shape[1:]}; "
            "sizes must agree within a pair."
        )
    if len(arm.labels) != len(first.labels):
        fewer, more = sorted((arm, first), key=lambda samples: len(samples.labels))
        raise InvalidUpload(
            f"{more.name}, row {len(fewer.labels)}: has no partner; {fewer.name} ends after {len(fewer.labels)} images."
        )
    if (wrong := np.flatnonzero(arm.labels != first.labels)).size:
        row = wrong[0]
        raise InvalidUpload(
            f"{arm.name}, row {row}: label {arm.labels[row]}, but {first.labels[row]} in {first.name}; "
            "labels must agree position by position."
        )


def _text(class_index: int, class_texts: Sequence[str]) -> str:
    if not class_texts:
        return f"class {class_index}"
    if class_index >= len(class_texts):
        raise InvalidUpload(f"Label {class_index} has no text: the list of classes has {len(class_texts)} lines.")
    return class_texts[class_index]


def _pixels(arm: Samples) -> Iterator[Pixels]:
    size = int(np.prod(arm.images.shape[1:]))
    with arm.archive.open("arr_0.npy") as file:
        _header(file, where=arm.name)
        for row in range(arm.images.shape[0]):
            with readable(where=f"{arm.name}, row {row}", name="arr_0"):
                data = read_exactly(file, size)
            yield np.frombuffer(data, dtype=np.uint8).reshape(arm.images.shape[1:])
