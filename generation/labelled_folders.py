"""Folders of images with one folder for each class, named like the class."""

from collections.abc import Sequence
from pathlib import Path

SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}


class InvalidFolder(Exception):
    """The folder does not hold what it should; the message says what it should."""


def labels_of(folder: Path) -> list[str]:
    """Return the names of the folders in it that hold images, sorted. Raises InvalidFolder if there are none."""
    if not folder.is_dir():
        raise InvalidFolder(f'"{folder}" is not a folder on this machine.')
    labels = sorted(path.name for path in folder.iterdir() if path.is_dir() and _images(path))
    if not labels:
        raise InvalidFolder(f'"{folder}" has no folders with images in them; make one for each class, named like it.')
    return labels


def files_of(folder: Path, labels: Sequence[str]) -> list[tuple[str, Path]]:
    """Return the images of these classes with their class, the first of every class first, then the second."""
    by_label = [[(label, path) for path in _images(folder / label)] for label in labels]
    longest = max(map(len, by_label), default=0)
    return [files[i] for i in range(longest) for files in by_label if i < len(files)]


def _images(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
