"""Pages: a report as Markdown with its figures beside it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from generation.diffusion.cards import CardTable, percent
from generation.diffusion.experiments.claims import Claim
from generation.diffusion.experiments.measures import Measured
from generation.diffusion.experiments.stages import Pixels
from generation.diffusion.figures import Cell, Row, picture_grid, png_bytes


@dataclass(frozen=True)
class Picture:
    """A figure of a page: its file's name and bytes."""

    name: str
    data: bytes


@dataclass
class Page:
    """A report in the making: parts are added in the order in which they are read."""

    title: str
    intro: str
    command: str
    made: Mapping[str, str]
    pictures: list[Picture] = field(default_factory=list)
    _parts: list[str] = field(default_factory=list)

    def add_text(self, text: str) -> None:
        """Add a paragraph."""
        self._parts.append(text)

    def add(self, heading: str, *tables: CardTable) -> None:
        """Add tables under a heading of their own."""
        self._parts.append(f"## {heading}")
        for table in tables:
            # The page's headings are of level 2, so a table's caption is a line of its own.
            self._parts.append(table.markdown().replace("## ", "**", 1).replace("\n", "**\n", 1))

    def add_picture(self, name: str, data: bytes, caption: str) -> None:
        """Add a figure with what it shows."""
        self.pictures.append(Picture(name, data))
        self._parts.append(f"![{caption}](images/{name})\n\n*{caption}*")

    def markdown(self) -> str:
        """The whole page; pictures are expected in images/ beside it."""
        facts = CardTable("", ["fact", "value"], [[name, value] for name, value in self.made.items()])
        run = ["## How it was run", f"```\n{self.command}\n```", facts.markdown().partition("\n\n")[2]]
        return "\n\n".join([f"# {self.title}", self.intro, *self._parts, *run]) + "\n"


def claims_table(claims: Sequence[Claim]) -> CardTable:
    """The claims, a row each."""
    head = ["finding of the paper", "paper", "here", "verdict"]
    return CardTable("Verdicts follow from the 95 % intervals alone", head, [claim.row() for claim in claims])


def labelled_sheet(images: Mapping[str, Pixels], *, class_labels: Sequence[str], columns: int = 8) -> bytes:
    """The first images of every arm as a PNG: a row an arm, a column a seed, image i asked to be of class i mod C."""
    heads = [f"{class_labels[i % len(class_labels)]}\nseed {i}" for i in range(columns)]
    rows = [Row(label=arm, cells=[Cell(image) for image in pixels[:columns]]) for arm, pixels in images.items()]
    return png_bytes(picture_grid(rows, heads=heads[: len(rows[0].cells)]))


def measured_rows(arms: Sequence[Measured]) -> list[list[str]]:
    """Cells of a table of arms: name, n, accuracy, Frechet distance, difference to the first arm."""
    return [
        [
            arm.arm,
            str(arm.n),
            f"{percent(arm.accuracy)} ({interval_text(arm.accuracy_interval, share=True)})",
            f"{arm.frechet:.2f}",
            ""
            if arm.frechet_difference is None or arm.frechet_difference_interval is None
            else f"{arm.frechet_difference:+.2f} ({interval_text(arm.frechet_difference_interval)})",
        ]
        for arm in arms
    ]


def interval_text(interval: Sequence[float], *, share: bool = False) -> str:
    """The ends of an interval, in percent if it is of a share."""
    if share:
        return f"{100 * interval[0]:.1f} to {100 * interval[1]:.1f}"
    return f"{interval[0]:+.2f} to {interval[1]:+.2f}"
