"""What a methods section says about a study, sentence by sentence, citations as `[@key; @key]`.

Each sentence says only what the votes and the plan show: nothing about how raters were found or images made, which the
author adds.
"""

from __future__ import annotations

from collections.abc import Iterator

from analysis.files.table import MINUS, net, p_value, printed
from analysis.intervals import Interval, TwoWay
from analysis.plan import Headline, Stopping, StoppingRule
from analysis.position import AdjustedNet
from analysis.ranking import BradleyTerry
from analysis.records import Unavailable
from analysis.report import Pairing, Report
from analysis.versions import versions


def methods_sentences(report: Report) -> Iterator[str]:
    """All sentences, in the order of a methods section and its results."""
    yield from _collection(report)
    yield from _plan(report)
    yield from _filters(report)
    yield _thresholds(report)
    yield _headline_test(report)
    if len(report.arms) == 2:
        yield from _result(report.pairings[0], report.plan.headline)
        yield from _agreement(report.pairings[0])
    else:
        yield from _ratings(report)
    yield _software()


def _collection(report: Report) -> Iterator[str]:
    votes = report.per_pair_votes
    each = f"{votes.min}" if votes.min == votes.max else f"{votes.min} to {votes.max} (median {votes.median:g})"
    who = "Simulated raters" if report.simulated else "Raters"
    yield (
        f"{who} compared images of {_listed(report.arms)} in {_number(report.pairs, 'comparison')}, choosing one of "
        f"the two or Same: {_number(report.votes, 'vote')} by {_number(report.raters, 'rater')}, {each} on each."
    )
    if report.simulated:
        yield "The votes were simulated by a program, so they say nothing about what people prefer."
    if report.unjudged:
        yield f"{_number(report.unjudged, 'comparison')} without a vote count as no preference."
    if report.gold_votes:
        yield f"{_number(report.gold_votes, 'vote')} on gold comparisons served to check raters and are left out here."


def _plan(report: Report) -> Iterator[str]:
    if not report.plan_is_fixed:
        yield "No analysis plan was fixed before the votes, so every figure is exploratory."
        return
    yield (
        "Question, filters of raters, headline test, thresholds, families of tests and stopping rule were fixed before "
        f"the votes (SHA-256 of the plan {report.plan.sha256}); whatever it does not name is exploratory."
    )
    yield from _stopping(report.plan.stopping)


def _stopping(stopping: Stopping) -> Iterator[str]:
    if stopping.rule is StoppingRule.NORMAL_MIXTURE:
        yield (
            f"Collection could end at any look after {stopping.first_look_after_raters} raters at which a "
            f"normal-mixture boundary was crossed (alpha {stopping.alpha:g}, rho {stopping.rho:g}) "
            "[@robbins1970statistical]."
        )
    elif stopping.rule is StoppingRule.PLANNED_LOOKS:
        yield (
            f"Collection could end at one of {stopping.looks} looks planned over {stopping.planned_raters} raters, "
            f"which share alpha {stopping.alpha:g} equally [@dunn1961multiple]."
        )


def _filters(report: Report) -> Iterator[str]:
    screening = report.screening
    if not screening.applied:
        yield "No rater was left out."
        return
    left_out = _number(len(screening.raters_left_out), "rater")
    yield (
        f"The planned {'filter' if len(screening.applied) == 1 else 'filters'} {_listed(screening.applied)} left out "
        f"{left_out} with {_number(screening.votes_left_out, 'vote')}."
    )
    if screening.unfiltered:
        yield f"With everybody in, the headline would read: {screening.unfiltered}"


def _thresholds(report: Report) -> str:
    return (
        f"A comparison counts as preferring an image at {_listed(report.thresholds)} % if more than that share of "
        "those who chose a side chose it [@kawar2023enhancing], with Wilson intervals over comparisons "
        "[@wilson1927probable]."
    )


def _headline_test(report: Report) -> str:
    figure = (
        "the share of the votes that chose a side"
        if report.plan.headline is Headline.SIDE_SHARE
        else f"the net preference, the mean over all votes of +1, {MINUS}1 and 0 for Same,"
    )
    return (
        f"Preference was tested by {figure} with a variance clustered by comparison and by rater "
        "[@cameron2011robust] and Student's t on one less than the smaller effective number of comparisons or raters "
        "[@kish1965survey]."
    )


