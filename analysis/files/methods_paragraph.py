"""The methods paragraph: what was done and found, with the study's own numbers and citations, ready to paste."""

from __future__ import annotations

import re

from analysis.files.citations import Publication, publications, publications_of
from analysis.files.latex import escaped
from analysis.files.methods_sentences import methods_sentences
from analysis.files.sections import methods_of
from analysis.report import Report

CITATION = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")


def methods_text(report: Report) -> str:
    """The paragraph as plain text, citations as (Author, year), and the list of what it cites."""
    paragraph = CITATION.sub(lambda found: f"({_authors(found[1])})", " ".join(methods_sentences(report)))
    listed = "\n".join(publication.in_words() for publication in cited_in(report))
    return f"{paragraph}\n\nReferences\n{listed}\n"


def methods_latex(report: Report) -> str:
    r"""The paragraph as LaTeX with \cite{keys} of `references.bib`."""
    text = " ".join(methods_sentences(report))
    # The odd parts are citations: re.split keeps what its group holds.
    parts = CITATION.split(text)
    written = (rf"\cite{{{_keys(part)}}}" if index % 2 else escaped(part) for index, part in enumerate(parts))
    return "".join(written).replace(r" \cite", r"~\cite") + "\n"


def cited_in(report: Report) -> tuple[Publication, ...]:
    """What the paragraph cites, in the order of the keys."""
    text = " ".join(methods_sentences(report))
    keys = {key for found in CITATION.findall(text) for key in _keys(found).split(",")}
    return tuple(publications()[key] for key in sorted(keys))


def references_of(report: Report) -> tuple[Publication, ...]:
    """What the paragraph or any of the report's methods cites, in the order of the keys."""
    cited = dict.fromkeys((*cited_in(report), *publications_of(methods_of(report))))
    return tuple(sorted(cited, key=lambda publication: publication.key))


def _keys(citation: str) -> str:
    return citation.replace("@", "").replace("; ", ",")


def _authors(citation: str) -> str:
    named = (publications()[key].short for key in _keys(citation).split(","))
    return "; ".join(re.sub(r" \((\d+)\)$", r", \1", name) for name in named)
