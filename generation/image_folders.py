"""A zip of images with `metadata.csv` or `metadata.jsonl`, in the Hugging Face ImageFolder convention.

Columns: `file_name` (relative to the metadata file), `arm`, `label`, `seed`; others are ignored.
"""

import csv
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import PurePosixPath
from typing import Any

import numpy as np
import PIL.Image
import PIL.ImageOps

from generation.archives import check_path, read_member
from generation.images import Pixels
from generation.stimuli import LARGEST_SEED, MOST_IMAGES, MOST_PIXELS, InvalidUpload, Source, Stimulus, check_name

METADATA = ("metadata.csv", "metadata.jsonl")
COLUMNS = ("file_name", "arm", "label", "seed")
SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff"}
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr"}
LARGEST_FILE = 64 * 2**20
LARGEST_METADATA = 64 * 2**20

BOMBS = (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning)
# What Pillow's decoders raise on damaged files.
UNDECODABLE = (OSError, SyntaxError, ValueError, EOFError, struct.error, zlib.error)


@dataclass(frozen=True)
class Row:
    """One line of the metadata, its values checked one by one."""

    file_name: str
    arm: str
    label: str
    seed: int
    where: str


def read_image_folder(archive: zipfile.ZipFile, *, name: str) -> Source:
    """Read and check the metadata; images are decoded when they are asked for."""
    metadata = _metadata(archive, name=name)
    rows = [_row(where, values, folder=metadata.parent) for where, values in _lines(archive, metadata)]
    if len(rows) > MOST_IMAGES:
        raise InvalidUpload(f"{metadata.name} names {len(rows)} images; the most is {MOST_IMAGES}.")
    _check_files(rows, archive, metadata=metadata)
    table = dict(enumerate(sorted({row.label for row in rows})))
    index_of = {label: index for index, label in table.items()}
    stimuli = [Stimulus(row.arm, index_of[row.label], row.label, row.seed, row.where, row.file_name) for row in rows]
    return Source(stimuli, table, _pixels(archive, rows))


def _metadata(archive: zipfile.ZipFile, *, name: str) -> PurePosixPath:
    paths = [PurePosixPath(path) for path in _files(archive)]
    found = [path for path in paths if path.name in METADATA and len(path.parts) <= 2]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidUpload(f"{name} has more than one metadata file ({', '.join(map(str, found))}); keep one.")
    raise InvalidUpload(f"{name} has no metadata.csv or metadata.jsonl beside its images.")


def _lines(archive: zipfile.ZipFile, metadata: PurePosixPath) -> Iterator[tuple[str, Mapping[str, object]]]:
    data = read_member(archive, str(metadata), where=metadata.name, most_bytes=LARGEST_METADATA)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = data.count(b"\n", 0, error.start) + 1
        raise InvalidUpload(f"{metadata.name}, row {row}: is not UTF-8 text; save the file as UTF-8.") from error
    return _csv_lines(text) if metadata.suffix == ".csv" else _jsonl_lines(text)


