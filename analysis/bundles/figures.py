"""A report's charts as files for a bundle."""

from __future__ import annotations

import re
from collections.abc import Iterator

from analysis.charts import PAIRING_CHARTS, REPORT_CHARTS, draw_chart
from analysis.records import Unavailable
from analysis.report import Pairing, Report

UNSAFE = re.compile(r"[^A-Za-z0-9]+")
LONGEST = 30
# The resources of a PDF's page: a name and an object a line.
RESOURCES = re.compile(rb"(?<=<<\n)(?: +/\w+ \d+ 0 R\n)+(?= *>>)")


def figures_of(report: Report) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of each chart, as SVG and as PDF; charts that the votes do not give are left out.

    With more than two arms each pairing's charts lie in a folder of its own.
    """
    for kind in REPORT_CHARTS:
        yield from _files(kind, report, folder="")
    for number, pairing in enumerate(report.pairings, start=1):
        folder = "" if len(report.arms) == 2 else f"{number:02d}-{_safe(pairing.arms[0])}-{_safe(pairing.arms[1])}/"
        for kind in PAIRING_CHARTS:
            yield from _files(kind, pairing, folder=folder)


def _files(kind: str, subject: Pairing | Report, *, folder: str) -> Iterator[tuple[str, bytes]]:
    # Drawing loads Altair and vl-convert: a second and 100 MB that a check of a bundle need not pay.
    from analysis.charts.rendering import pdf_of, svg_of

    drawing = draw_chart(kind, subject)
    if isinstance(drawing, Unavailable):
        return
    yield f"{folder}{kind}.svg", svg_of(drawing).encode()
    yield f"{folder}{kind}.pdf", _in_order(pdf_of(drawing))


def _in_order(pdf: bytes) -> bytes:
    """A PDF with its pages' resources sorted: vl-convert writes them in another order every time.

    A sorted block is as long as before, so everything in the file stays where its table of contents says.
    """
    return RESOURCES.sub(lambda block: b"".join(sorted(block[0].splitlines(keepends=True))), pdf)


def _safe(arm: str) -> str:
    return UNSAFE.sub("-", arm)[:LONGEST].strip("-") or "arm"
