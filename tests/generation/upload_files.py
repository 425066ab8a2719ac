"""Archives and arrays to upload, good ones and ones that are wrong in one way each."""

import csv
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from io import BytesIO, StringIO

import numpy as np
import PIL.Image
from numpy.typing import NDArray

from generation.stimuli import Upload

COLUMNS = ("file_name", "arm", "label", "seed")
Row = Sequence[object]

# Two arms, two classes, two seeds: rows 2 to 9 of metadata.csv.
ROWS: tuple[Row, ...] = tuple(
    (f"{arm}/{label}-{seed}.png", arm, label, seed)
    for arm in ("old", "new")
    for label in ("cat", "dog")
    for seed in (0, 7)
)


def picture(colour: Sequence[int] = (200, 30, 30), *, size: tuple[int, int] = (8, 6), kind: str = "PNG") -> bytes:
    """Return an encoded picture of one colour, width x height."""
    buffer = BytesIO()
    PIL.Image.new("RGB", size, tuple(colour)).save(buffer, kind)
    return buffer.getvalue()


def csv_text(rows: Iterable[Row], *, columns: Sequence[str] = COLUMNS, newline: str = "\n") -> str:
    """Return rows as CSV."""
    text = StringIO(newline="")
    writer = csv.writer(text, lineterminator=newline)
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()


def jsonl_text(rows: Iterable[Row]) -> str:
    """Return rows as JSON lines."""
    return "".join(json.dumps(dict(zip(COLUMNS, row, strict=True))) + "\n" for row in rows)


def zip_of(files: Mapping[str | zipfile.ZipInfo, bytes | str], *, name: str = "pairs.zip") -> Upload:
    """Pack files."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in files.items():
            archive.writestr(path, data)
    buffer.seek(0)
    return Upload(name, buffer)


def folder_files(
    rows: Sequence[Row] = ROWS, *, folder: str = "", pictures: Mapping[str, bytes] | None = None
) -> dict[str | zipfile.ZipInfo, bytes | str]:
    """Return a good folder's files: metadata.csv and a picture a row, but for those given."""
    files: dict[str | zipfile.ZipInfo, bytes | str] = {
        f"{folder}{row[0]}": (pictures or {}).get(str(row[0]), picture((20 * at, 0, 0))) for at, row in enumerate(rows)
    }
    files[f"{folder}metadata.csv"] = csv_text(rows)
    return files


def npz_of(name: str, images: NDArray[np.generic], labels: NDArray[np.generic], *, arm: str = "") -> Upload:
    """Write arrays as samplers do."""
    buffer = BytesIO()
    np.savez(buffer, images, labels)
    buffer.seek(0)
    return Upload(name, buffer, arm)


def samples(n: int = 4, *, shade: int = 0, size: int = 8) -> NDArray[np.uint8]:
    """Return n images, each of another shade."""
    return np.stack([np.full((size, size, 3), shade + at, dtype=np.uint8) for at in range(n)])


LABELS = np.array([7, 7, 3, 7])
