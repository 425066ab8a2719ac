"""What one served image is besides its pixels: kind of file, texts in it, encoder, what follows its end."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import PIL.Image

from generation.images import encode_png

SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Of what follows the picture and of other chunks, as much as a telling mark needs.
SHOWN = 64
KNOWN_CHUNKS = (b"IHDR", b"IDAT", b"IEND")


@dataclass(frozen=True)
class FileFacts:
    """A served file, taken apart.

    kind: format, bits, colour type, interlacing and the stream's header. extras: chunks that hold no pixels.
    beyond_pixels: bytes more than this house's encoder needs for the same pixels; 0 and `is_own`: its very bytes.
    tail: what follows the picture, as zeros, as the other file's end, or its first bytes.
    """

    kind: str
    width: int
    height: int
    extras: str
    beyond_pixels: int
    is_own: bool
    n_picture: int
    tail: str


def facts_of(data: bytes, *, other: bytes) -> FileFacts:
    """Take a served file apart; `other` is the other image of its pair. A file that is no PNG keeps its beginning."""
    if not data.startswith(SIGNATURE):
        return FileFacts(f"no PNG: {data[:12]!r}", 0, 0, "", len(data), False, len(data), "")
    chunks = list(_chunks(data))
    n_picture = len(SIGNATURE) + sum(12 + len(body) for _name, body in chunks)
    width, height, *header = struct.unpack(">IIBBBBB", chunks[0][1][:13])
    own = _encoded_again(data)
    stream = next((body[:2] for name, body in chunks if name == b"IDAT"), b"")
    return FileFacts(
        kind=f"PNG, depth, colour, compression, filter, interlace {header}, stream {stream.hex()}",
        width=width,
        height=height,
        extras=" ".join(f"{name!r} {body[:SHOWN]!r}" for name, body in chunks if name not in KNOWN_CHUNKS),
        beyond_pixels=n_picture - len(own),
        is_own=data[:n_picture] == own,
        n_picture=n_picture,
        tail=_tail(data, n_picture, other=other),
    )


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield name and content of each chunk up to IEND."""
    at, name = len(SIGNATURE), b""
    while name != b"IEND" and at + 8 <= len(data):
        length, name = struct.unpack(">I4s", data[at : at + 8])
        yield name, data[at + 8 : at + 8 + length]
        at += 12 + length


def _encoded_again(data: bytes) -> bytes:
    with PIL.Image.open(BytesIO(data)) as image:
        return encode_png(np.asarray(image.convert("RGB"), dtype=np.uint8)).data


def _tail(data: bytes, n_picture: int, *, other: bytes) -> str:
    tail = data[n_picture:]
    if not tail:
        return ""
    if not tail.strip(b"\0"):
        return "zeros"
    return "the other's end" if other.endswith(tail) else repr(tail[:SHOWN])
