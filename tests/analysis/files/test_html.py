import re
from html.parser import HTMLParser

import pytest

from analysis.files.html import html_of, html_table
from analysis.files.sections import tables_of
from analysis.files.table import printed
from tests.analysis.files.reports import STRANGE_ARMS, degenerate, strange_names, table_2

VOID = {"meta", "br", "path", "line", "rect", "circle"}


class Page(HTMLParser):
    """The text and the tags of a page; complains where a tag is closed that was not opened."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(html)
        self.close()
        assert self.opened == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.opened.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.opened.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@pytest.fixture(scope="module")
def table_2_page() -> str:
    return html_of(table_2())


def test_the_page_needs_nothing_else(table_2_page: str) -> None:
    tags = Page(table_2_page).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "iframe", "img", "object"}
    addresses = [value for _, attrs in tags for name, value in attrs.items() if name in {"src", "href", "xlink:href"}]
    assert all(address is not None and address.startswith("#") for address in addresses)
    assert not re.search(r"@import|url\((?!#)", table_2_page)


def test_the_page_shows_the_answer_every_table_and_the_charts(table_2_page: str) -> None:
    text = "".join(Page(table_2_page).texts)
    assert table_2().headline in text
    for table in tables_of(table_2()):
        assert table.title in text
        for row in table.rows:
            assert all(printed(cell) in text for cell in row)
    assert table_2_page.count("<svg") >= 6


def test_every_chart_says_in_words_what_it_shows(table_2_page: str) -> None:
    charts = [attrs for tag, attrs in Page(table_2_page).tags if tag == "svg"]
    assert all(chart.get("role") == "img" and chart.get("aria-label") for chart in charts)


def test_names_are_text_and_never_markup() -> None:
    html = html_of(strange_names())
    text = "".join(Page(html).texts)
    assert all(arm in text for arm in STRANGE_ARMS)
    assert "<x>" not in html
    assert "<b>_" not in html


def test_a_missing_figure_says_why() -> None:
    shares = next(table for table in tables_of(degenerate("one rater")) if table.name == "shares")
    html = "".join(html_table(shares))
    assert "n/a (one_rater)" in html
    assert "one_rater: one rater" in html