def _result(pairing: Pairing, headline: Headline) -> Iterator[str]:
    if isinstance(pairing.tests, Unavailable):
        yield f"Nothing could be tested: {pairing.tests.detail}."
        return
    tests = pairing.tests
    adjusted = tests.two_way_net_position_adjusted
    chosen = tests.two_way_side_share if headline is Headline.SIDE_SHARE else tests.two_way_net
    if isinstance(chosen, Unavailable):
        yield f"The preference could not be tested: {chosen.detail}."
    elif headline is Headline.SIDE_SHARE:
        yield _side_share(chosen, pairing)
    elif isinstance(adjusted, AdjustedNet) and adjusted.comes_first:
        yield _adjusted(adjusted, pairing)
    else:
        yield _plain(chosen, pairing)


def _side_share(test: TwoWay, pairing: Pairing) -> str:
    low, high = (100 * bound for bound in test.ci95)
    return (
        f"Of the votes that chose a side, {100 * test.estimate:.1f} % (95 % interval {low:.1f} to {high:.1f}) chose "
        f"{pairing.arms[0]} rather than {pairing.arms[1]}, {_tested(test)}"
    )


def _plain(test: TwoWay, pairing: Pairing) -> str:
    first, second = pairing.arms
    return f"The net preference for {first} over {second} was {_points(test.estimate, test.ci95)}, {_tested(test)}"


def _tested(test: TwoWay) -> str:
    return (
        f"t({test.df:.1f}) = {_decimals(test.t)}, {_p(test.p)}; the variance was {test.deff_pair:.1f} times that of "
        f"independent votes by comparisons and {test.deff_rater:.1f} times by raters."
    )


def _adjusted(test: AdjustedNet, pairing: Pairing) -> str:
    first, second = pairing.arms
    return (
        f"As {first} stood on the left in {100 * test.a_left_share:.1f} % of the votes and raters leaned to a side, "
        f"the net preference is adjusted for the side by least squares: for {first} over {second} it was "
        f"{_points(test.net, test.net_ci95)}, {_p(test.net_p)}."
    )


def _agreement(pairing: Pairing) -> Iterator[str]:
    found = pairing.agreement
    if isinstance(found, Unavailable) or isinstance(found.alpha_nominal, Unavailable):
        return
    alpha = f"Krippendorff's alpha over the three answers was {_decimals(found.alpha_nominal)} [@hayes2007answering]"
    halves = found.split_half_spearman_brown
    if halves is None:
        yield f"{alpha}."
    else:
        yield (
            f"{alpha}, the split-half reliability of the comparisons' net preferences {_decimals(halves)} "
            "[@spearman1910correlation; @brown1910experimental]."
        )


def _ratings(report: Report) -> Iterator[str]:
    yield (
        "Arms were rated by Davidson's model, Bradley-Terry with ties [@bradley1952rank; @davidson1970extending], with "
        "errors clustered by group of class and seed and by rater [@cameron2011robust] and Holm's correction over all "
        "contrasts [@holm1979simple]."
    )
    yield report.headline
    if isinstance(report.bradley_terry, BradleyTerry) and report.bradley_terry.pairwise:
        yield f"Net preferences from the votes of two arms alone, after Holm: {'; '.join(_pairwise(report))}."


def _pairwise(report: Report) -> Iterator[str]:
    for pairing in report.pairings:
        first, second = pairing.arms
        if isinstance(pairing.tests, Unavailable) or isinstance(pairing.tests.two_way_net, Unavailable):
            continue
        test, family = pairing.tests.two_way_net, report.bradley_terry
        corrected = None if isinstance(family, Unavailable) else family.pairwise.get(f"{first}-{second}")
        if corrected is not None:
            yield f"{first} over {second} {_points(test.estimate, test.ci95)}, {_p(corrected.p_holm)}"


def _software() -> str:
    software = versions()
    return (
        f"Figures were computed by Twinseed {software['twinseed']} with numpy {software['numpy']} and "
        f"scipy {software['scipy']}."
    )


def _points(value: float, ci95: Interval) -> str:
    low, high = (printed(net(bound)).removeprefix("+") for bound in ci95)
    return f"{printed(net(value))} points (95 % interval {low} to {high})"


def _p(p: float) -> str:
    shown = printed(p_value(p))
    return f"p {shown}" if shown.startswith("<") else f"p = {shown}"


def _decimals(value: float) -> str:
    # -0.004 rounds to -0.0: adding zero drops the sign.
    return f"{round(value, 2) + 0.0:.2f}".replace("-", MINUS)


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def _listed(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
