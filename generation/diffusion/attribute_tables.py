"""Pictures with attributes, each yes or no: a folder and a table, as CelebA comes.

The table is a .csv whose first column names the files and whose other columns are 0/1 or -1/1, or CelebA's own
list_attr_celeba.txt: a line with the count, a line with the attributes' names, and columns parted by blanks.
"""

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from generation.diffusion.datasets import DataSet
from generation.diffusion.image_data import PLAIN, TENTH, Augmentation, Labels, Split, attribute_folder
from generation.diffusion.pictures import SUFFIXES, InvalidData

_VALUES = {"1": 1, "0": 0, "-1": 0}


def attribute_table(
    root: Path,
    table: Path,
    *,
    image_size: int,
    seed: int,
    held_out: Split = TENTH,
    augmentation: Augmentation = PLAIN,
) -> DataSet:
    """The pictures of a folder that a table names, with their attributes. Raises InvalidData with file and row."""
    names, files, attributes = read_table(table)
    if not root.is_dir():
        raise InvalidData(f"There is no folder {root.name}.")
    there = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.suffix.lower() in SUFFIXES}
    for row, file in files.items():
        if file not in there:
            raise InvalidData(f"{table.name}, row {row}: {root.name} has no picture {file!r}.")
    return attribute_folder(
        root,
        list(files.values()),
        attributes,
        names=names,
        image_size=image_size,
        seed=seed,
        held_out=held_out,
        augmentation=augmentation,
    )


def read_table(table: Path) -> tuple[tuple[str, ...], dict[int, str], Labels]:
    """The attributes' names, the files by row (counted from 1, as editors do), and int64 [N, K] of 0 and 1."""
    rows = _rows(table)
    try:
        names = tuple(next(rows)[1][1:])
    except StopIteration:
        raise InvalidData(f"{table.name} is empty.") from None
    if not names or len(set(names)) < len(names):
        raise InvalidData(f"{table.name} needs a first line of distinct attribute names after the file column.")
    files: dict[int, str] = {}
    values: list[list[int]] = []
    for row, cells in rows:
        files[row] = cells[0]
        values.append(_values(cells, names, where=f"{table.name}, row {row}"))
    if not files:
        raise InvalidData(f"{table.name} names no pictures.")
    return names, files, np.array(values, dtype=np.int64)


def _values(cells: list[str], names: tuple[str, ...], *, where: str) -> list[int]:
    if len(cells) != len(names) + 1:
        raise InvalidData(f"{where}: {len(cells) - 1} values for {len(names)} attributes.")
    for name, cell in zip(names, cells[1:], strict=True):
        if cell.strip() not in _VALUES:
            raise InvalidData(f"{where}: {name} is {cell!r}, not 0, 1 or -1.")
    return [_VALUES[cell.strip()] for cell in cells[1:]]


def _rows(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Row numbers and cells, the header first."""
    try:
        with table.open(newline="", encoding="utf-8-sig") as file:
            if table.suffix.lower() == ".txt":
                yield from _celeba_rows(table.name, file)
            else:
                reader = csv.reader(file)
                yield from ((reader.line_num, cells) for cells in reader if cells)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidData(f"{table.name} can't be read as a table: {error}.") from error


def _celeba_rows(name: str, lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    for row, line in enumerate(lines, start=1):
        if row == 1:
            if not line.strip().isdigit():
                raise InvalidData(f"{name}, row 1: a .txt table starts with the number of its pictures, as CelebA's.")
        elif row == 2:
            yield row, ["file", *line.split()]
        elif line.strip():
            yield row, line.split()
