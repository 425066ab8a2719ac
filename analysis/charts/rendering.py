"""From a drawing to files: SVG for the page, PNG and PDF for papers, Vega-Lite for those who want to change it.

vl-convert runs Vega in the process, without a browser or a network. Its first drawing loads it (about a second).
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from functools import lru_cache
from html import escape
from threading import Thread
from typing import TYPE_CHECKING

from analysis.charts.theme import CONFIG, GROUND, ON_DARK
from analysis.records import Json

if TYPE_CHECKING:
    from altair.typing import ChartType

PNG_SCALE = 3.0
# Specs and drawings weigh some ten thousand characters each; a page has a dozen of them.
REMEMBERED = 64
# As JSON writes it: two halves.
BEYOND_BASIC_PLANE = re.compile(r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}")
# Names that Vega gives to parts of every drawing; two drawings in one page must not share them.
VEGA_ID = re.compile(r'((?:\bid="|url\(#|href="#))((?:clip|gradient_?)\d+)')
# Coordinates to a hundredth of a pixel: Vega writes fifteen digits, a third of a drawing of many points.
PLACES = re.compile(r' (?:d|transform)="[^"]*"')
TAIL = re.compile(r"(\.\d\d)\d+(?![\de])")


@dataclass(frozen=True)
class Drawing:
    """One chart of one study, ready to be rendered.

    alt: what the chart shows, in words and numbers, for those who do not see it. spec: Vega-Lite, themed.
    """

    alt: str
    spec: dict[str, Json] = field(repr=False)

    @classmethod
    def of(cls, chart: ChartType, *, alt: str) -> Drawing:
        """Take an Altair chart and give it the theme; that it is valid Vega-Lite is a test's business, not a page's."""
        spec = chart.to_dict(validate=False)
        spec["datasets"] = {name: json.loads(rows) for name, rows in spec["datasets"].items()}
        return cls(alt, {**spec, "description": alt, "background": GROUND, "config": CONFIG})

    @property
    def vega_lite(self) -> str:
        # Vega cuts a long label anywhere, and vl-convert fails on half of a letter beyond the basic plane, such as an
        # emoji; those are drawn as a replacement mark.
        return BEYOND_BASIC_PLANE.sub(r"\\ufffd", json.dumps(self.spec, sort_keys=True))


@lru_cache(maxsize=1)
def get_ready() -> None:
    """Load Altair and Vega beside whatever else is to be waited for, such as a database; at most once a process."""
    Thread(target=_load, name="charts", daemon=True).start()


def _load() -> None:
    import altair
    import vl_convert

    vl_convert.vegalite_to_svg(altair.Chart(altair.InlineData(values=[])).mark_point().to_dict(validate=False))


def svg_of(drawing: Drawing) -> str:
    """The drawing as one `<svg>` element that scales with its frame and says its alt text."""
    return _svg(drawing.vega_lite, drawing.alt)


def turning_svg_of(drawing: Drawing) -> str:
    """The SVG for an `<img>` of a page: it turns dark with the reader's system, as the page around it does."""
    rules = "".join(
        f'[{paint}="{light}" i]{{{paint}:{dark}}}' for light, dark in ON_DARK.items() for paint in ("fill", "stroke")
    )
    style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    return svg_of(drawing).replace("</svg>", f"{style}</svg>")


def png_of(drawing: Drawing) -> bytes:
    """The drawing as a PNG on white, three pixels to a CSS pixel."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_png(drawing.vega_lite, scale=PNG_SCALE))


def pdf_of(drawing: Drawing) -> bytes:
    """The drawing as one page of PDF, its text as text."""
    import vl_convert

    return bytes(vl_convert.vegalite_to_pdf(drawing.vega_lite))


def vega_lite_of(drawing: Drawing) -> str:
    """The Vega-Lite specification with its data, as JSON that a Vega editor opens."""
    return json.dumps(drawing.spec, indent=2)


@lru_cache(maxsize=REMEMBERED)
def _svg(vega_lite: str, alt: str) -> str:
    import vl_convert

    svg: str = vl_convert.vegalite_to_svg(vega_lite)
    own = hashlib.sha256(vega_lite.encode()).hexdigest()[:8]
    svg = VEGA_ID.sub(rf"\g<1>c{own}-\g<2>", svg)
    svg = PLACES.sub(lambda places: TAIL.sub(r"\1", places[0]), svg)
    return svg.replace("<svg ", f'<svg role="img" aria-label="{escape(alt)}" ', 1)
