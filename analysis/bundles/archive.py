"""Zips: written so that equal content gives equal bytes, read so that a hostile one does no harm."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import BinaryIO, TextIO

from analysis.bundles.verdict import UnreadableBundle

Target = str | PathLike[str] | BinaryIO

CHECKSUMS = "checksums.txt"
TABLES = ("comparisons.csv", "votes.csv")
REQUIRED = ("study.json", "plan.json", *TABLES, "report.json", "versions.json", CHECKSUMS)
# Five million votes fill some 500 MB. What says that it holds more is refused before anything is unpacked.
MOST_MEMBERS = 1000
MOST_BYTES = 1 << 30
MOST_BYTES_IN_MEMORY = 64 << 20
AT_A_TIME = 1 << 20

# The first moment that a zip can name: when a bundle was made is no part of what it holds.
EPOCH = (1980, 1, 1, 0, 0, 0)
READABLE_FILE = 0o100644 << 16
UNIX = 3
ENCRYPTED = 1


class BundleWriter:
    """Adds members in the order of the calls, and their checksums last."""

    def __init__(self, target: Target) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
        self._sums: list[tuple[str, str]] = []

    def add(self, name: str, content: str | bytes) -> None:
        """Add one member; text is written as UTF-8."""
        self.add_file(name, io.BytesIO(content.encode() if isinstance(content, str) else content))

    def add_file(self, name: str, source: BinaryIO) -> None:
        """Add one member from an open file, read from where it stands."""
        digest = hashlib.sha256()
        with self._zip.open(_entry(name), "w", force_zip64=name in TABLES) as member:
            while block := source.read(AT_A_TIME):
                digest.update(block)
                member.write(block)
        self._sums.append((name, digest.hexdigest()))

    def close(self) -> None:
        """Write the checksums, in the form that `sha256sum --check` reads, and end the zip."""
        self._zip.writestr(_entry(CHECKSUMS), "".join(f"{digest}  {name}\n" for name, digest in self._sums))
        self._zip.close()


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, UNIX, READABLE_FILE
    return entry


class BundleFiles:
    """The members of a bundle that was found fit to be read."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._zip = archive
        self.names = tuple(archive.namelist())

    def text(self, name: str) -> str:
        """A member's text. Raises UnreadableBundle where it is damaged, too long to hold, or not UTF-8."""
        if self._zip.getinfo(name).file_size > MOST_BYTES_IN_MEMORY:
            raise UnreadableBundle(f"{name} says it is larger than {MOST_BYTES_IN_MEMORY >> 20} MB; no bundle's is")
        with self.stream(name) as stream:
            return stream.read()

    @contextmanager
    def stream(self, name: str) -> Iterator[TextIO]:
        """Open a member as text with its line ends as they are. Errors as `text`."""
        with _damage_named(name), io.TextIOWrapper(self._zip.open(name), encoding="utf-8", newline="") as stream:
            yield stream

    def sha256(self, name: str) -> str:
        """The checksum of a member's content. Raises UnreadableBundle where it is damaged."""
        digest = hashlib.sha256()
        with _damage_named(name), self._zip.open(name) as member:
            while block := member.read(AT_A_TIME):
                digest.update(block)
        return digest.hexdigest()


@contextmanager
def opened_bundle(path: str | PathLike[str]) -> Iterator[BundleFiles]:
    """Open a bundle; raise UnreadableBundle where it is no zip, not a whole bundle, or larger than any.

    Raises OSError where there is no such file. Nothing is unpacked to disk, so names of members lead nowhere.
    """
    with Path(path).open("rb") as file:
        try:
            archive = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
            raise UnreadableBundle(f"the file is not a readable zip: {error}") from error
        with archive:
            _check(archive.infolist())
            yield BundleFiles(archive)


def _check(entries: list[zipfile.ZipInfo]) -> None:
    names = [entry.filename for entry in entries]
    if missing := [name for name in REQUIRED if name not in names]:
        raise UnreadableBundle(f"the zip is not a whole results bundle: it lacks {', '.join(missing)}")
    if len(names) > MOST_MEMBERS or len(set(names)) < len(names):
        raise UnreadableBundle(f"the zip holds {len(names)} files, more than {MOST_MEMBERS} or one name twice")
    if (size := sum(entry.file_size for entry in entries)) > MOST_BYTES:
        raise UnreadableBundle(f"the zip says that it holds {size >> 20} MB; the most a bundle may is 1024")
    readable = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    for entry in entries:
        if entry.flag_bits & ENCRYPTED or entry.compress_type not in readable:
            raise UnreadableBundle(f"{entry.filename} is encrypted or compressed in a way that no bundle is")


@contextmanager
def _damage_named(name: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError as error:
        raise UnreadableBundle(f"{name} is not UTF-8 text (byte {error.start})") from error
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise UnreadableBundle(f"{name} is damaged: {error}") from error
