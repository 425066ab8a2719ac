"""Plots for papers: one house style, legible in print and to the colour-blind, equal bytes from equal numbers.

matplotlib, because its PDF and SVG are what journals take; through its objects and Agg only, so that no state is shared
and no screen is needed. Series differ in colour, marker and dashes, so that a copy in black and white can be read.
"""

import logging
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from generation.diffusion.diagnostics import Stability, band
from generation.diffusion.figures import printable

# Okabe and Ito (2008), without their yellow, which paper swallows.
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.5, 1)), (0, (5, 1.5, 1.5, 1.5)))  # Any: matplotlib's line styles
WIDTH_INCHES, LEGEND_LETTERS = 7.2, 26
STYLE: Any = {  # Any: the type of the settings is a list of all their names
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.5,
    "legend.frameon": False,
    # Letters stay letters in a PDF and become outlines in SVG, where the reader may lack the font.
    "pdf.fonttype": 42,
    "svg.fonttype": "path",
    "svg.hashsalt": "twinseed",
}


class Form(StrEnum):
    """The files a plot can be."""

    PNG = "png"
    SVG = "svg"
    PDF = "pdf"


# It tells every glyph that it keeps in a PDF, which nobody reads.
logging.getLogger("fontTools").setLevel(logging.WARNING)

# No dates and no versions: equal plots are equal files.
_METADATA: dict[Form, dict[str, str | None]] = {
    Form.PNG: {"Software": None},
    Form.SVG: {"Date": None, "Creator": None},
    Form.PDF: {"CreationDate": None, "Creator": None, "Producer": None},
}


@dataclass(frozen=True, kw_only=True)
class Swept:
    """One series of a sweep: values of a metric at the scales of otherwise equal arms, and the images of each."""

    label: str
    scales: Sequence[float]
    values: Sequence[float]
    n: Sequence[int]


def stability_plot(by_arm: Mapping[str, Stability], *, form: Form) -> bytes:
    """Cosine similarity of consecutive gradients and gradient norms over t, mean and quartiles over images, by arm.

    Sampling runs to the right. Norms of zero, where guidance is off, have no place on their logarithmic axis.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 5.2), layout="constrained")
        above, below = figure.subplots(2, 1, sharex=True)
        lines = []
        for i, stability in enumerate(by_arm.values()):
            norms = np.where(stability.norms > 0, stability.norms, np.nan)
            lines.append(_banded(above, stability.timesteps[1:], stability.cosine, series=i))
            _banded(below, stability.timesteps, norms, series=i)
        above.set_ylabel("cosine similarity with\nthe gradient one step before")
        below.set_ylabel("norm of the applied gradient\n(Euclidean, per image)")
        below.set_yscale("log")
        below.set_xlabel("timestep t (sampling runs from left to right)")
        below.invert_xaxis()
        labels = [_label(arm, [stability.norms.shape[1]]) for arm, stability in by_arm.items()]
        _legend(figure, lines, labels, title="Mean and quartiles over images")
        return _rendered(figure, form)


def sweep_plot(
    series: Sequence[Swept],
    *,
    metric: str,
    measured: str = "",
    unguided: Sequence[Swept] = (),
    form: Form,
) -> bytes:
    """A metric against the guidance scale, a line per classifier. measured: on what and against what, above the plot.

    unguided: arms without a scale, of one value each, drawn as grey levels.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, 3.6), layout="constrained")
        axes = figure.subplots()
        lines = [_line(axes, swept.scales, swept.values, series=i) for i, swept in enumerate(series)]
        labels = [_label(swept.label, swept.n) for swept in series]
        for i, level in enumerate(unguided):
            lines.append(axes.axhline(level.values[0], color="#666666", linewidth=1.1, linestyle=DASHES[1 + i % 3]))
            labels.append(_label(level.label, level.n))
        scales = [scale for swept in series for scale in swept.scales]
        if min(scales) > 0 and max(scales) >= 16 * min(scales):
            axes.set_xscale("log")
        axes.set_title(textwrap.fill(_plain(measured), 80))
        axes.set_xlabel("guidance scale s (no unit)")
        axes.set_ylabel(_plain(metric))
        _legend(figure, lines, labels, title="")
        return _rendered(figure, form)


def _banded(axes: Axes, t: Any, values: Any, *, series: int) -> Line2D:  # Any: arrays, as matplotlib takes them
    measured = band(values)
    axes.fill_between(t, measured.low, measured.high, color=_colour(series), alpha=0.18, linewidth=0)
    return _line(axes, t, measured.mean, series=series)


def _line(axes: Axes, x: Any, y: Any, *, series: int) -> Line2D:  # Any: as above
    (line,) = axes.plot(
        x,
        y,
        color=_colour(series),
        marker=MARKERS[series % len(MARKERS)],
        # A marker at each of 250 steps would be a blur.
        markevery=max(1, len(x) // 12),
        linestyle=DASHES[series // len(PALETTE) % len(DASHES)],
    )
    return line


def _colour(series: int) -> str:
    return PALETTE[series % len(PALETTE)]


def _label(name: str, n: Sequence[int]) -> str:
    """The name in short lines, and on the last one how many images it stands for."""
    counted = f"n = {min(n)}" if min(n) == max(n) else f"n = {min(n)} to {max(n)}"
    text = f"{textwrap.fill(_plain(name), LEGEND_LETTERS)}\n{counted}"
    # matplotlib takes labels that begin with an underscore for its own; a space before it keeps them.
    return f" {text}" if text.startswith("_") else text


def _plain(text: str) -> str:
    """A text in which no dollar starts a formula."""
    return printable(text).replace("$", r"\$")


def _legend(figure: Figure, lines: Sequence[Line2D], labels: Sequence[str], *, title: str) -> None:
    heading = textwrap.fill(title, LEGEND_LETTERS) or None
    figure.legend(lines, labels, loc="outside right upper", title=heading, alignment="left", labelspacing=0.8)


def _rendered(figure: Figure, form: Form) -> bytes:
    FigureCanvasAgg(figure)
    buffer = BytesIO()
    figure.savefig(buffer, format=form.value, dpi=200, metadata=_METADATA[form])
    return buffer.getvalue()
