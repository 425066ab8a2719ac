"""The publications that the methods come from: `references.bib`, and who is cited where."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from analysis.records import Method

REFERENCES = Path(__file__).with_name("references.bib")

ENTRY = re.compile(r"^@\w+\{(?P<key>[^,]+),\n(?P<fields>.*?)^\}\n", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"^  (?P<name>\w+) = \{(?P<text>.*)\},$", re.MULTILINE)
# "Cameron, Gelbach, Miller (2011), ..." -> Cameron, 2011. A method's citations are separated by semicolons.
AUTHOR_AND_YEAR = re.compile(r"(?P<author>[^\W\d_][\w'-]*)[^();]*\((?P<year>\d{4})\)")


class UnknownPublication(LookupError):
    """A method cites what `references.bib` does not hold; add it there."""


@dataclass(frozen=True)
class Publication:
    """One publication. bibtex: its whole entry; fields: of that entry, such as title, journal, year."""

    key: str
    bibtex: str
    fields: tuple[tuple[str, str], ...]

    def __getitem__(self, name: str) -> str:
        """A field as plain text, empty where the entry has none."""
        text = dict(self.fields).get(name, "").replace(r"{\'E}", "\N{LATIN CAPITAL LETTER E WITH ACUTE}")
        return text.replace(r"\&", "&").replace("{", "").replace("}", "").replace("--", "-")

    @property
    def authors(self) -> tuple[str, ...]:
        return tuple(self["author"].split(" and "))

    @property
    def surnames(self) -> tuple[str, ...]:
        """Names are written `Surname, Given`."""
        return tuple(author.split(",")[0] for author in self.authors)

    @property
    def short(self) -> str:
        """As in running text: `Cameron et al. (2011)`."""
        names = " and ".join(self.surnames) if len(self.authors) < 3 else f"{self.surnames[0]} et al."
        return f"{names} ({self['year']})"

    def in_words(self) -> str:
        """One line for a list of references in plain text."""
        volume = f" {self['volume']}" if self["volume"] else ""
        number = f"({self['number']})" if self["number"] else ""
        pages = f":{self['pages']}" if self["pages"] else ""
        where = self["journal"] or self["publisher"] or self["institution"]
        return f"{'; '.join(self.authors)} ({self['year']}). {self['title']}. {where}{volume}{number}{pages}."


@cache
def publications() -> dict[str, Publication]:
    """All publications by key, in the order of the keys."""
    text = REFERENCES.read_text(encoding="utf-8")
    found = (
        Publication(match["key"], match[0], tuple((f["name"], f["text"]) for f in FIELD.finditer(match["fields"])))
        for match in ENTRY.finditer(text)
    )
    return {publication.key: publication for publication in sorted(found, key=lambda p: p.key)}


def publications_of(methods: Iterable[Method]) -> tuple[Publication, ...]:
    """What the methods cite, each publication once. Raises UnknownPublication for one that is not in the file."""
    return tuple(dict.fromkeys(found for method in methods for found in cited(method.citation)))


def cited(citation: str) -> Iterator[Publication]:
    """The publications in a citation such as `Wilcoxon (1945), Biometrics Bulletin 1:80; Pratt (1959), JASA 54:655`."""
    known = {(publication.surnames[0], publication["year"]): publication for publication in publications().values()}
    for match in AUTHOR_AND_YEAR.finditer(citation):
        if match.groups() not in known:
            raise UnknownPublication(f"{match[1]} ({match[2]}) is not in {REFERENCES.name}; add it there")
        yield known[match["author"], match["year"]]


def bibtex(chosen: Iterable[Publication]) -> str:
    """A `.bib` file, in the order of the keys."""
    return "\n".join(publication.bibtex for publication in sorted(chosen, key=lambda p: p.key))