def _csv_lines(text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    reader = csv.DictReader(StringIO(text, newline=""), strict=True)
    try:
        _check_columns(reader.fieldnames or (), where="metadata.csv, row 1")
        for values in reader:
            where = f"metadata.csv, row {reader.line_num}"
            # DictReader's marks of a row with too many or too few cells.
            if None in values or None in values.values():
                raise InvalidUpload(f"{where}: has another number of cells than the first row.")
            yield where, values
    except csv.Error as error:
        raise InvalidUpload(f"metadata.csv, row {reader.reader.line_num}: is not readable as CSV ({error}).") from error


def _jsonl_lines(text: str) -> Iterator[tuple[str, Mapping[str, object]]]:
    # Not splitlines: JSON text may hold other line separators.
    for number, line in enumerate(text.split("\n"), start=1):
        where = f"metadata.jsonl, row {number}"
        if not line.strip():
            continue
        try:
            values = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise InvalidUpload(f"{where}: is not readable as JSON.") from error
        if not isinstance(values, dict):
            raise InvalidUpload(f"{where}: is not an object with {', '.join(COLUMNS)}.")
        _check_columns(values, where=where)
        yield where, values


def _check_columns(names: Sequence[str] | Mapping[str, Any], *, where: str) -> None:
    for column in COLUMNS:
        if column not in names:
            raise InvalidUpload(f'{where}: there is no column "{column}"; needed are {", ".join(COLUMNS)}.')


def _row(where: str, values: Mapping[str, object], *, folder: PurePosixPath) -> Row:
    label = _text(values["label"], where=where, column="label")
    if not label or len(label) > 200:
        raise InvalidUpload(f"{where}: the label is {'too long' if label else 'empty'}; write what raters are to read.")
    path = check_path(_text(values["file_name"], where=where, column="file_name"), where=where)
    return Row(
        file_name=str(folder / path),
        arm=check_name(_text(values["arm"], where=where, column="arm"), where=where),
        label=label,
        seed=_seed(values["seed"], where=where),
        where=where,
    )


def _text(value: object, *, where: str, column: str) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise InvalidUpload(f'{where}: "{column}" is not a text.')
    return str(value).strip()


def _seed(value: object, *, where: str) -> int:
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) <= 19 and int(text) <= LARGEST_SEED:
        return int(text)
    raise InvalidUpload(f'{where}: seed "{text[:40]}" is not a whole number from 0 to 2^63 - 1.')


def _check_files(rows: Sequence[Row], archive: zipfile.ZipFile, *, metadata: PurePosixPath) -> None:
    files = set(_files(archive))
    named: dict[str, Row] = {}
    for row in rows:
        if row.file_name not in files:
            raise InvalidUpload(f'{row.where}: "{row.file_name}" is not in the archive.')
        if (first := named.get(row.file_name)) is not None:
            raise InvalidUpload(f'{row.where}: "{row.file_name}" was named before ({first.where}).')
        named[row.file_name] = row
    for path in sorted(files - named.keys()):
        if PurePosixPath(path).suffix.lower() in SUFFIXES:
            raise InvalidUpload(f'"{path}" is in the archive, but no row of {metadata.name} names it.')


def _files(archive: zipfile.ZipFile) -> Iterator[str]:
    # macOS adds a shadow file for every file it packs.
    for entry in archive.infolist():
        if not entry.is_dir() and not entry.filename.startswith("__MACOSX/"):
            yield entry.filename


def _pixels(archive: zipfile.ZipFile, rows: Sequence[Row]) -> Iterator[Pixels]:
    for row in rows:
        data = read_member(archive, row.file_name, where=row.where, most_bytes=LARGEST_FILE)
        yield _decoded(data, where=f'{row.where}: "{row.file_name}"')


def _decoded(data: bytes, *, where: str) -> Pixels:
    try:
        with PIL.Image.open(BytesIO(data), formats=FORMATS) as image:
            # Before the pixels are decoded: the header alone tells how many there will be.
            if image.width * image.height > MOST_PIXELS:
                raise InvalidUpload(f"{where} has {image.width} x {image.height} pixels; the most is {MOST_PIXELS}.")
            if image.mode not in MODES or getattr(image, "n_frames", 1) > 1:
                raise InvalidUpload(f"{where} is not one picture with 8 bits a channel ({image.mode}).")
            return _flat(image)
    except BOMBS as error:
        raise InvalidUpload(f"{where} has more than {MOST_PIXELS} pixels.") from error
    except UNDECODABLE as error:
        raise InvalidUpload(f"{where} is not a whole PNG, JPEG, WebP or BMP picture.") from error


def _flat(image: PIL.Image.Image) -> Pixels:
    # As a viewer would show it: turned the way the camera was held, transparency on white.
    upright = PIL.ImageOps.exif_transpose(image)
    if upright.has_transparency_data:
        canvas = PIL.Image.new("RGBA", upright.size, "white")
        upright = PIL.Image.alpha_composite(canvas, upright.convert("RGBA"))
    return np.asarray(upright.convert("RGB"), dtype=np.uint8)
