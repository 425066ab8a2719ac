"""A report as one HTML page that needs nothing else: its style and its charts are inside, and it prints well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape

from analysis.charts import ChartKind, draw_chart
from analysis.charts.rendering import svg_of
from analysis.files.methods_paragraph import methods_text, references_of
from analysis.files.sections import Section, methods_of, sections
from analysis.files.table import Cell, Figure, Table, printed, printed_interval
from analysis.records import Unavailable
from analysis.report import Pairing, Report

STYLE = """
:root { color-scheme: light; --ink: #1d1f21; --soft: #5b6066; --line: #d9d9d4; --accent: #1f5fa8; --warn: #8a5a00; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 62rem; color: var(--ink); background: #fff;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", sans-serif; }
h1, h2, h3 { line-height: 1.25; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.25rem; }
.headline { font-size: 1.25rem; border-left: 4px solid var(--accent); padding: .25rem 0 .25rem 1rem; }
.warning { border-left: 4px solid var(--warn); padding: .25rem 0 .25rem 1rem; }
.soft, .interval, .reason { color: var(--soft); font-size: .875rem; }
.interval { white-space: nowrap; }
.frame { overflow-x: auto; }
table { border-collapse: collapse; margin: .5rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .35rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .75rem .3rem 0; border-bottom: 1px solid var(--line); }
th.number, td.number { text-align: right; }
tbody th { font-weight: 400; }
summary { cursor: pointer; font-weight: 600; margin: 1rem 0; }
figure { margin: 1.25rem 0; max-width: 42rem; }
figure svg { max-width: 100%; height: auto; }
dt { font-weight: 600; }
dd { margin: 0 0 .6rem; }
@media print {
  body { max-width: none; padding: 0; font-size: 10pt; }
  table, figure { break-inside: avoid; }
  .frame { overflow: visible; }
}
"""
# Longer tables are folded: a line per rater is for who looks for it.
ROWS_ON_A_PAGE = 30
NUMBER = ' class="number"'


def html_of(report: Report) -> str:
    """The whole report as one page without scripts and without anything to load from elsewhere."""
    title = f"{', '.join(report.arms[:-1])} and {report.arms[-1]}: what raters prefer"
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en">',
            f'<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
            f"<title>{escape(title)}</title><style>{STYLE}</style></head>",
            "<body>",
            f"<h1>{escape(title)}</h1>",
            *(line for section in sections(report) for line in _section(section)),
            *_methods(report),
            "</body>",
            "</html>",
            "",
        )
    )


def html_table(table: Table) -> Iterator[str]:
    """One table with its caption and notes, in pieces to be joined."""
    numbers = [any(isinstance(cell, Figure) for cell in table.column(index)) for index in range(len(table.columns))]
    is_long = len(table.rows) > ROWS_ON_A_PAGE
    if is_long:
        yield f"<details><summary>{escape(table.title)}: {len(table.rows)} rows</summary>"
    yield f'<div class="frame"><table><caption>{escape(table.title)}</caption><thead><tr>'
    yield from (
        f'<th scope="col"{NUMBER if right else ""}>{escape(column.title)}</th>'
        for column, right in zip(table.columns, numbers, strict=True)
    )
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = "".join(
            f"<td{NUMBER if right else ''}>{_cell(cell)}</td>" for cell, right in zip(row[1:], numbers[1:], strict=True)
        )
        yield f'<tr><th scope="row">{_cell(row[0])}</th>{cells}</tr>'
    yield "</tbody></table></div>"
    yield from (f'<p class="soft">{escape(note)}</p>' for note in (*table.notes, *table.reasons()))
    if is_long:
        yield "</details>"


def _section(section: Section) -> Iterator[str]:
    yield f"<section><h2>{escape(section.title)}</h2>"
    yield from (f'<p class="headline">{escape(sentence)}</p>' for sentence in section.sentences)
    yield from (f'<p class="warning">{escape(warning)}</p>' for warning in section.warnings)
    with_table = {table.name for table in section.tables}
    for table in section.tables:
        yield from html_table(table)
        yield from _figures((kind for kind in section.charts if kind.section == table.name), section.subject)
    yield from _figures((kind for kind in section.charts if kind.section not in with_table), section.subject)
    yield "</section>"


def _figures(kinds: Iterable[ChartKind], subject: Report | Pairing) -> Iterator[str]:
    for kind in kinds:
        drawing = draw_chart(kind.name, subject)
        if isinstance(drawing, Unavailable):
            yield f'<p class="soft">{escape(kind.title)}: not available, {escape(drawing.detail)}.</p>'
        else:
            words = f"<strong>{escape(kind.title)}.</strong> {escape(kind.explains)}"
            yield f'<figure>{svg_of(drawing)}<figcaption class="soft">{words}</figcaption></figure>'


def _cell(cell: Cell) -> str:
    interval = printed_interval(cell)
    words = " to ".join(interval) if isinstance(interval, tuple) else interval
    after = f'<br><span class="interval">{escape(words)}</span>' if words else ""
    return f"{escape(printed(cell))}{after}"


def _methods(report: Report) -> Iterator[str]:
    methods = methods_of(report)
    paragraph, _ = methods_text(report).split("\n\nReferences\n")
    yield f"<section><h2>Methods, ready to paste</h2><p>{escape(paragraph)}</p></section>"
    yield "<section><h2>What the figures mean</h2><dl>"
    for method in methods:
        meaning = f"{method.explains} " if method.explains else ""
        yield f"<dt>{escape(method.title)}</dt><dd>{escape(meaning)}Assumes: {escape(method.assumes)}.</dd>"
    yield "</dl></section><section><h2>References</h2><ul>"
    yield from (f"<li>{escape(publication.in_words())}</li>" for publication in references_of(report))
    yield "</ul></section>"
