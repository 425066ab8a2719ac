"""The net preference as raters arrived, with a band that holds at all looks, and the evidence with its boundary."""

from __future__ import annotations

import altair as alt

from analysis.charts.parts import count, level, short, shown, table, thinned
from analysis.charts.rendering import Drawing
from analysis.charts.theme import ARM_A, BAD, INK, INK_SOFT, WIDTH
from analysis.records import Unavailable
from analysis.report import Pairing
from analysis.sequential import Look, PlannedLooks, TwoWayNormalMixture

# A look after every rater is one mark each: more than this a screen cannot tell apart.
MOST_LOOKS = 300
HEIGHT = 150
EVIDENCE_HEIGHT = 100


def draw(pairing: Pairing) -> Drawing | Unavailable:
    """Two panels over the number of raters."""
    mixture = pairing.sequential.two_way_normal_mixture
    if isinstance(mixture, Unavailable):
        return mixture
    return of_looks(mixture, pairing.sequential.planned_looks, arms=pairing.arms)


def of_looks(mixture: TwoWayNormalMixture, planned: PlannedLooks | None, *, arms: tuple[str, str]) -> Drawing:
    """Estimate within its confidence sequence, planned looks as marks; below, log evidence against its boundary."""
    looks = thinned(mixture.looks, MOST_LOOKS)
    base = alt.Chart(table(_row(look) for look in looks))
    upper = [*_band(base, arms[0], several=len(looks) > 1), level(0, axis="y"), *_planned(planned), *_stop(mixture)]
    lower = [*_evidence(base), *_stop(mixture)]
    panels = (
        alt.layer(*upper).properties(width=WIDTH, height=HEIGHT),
        alt.layer(*lower).properties(width=WIDTH, height=EVIDENCE_HEIGHT),
    )
    return Drawing.of(alt.vconcat(*panels, spacing=10).resolve_scale(x="shared"), alt=_alt(mixture, arms))


def _row(look: Look) -> dict[str, float]:
    numbers = {"estimate": look.estimate, "low": look.low, "high": look.high}
    points = {name: round(100 * number, 3) for name, number in numbers.items()}
    return {"raters": look.raters, "log_e": round(look.log_e, 4), "boundary": round(look.boundary, 4), **points}


def _band(base: alt.Chart, arm: str, *, several: bool) -> list[alt.Chart]:
    raters = alt.X("raters:Q", title=None, axis=alt.Axis(grid=False), scale=alt.Scale(nice=False))
    points = alt.Y("low:Q", title=f"points for {short(arm)}")
    # One look has no area: it is a stroke.
    band = base.mark_area(color=ARM_A, opacity=0.2) if several else base.mark_rule(color=ARM_A, opacity=0.4)
    return [
        band.encode(x=raters, y=points, y2="high:Q"),
        base.mark_line(color=ARM_A, point=not several).encode(x="raters:Q", y="estimate:Q"),
    ]


def _evidence(base: alt.Chart) -> list[alt.Chart]:
    raters = alt.X("raters:Q", title="raters", axis=alt.Axis(grid=False), scale=alt.Scale(nice=False))
    evidence = alt.Y("log_e:Q", title="log evidence")
    return [
        base.mark_line(color=INK, strokeWidth=1.5).encode(x=raters, y=evidence),
        base.mark_line(color=BAD, strokeDash=[5, 3], strokeWidth=1.5).encode(x="raters:Q", y="boundary:Q"),
    ]


def _planned(planned: PlannedLooks | None) -> list[alt.Chart]:
    if planned is None or not planned.looks:
        return []
    rows = [
        {"raters": look.raters, "from": 100 * look.low, "to": 100 * look.high, "found": 100 * look.estimate}
        for look in planned.looks
    ]
    base = alt.Chart(table(rows))
    return [
        base.mark_rule(color=INK_SOFT, strokeWidth=1.5).encode(x="raters:Q", y="from:Q", y2="to:Q"),
        base.mark_point(color=INK, size=30).encode(x="raters:Q", y="found:Q"),
    ]


def _stop(mixture: TwoWayNormalMixture) -> list[alt.Chart]:
    if mixture.stop_after_raters is None:
        return []
    rule = alt.Chart(table([{"stop": mixture.stop_after_raters}])).mark_rule(color=BAD, strokeWidth=1.5)
    return [rule.encode(x="stop:Q")]


def _alt(mixture: TwoWayNormalMixture, arms: tuple[str, str]) -> str:
    low, high = mixture.confidence_sequence_final
    last = mixture.looks[-1]
    ended = (
        f"The boundary was first crossed after {count(mixture.stop_after_raters, 'rater')}."
        if mixture.stop_after_raters is not None
        else "The boundary has not been crossed."
    )
    return (
        f"After {count(last.raters, 'rater')}: net preference for {arms[0]} {shown(100 * last.estimate)} points, band "
        f"{shown(100 * low)} to {shown(100 * high)}; log evidence {shown(mixture.log_e_final, 2)}, highest "
        f"{shown(mixture.log_e_max, 2)}, boundary {shown(last.boundary, 2)}. {ended}"
    )
