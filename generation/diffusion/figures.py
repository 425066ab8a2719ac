"""Pictures of pictures: contact sheets, and grids with their captions.

Letters are DejaVu Sans, which comes with matplotlib: a figure looks the same wherever it is drawn.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path

import matplotlib
import numpy as np
import numpy.typing as npt
from matplotlib.ft2font import FT2Font
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from torch import Tensor

Pixels = npt.NDArray[np.uint8]
GREY = 128
INK, FRAME, PAPER = (25, 25, 25), (200, 200, 200), (255, 255, 255)
FONT = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
UNKNOWN = "□"

# In pixels of the finished picture.
CELL = 128
LETTER, LINE, GAP, MARGIN, BLOCK_GAP = 15, 19, 6, 12, 18
LABEL_LETTERS, LABEL_LINES, HEAD_LINES = 22, 4, 3


@dataclass(frozen=True)
class Cell:
    """A picture, uint8 [H, W, 3], and the lines below it."""

    pixels: Pixels
    caption: str = ""


@dataclass(frozen=True, kw_only=True)
class Row:
    """Cells under the same heads, and what they have in common. None leaves a place empty."""

    label: str
    cells: Sequence[Cell | None]
    starts_block: bool = False
    """Whether there is more space above it."""


def contact_sheet(rows: Sequence[Pixels], *, gap: int = 2, zoom: int = 1) -> Pillow.Image:
    """Rows of images, each uint8 [N, H, W, 3] of one N and size, on grey, `gap` px apart, enlarged `zoom` times."""
    bordered = [np.concatenate([_bordered(image, gap) for image in row], axis=1) for row in rows]
    sheet = Pillow.fromarray(np.concatenate(bordered, axis=0))
    size = (sheet.width * zoom, sheet.height * zoom)
    return sheet.resize(size, Pillow.Resampling.NEAREST)


def picture_grid(rows: Sequence[Row], *, heads: Sequence[str], note: str = "") -> Pillow.Image:
    """Rows with their labels on the left, under column heads (lines divided by line feeds), the note at the bottom.

    Pictures are enlarged by a whole number, so that a pixel stays a square, and not at all from 128 px on.
    """
    cell = _cell_size(rows)
    layout = _Layout(rows, heads=[_fitted(head, cell[0]) for head in heads], cell=cell)
    note_lines = _wrapped_to(note, layout.width - 2 * MARGIN) if note else []
    size = (layout.width, layout.height + LINE * len(note_lines) + (GAP if note_lines else 0))
    sheet = Pillow.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    layout.paint(sheet, pen)
    for i, line in enumerate(note_lines):
        pen.text((MARGIN, layout.height - MARGIN + GAP + i * LINE), line, fill=INK, font=_font())
    return sheet


def min_max(gradients: Tensor) -> Pixels:
    """Each image of [N, 3, H, W] stretched to 0..255, uint8 [N, H, W, 3]; a constant one is mid-grey."""
    flat = gradients.double().flatten(1)
    low, high = flat.min(dim=1).values, flat.max(dim=1).values
    span = (high - low).where(high > low, 1.0)
    shares = ((flat - low[:, None]) / span[:, None]).where((high > low)[:, None], 0.5)
    pixels = shares.mul(255).round().view(gradients.shape).permute(0, 2, 3, 1)
    return pixels.cpu().numpy().astype(np.uint8)


def png_bytes(picture: Pillow.Image) -> bytes:
    """The picture as a PNG that holds nothing but its pixels."""
    buffer = BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def printable(text: str) -> str:
    """The text with a box for every letter that the font does not have."""
    return "".join(letter if letter.isspace() or ord(letter) in _letters() else UNKNOWN for letter in text)


class _Layout:
    """Where everything is, in pixels."""

    def __init__(self, rows: Sequence[Row], *, heads: Sequence[Sequence[str]], cell: tuple[int, int]) -> None:
        self.rows, self.heads, self.cell = rows, heads, cell
        self.labels = [_label_lines(row.label) for row in rows]
        widest = max((_width(line) for lines in self.labels for line in lines), default=0)
        self.left = MARGIN + (widest + 2 * GAP if widest else 0)
        self.top = MARGIN + LINE * max((len(head) for head in heads), default=0)
        self.tops: list[int] = []
        y = self.top
        for row in rows:
            y += BLOCK_GAP if row.starts_block and self.tops else 0
            self.tops.append(y)
            captions = [drawn.caption.split("\n") for drawn in row.cells if drawn is not None and drawn.caption]
            y += cell[1] + GAP + LINE * min(max(map(len, captions), default=0), HEAD_LINES)
        columns = max((len(row.cells) for row in rows), default=0)
        self.width = self.left + columns * (cell[0] + GAP) - GAP + MARGIN
        self.height = y - GAP + MARGIN

    def paint(self, sheet: Pillow.Image, pen: ImageDraw.ImageDraw) -> None:
        for column, head in enumerate(self.heads):
            x = self._x(column) + self.cell[0] // 2
            for i, line in enumerate(head):
                # Heads stand on the pictures, whatever their number of lines.
                y = self.top - LINE * (len(head) - i)
                pen.text((x, y), line, fill=INK, font=_font(), anchor="ma")
        for row, lines, top in zip(self.rows, self.labels, self.tops, strict=True):
            middle = top + (self.cell[1] - LINE * len(lines)) // 2
            for i, line in enumerate(lines):
                pen.text((self.left - 2 * GAP, middle + i * LINE), line, fill=INK, font=_font(), anchor="ra")
            for column, cell in enumerate(row.cells):
                if cell is not None:
                    self._paint_cell(sheet, pen, cell, at=(self._x(column), top))

    def _paint_cell(self, sheet: Pillow.Image, pen: ImageDraw.ImageDraw, cell: Cell, *, at: tuple[int, int]) -> None:
        picture = _enlarged(cell.pixels)
        x, y = at
        left, top = x + (self.cell[0] - picture.width) // 2, y + (self.cell[1] - picture.height) // 2
        sheet.paste(picture, (left, top))
        # Around the pixels, not over them: where a white picture ends on white paper.
        pen.rectangle((left - 1, top - 1, left + picture.width, top + picture.height), outline=FRAME)
        for i, line in enumerate(_fitted(cell.caption, self.cell[0]) if cell.caption else ()):
            at_line = (x + self.cell[0] // 2, y + self.cell[1] + 2 + i * LINE)
            pen.text(at_line, line, fill=INK, font=_font(), anchor="ma")

    def _x(self, column: int) -> int:
        return self.left + column * (self.cell[0] + GAP)


def _cell_size(rows: Sequence[Row]) -> tuple[int, int]:
    pictures = [_enlarged(cell.pixels) for row in rows for cell in row.cells if cell is not None]
    return max((p.width for p in pictures), default=CELL), max((p.height for p in pictures), default=CELL)


def _enlarged(pixels: Pixels) -> Pillow.Image:
    height, width, _ = pixels.shape
    zoom = max(1, CELL // max(height, width))
    picture = Pillow.fromarray(np.ascontiguousarray(pixels))
    return picture.resize((width * zoom, height * zoom), Pillow.Resampling.NEAREST)


def _label_lines(label: str) -> list[str]:
    paragraphs = printable(label).split("\n")
    return [line for each in paragraphs for line in textwrap.wrap(each, LABEL_LETTERS)][:LABEL_LINES]


def _fitted(text: str, width: int) -> list[str]:
    """The lines of a text, each cut to the width, at most HEAD_LINES of them."""
    return [_cut(line, width) for line in printable(text).split("\n")[:HEAD_LINES]]


def _cut(line: str, width: int) -> str:
    if _width(line) <= width:
        return line
    while line and _width(line + "…") > width:
        line = line[:-1]
    return line.rstrip() + "…"


def _wrapped_to(text: str, width: int) -> list[str]:
    # An average letter is a little over half as wide as high.
    return textwrap.wrap(printable(text), max(20, int(width / (0.56 * LETTER))))


def _width(line: str) -> int:
    return round(_font().getlength(line))


@cache
def _font() -> ImageFont.FreeTypeFont:
    # Basic layout: whether a shaping library is installed must not move letters.
    return ImageFont.truetype(FONT, LETTER, layout_engine=ImageFont.Layout.BASIC)


@cache
def _letters() -> frozenset[int]:
    return frozenset(FT2Font(str(FONT)).get_charmap())


def _bordered(image: Pixels, gap: int) -> Pixels:
    return np.pad(image, ((gap, gap), (gap, gap), (0, 0)), constant_values=GREY)
