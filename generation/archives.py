"""Zip files from elsewhere: looked through before anything is read, never unpacked under their own names."""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import IO

from generation.stimuli import InvalidUpload, Upload

MOST_FILES = 100_000
MOST_BYTES = 8 * 2**30
# Deflate cannot pass 1032; a photograph stays under 2, and arrays of flat pictures reach a few hundred.
HIGHEST_RATIO = 200
SMALL_BYTES = 2**20

BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError)


@contextmanager
def opened(upload: Upload) -> Iterator[zipfile.ZipFile]:
    """Open an archive whose listing promises no harm, or raise InvalidUpload."""
    try:
        archive = zipfile.ZipFile(upload.file)
    except BROKEN as error:
        raise InvalidUpload(f"{upload.name} is not a readable zip file: truncated, or of another type.") from error
    with archive:
        _check_listing(archive, name=upload.name)
        yield archive


def check_path(path: str, *, where: str) -> PurePosixPath:
    """Return a path that stays inside its folder, or raise InvalidUpload."""
    parts = PurePosixPath(path)
    if not path.strip() or parts.is_absolute() or ".." in parts.parts or "\\" in path or "\0" in path:
        raise InvalidUpload(f'{where}: "{path[:200]}" does not stay inside the archive; use a plain relative path.')
    return parts


def read_member(archive: zipfile.ZipFile, name: str, *, where: str, most_bytes: int) -> bytes:
    """Return one file's bytes; its size and checksum are verified on the way."""
    if archive.getinfo(name).file_size > most_bytes:
        raise InvalidUpload(f'{where}: "{name}" is larger than {most_bytes // 2**20} MB.')
    with readable(where=where, name=name), archive.open(name) as file:
        return file.read()


@contextmanager
def readable(*, where: str, name: str) -> Iterator[None]:
    """Turn whatever a damaged member raises while it is read into one sentence."""
    try:
        yield
    except BROKEN as error:
        raise InvalidUpload(f'{where}: "{name}" cannot be read; the archive is damaged or encrypted.') from error


def read_exactly(file: IO[bytes], n_bytes: int) -> bytes:
    """Return the next bytes, or raise EOFError."""
    data = file.read(n_bytes)
    if len(data) < n_bytes:
        raise EOFError(f"{n_bytes - len(data)} bytes are missing.")
    return data


def _check_listing(archive: zipfile.ZipFile, *, name: str) -> None:
    entries = archive.infolist()
    if len(entries) > MOST_FILES:
        raise InvalidUpload(f"{name} holds {len(entries)} files; the most is {MOST_FILES}.")
    seen: set[str] = set()
    for entry in entries:
        where = f"{name}, entry {entry.filename[:200]!r}"
        check_path(entry.filename, where=where)
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise InvalidUpload(f"{where}: a symbolic link; pack the file itself.")
        if entry.filename in seen:
            raise InvalidUpload(f"{where}: is in the archive twice; keep one.")
        if entry.file_size > max(SMALL_BYTES, HIGHEST_RATIO * entry.compress_size):
            raise InvalidUpload(f"{where}: unpacks from {entry.compress_size} to {entry.file_size} bytes; refused.")
        seen.add(entry.filename)
    if (total := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise InvalidUpload(f"{name} would unpack to {total / 2**30:.0f} GB; the most is {MOST_BYTES // 2**30}.")
