"""The methods paragraph: what was done and found, with the study's own numbers and citations, ready to paste.

Sentences are written once, with citations as `[@key; @key]`, and turned into plain text or LaTeX. Each says only what
the votes and the plan show: nothing about how raters were found or images made, which the author adds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from analysis.files.citations import Publication, publications, publications_of
from analysis.files.latex import escaped
from analysis.files.sections import methods_of
from analysis.files.table import MINUS, net, p_value, printed
from analysis.intervals import Interval, TwoWay
from analysis.position import AdjustedNet
from analysis.records import Unavailable
from analysis.report import Pairing, Report
from analysis.versions import versions

CITATION = re.compile(r"\[(@[a-z0-9]+(?:; @[a-z0-9]+)*)\]")


def methods_text(report: Report) -> str:
    """The paragraph as plain text, citations as (Author, year), and the list of what it cites."""
    paragraph = CITATION.sub(lambda found: f"({_authors(found[1])})", " ".join(_sentences(report)))
    listed = "\n".join(publication.in_words() for publication in cited_in(report))
    return f"{paragraph}\n\nReferences\n{listed}\n"


def methods_latex(report: Report) -> str:
    r"""The paragraph as LaTeX with \cite{keys} of `references.bib`."""
    text = " ".join(_sentences(report))
    # The odd parts are citations: re.split keeps what its group holds.
    parts = CITATION.split(text)
    written = (rf"\cite{{{_keys(part)}}}" if index % 2 else escaped(part) for index, part in enumerate(parts))
    return "".join(written).replace(r" \cite", r"~\cite") + "\n"


def cited_in(report: Report) -> tuple[Publication, ...]:
    """What the paragraph cites, in the order of the keys."""
    text = " ".join(_sentences(report))
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


def _sentences(report: Report) -> Iterator[str]:
    yield from _collection(report)
    yield from _plan(report)
    yield _thresholds(report)
    yield (
        "Preference was tested by the net preference, the mean over all votes of +1, \N{MINUS SIGN}1 and 0 for Same, "
        "with a variance clustered by comparison and by rater [@cameron2011robust] and Student's t on one less than "
        "the smaller effective number of comparisons or raters [@kish1965survey]."
    )
    for pairing in report.pairings:
        yield from _result(pairing)
    software = versions()
    yield (
        f"Figures were computed by Twinseed {software['twinseed']} with numpy {software['numpy']} and "
        f"scipy {software['scipy']}."
    )


def _collection(report: Report) -> Iterator[str]:
    per_pair = report.per_pair_votes
    who = "Simulated raters" if report.simulated else "Raters"
    yield (
        f"{who} compared images of {_listed(report.arms)} in {report.pairs} comparisons, choosing one of the two or "
        f"Same: {report.votes} votes by {report.raters} raters, {per_pair.min} to {per_pair.max} (median "
        f"{per_pair.median:g}) on a comparison."
    )
    if report.simulated:
        yield "The votes were simulated by a program, so they say nothing about what people prefer."
    if report.unjudged:
        yield f"{_number(report.unjudged, 'comparison')} without a vote count as no preference."
    if report.gold_votes:
        yield f"{_number(report.gold_votes, 'vote')} on gold comparisons served to check raters and are left out here."


def _plan(report: Report) -> Iterator[str]:
    if report.plan_is_fixed:
        yield (
            "Question, filters of raters, headline test, thresholds, families of tests and stopping rule were fixed "
            f"before the votes (SHA-256 of the plan {report.plan.sha256}); whatever it does not name is exploratory."
        )
    else:
        yield "No analysis plan was fixed before the votes, so every figure is exploratory."


def _thresholds(report: Report) -> str:
    return (
        f"A comparison counts as preferring an image at {_listed(report.thresholds, last='and')} % if more than that "
        "share of those who chose a side chose it [@kawar2023enhancing], with Wilson intervals over comparisons "
        "[@wilson1927probable]."
    )


def _result(pairing: Pairing) -> Iterator[str]:
    first, second = pairing.arms
    if isinstance(pairing.tests, Unavailable):
        yield f"Between {first} and {second} nothing could be tested: {pairing.tests.detail}."
        return
    plain, adjusted = pairing.tests.two_way_net, pairing.tests.two_way_net_position_adjusted
    if isinstance(adjusted, AdjustedNet) and adjusted.comes_first:
        yield _adjusted(adjusted, pairing)
    elif isinstance(plain, TwoWay):
        yield _plain(plain, pairing)
    else:
        yield f"Between {first} and {second} the net preference could not be tested: {plain.detail}."


def _plain(test: TwoWay, pairing: Pairing) -> str:
    first, second = pairing.arms
    return (
        f"The net preference for {first} over {second} was {_estimate(test.estimate, test.ci95)}, "
        f"t({test.df:.1f}) = {_signed(test.t)}, {_p(test.p)}; the variance was {test.deff_pair:.1f} times that of "
        f"independent votes by comparisons and {test.deff_rater:.1f} times by raters."
    )


def _adjusted(test: AdjustedNet, pairing: Pairing) -> str:
    first, second = pairing.arms
    return (
        f"As {first} stood on the left in {100 * test.a_left_share:.1f} % of the votes and raters leaned to a side, "
        f"the net preference is adjusted for the side by least squares: for {first} over {second} it was "
        f"{_estimate(test.net, test.net_ci95)}, {_p(test.net_p)}."
    )


def _estimate(value: float, ci95: Interval) -> str:
    low, high = (printed(net(bound)).removeprefix("+") for bound in ci95)
    return f"{printed(net(value))} points (95 % interval {low} to {high})"


def _p(p: float) -> str:
    shown = printed(p_value(p))
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _signed(t: float) -> str:
    return f"{t:.2f}".replace("-", MINUS)


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _listed(names: tuple[str, ...], *, last: str = "and") -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {last} {names[-1]}"
