"""The calibration study as a page: tables, and what they say in words. Every number comes from the file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

# A parsed JSON document, whose shape `benchmarks.calibration.write` decides.
Document = Mapping[str, Any]

LOW, HIGH = 0.025, 0.065
HEADLINE = "two_way_net"


@dataclass(frozen=True)
class Table:
    """One figure: its name in the file, the family that gives it, its heading and legend, and why it is as it is."""

    figure: str
    family: str
    title: str
    legend: str
    why: str
    is_warning: bool = False


TABLES = (
    Table(
        HEADLINE,
        "two_arms",
        "Headline: net preference, two-way clustered",
        "`analysis.significance.two_way_net`, p < 0.05.",
        "Below 0.05 where pairs and raters are alike (S0, S1): the price of allowing for both.",
    ),
    Table(
        "two_way_net_position_adjusted",
        "two_arms",
        "Position-adjusted net preference",
        "`analysis.position.two_way_net_position_adjusted`, p < 0.05.",
        "With sides dealt evenly it agrees with the headline, also where raters lean to a side (S8).",
    ),
    Table(
        "davidson_contrast",
        "four_arms",
        "Four arms: difference of two Davidson ratings",
        "`analysis.ranking.davidson`: how often a 95 % interval of one of the six differences misses 0. Errors are "
        "clustered by group (class and seed) and by rater; 34 groups of six pairs.",
        "Six pairs of a group share their images, so the group is the unit and not the pair.",
    ),
    Table(
        "davidson_any_holm",
        "four_arms",
        "Four arms: any difference significant after Holm",
        "The same fits: is at least one of the six differences called significant?",
        "Holm's correction holds for all six together.",
    ),
    Table(
        "two_way_normal_mixture",
        "two_arms",
        "Sequential: normal mixture, ever rejecting",
        "`analysis.sequential.sequential`: a look after every rater from the tenth on, rho = 150.",
        "Looking after every rater costs no false alarms, only power: see the last table.",
    ),
    Table(
        "planned_looks",
        "two_arms",
        "Sequential: five planned looks, ever rejecting",
        "The headline test after each fifth of the panel, each at 1 %.",
        "Cautious: the looks share votes, and Bonferroni's correction does not know.",
    ),
    Table(
        "rater_level",
        "two_arms",
        "Sequential: bets on raters, ever winning twentyfold",
        "Holds for these pairs: it asks whether raters lean, not whether other pairs would be preferred.",
        "With few raters it finds nothing; with many, it takes what these pairs happen to favour for a preference.",
    ),
    Table(
        "two_way_net_peeking",
        "two_arms",
        "What not to do: the headline test after every rater",
        "Stopping at the first p < 0.05 from the tenth rater on, without a boundary.",
        "Every look is another chance to be wrong.",
        is_warning=True,
    ),
    Table(
        "vote_sign_binomial",
        "two_arms",
        "What not to do: the sign test over single votes",
        "`analysis.significance.vote_sign_binomial`, p < 0.05: as if votes were independent.",
        "Votes on one pair or of one rater repeat each other, and this test counts each as news.",
        is_warning=True,
    ),
)

INTRODUCTION = """# Calibration: how often the tests cry wolf

Studies are simulated in which no arm is better, and tested at 5 % with the functions that a report is made of. A
figure is the share of studies in which the test rejects all the same: the closer to 0.050 the better; below is safe,
but wasteful. In brackets is its Monte-Carlo standard error, in units of the last digit. This page and
`calibration.json` are written by

    python -m benchmarks.calibration --replicates 4000 --panels 25,14+30,12+80
    python -m benchmarks.calibration --replicates 2000 --panels 8,4+40x25,2+80x10,290x17

which take half an hour of two idle cores, keep what is done if they are stopped, and give the same numbers for the same
seed ({seed}; numpy {numpy}, scipy {scipy}), however many `--jobs` there are.

## What is simulated
{pairs} pairs, 27 % Same; a vote's logit is a sum of normal effects of its pair and its rater (`analysis.simulation`).
"""
PAIRS = 200

PANELS = """The first three panels have the size and shape of published studies, about 5,000 votes. The others are hard
on purpose: raters so few, so unequal or so brief that there is little to learn about raters from.
"""

CHOICES = """## Choices that the figures depend on
- Same is pressed with one chance by everybody, whatever is shown. Sides are drawn evenly for every vote.
- A skewed pair effect (S7) is exponential, moved so that the mean net preference is exactly 0; with four arms it is
  the images' effects that are exponential, and a difference of two of them is symmetric.
- Leaning to a side (S8) has mean 0 over raters: with sides dealt evenly it is noise, not bias.
- Raters come in random order and one after the other; a partial rater's pairs are drawn evenly.
- With four arms all are equally good. Intervals of arms that differ are not tried here.
"""


def page(document: Document) -> str:
    """The whole page as Markdown."""
    panels = {name: panel["words"] for name, panel in document["panels"].items()}
    parts = [
        INTRODUCTION.format(seed=document["seed"], pairs=PAIRS, **document["software"]),
        _legend("Setting", "spreads in logits", document["settings"]),
        _legend("Panel", "raters", panels),
        PANELS,
        "## What it says\n" + "\n".join(f"- {line}" for line in _reading(document)) + "\n",
        *(_table(table, document) for table in TABLES if _rates(table, document)),
        _power(document),
        CHOICES,
    ]
    return "\n".join(parts)


def _legend(name: str, what: str, words: Mapping[str, str]) -> str:
    rows = (f"| {key} | {text} |" for key, text in words.items())
    return "\n".join([f"| {name} | {what} |", "|---|---|", *rows]) + "\n"


Rates = dict[tuple[str, str], Mapping[str, float]]


def _rates(table: Table, document: Document) -> Rates:
    # Null settings only, by panel and setting, and only cells in which the figure could be had.
    cells = document["cells"]
    keys = {(p, s): f"{table.family}/{s}/{p}" for p in document["panels"] for s in document["settings"]}
    found = {place: cells[key][table.figure] for place, key in keys.items() if table.figure in cells.get(key, {})}
    return {place: cell for place, cell in found.items() if cell["replicates"]}


def _table(table: Table, document: Document) -> str:
    rates = _rates(table, document)
    settings = list(document["settings"])
    lines = [
        f"## {table.title}",
        table.legend + "\n",
        "| panel | studies | " + " | ".join(settings) + " |",
        "|---" * (len(settings) + 2) + "|",
    ]
    for panel in document["panels"]:
        row = [rates.get((panel, setting)) for setting in settings]
        studies = sorted({int(cell["replicates"]) for cell in row if cell})
        if studies:
            count = "-".join(map(str, dict.fromkeys((studies[0], studies[-1]))))
            lines.append(f"| {panel} | {count} | " + " | ".join(_shown(cell) for cell in row) + " |")
    return "\n".join(lines) + "\n"


def _shown(cell: Mapping[str, float] | None) -> str:
    return f"{cell['rate']:.3f} ({cell['se'] * 1000:.0f})" if cell else ""


def _reading(document: Document) -> Iterator[str]:
    for table in TABLES:
        rates, said = _rates(table, document), []
        for is_realistic, where in ((True, "realistic"), (False, "hard")):
            part = {place: c for place, c in rates.items() if document["panels"][place[0]]["realistic"] is is_realistic}
            if part:
                said.append(f"{_range(part)} in {len(part)} {where} cells{_beyond(part, table)}")
        if said:
            yield f"**{table.title}**: {' '.join(said)} {table.why}"


def _range(rates: Rates) -> str:
    lowest, highest = (pick(rates, key=lambda place: rates[place]["rate"]) for pick in (min, max))
    panel, setting = highest
    return f"{rates[lowest]['rate']:.3f} to {rates[highest]['rate']:.3f} ({setting}, panel {panel})"


def _beyond(rates: Rates, table: Table) -> str:
    if table.is_warning:
        return "."
    above = [f"{setting} with panel {panel}" for (panel, setting), cell in rates.items() if cell["rate"] > HIGH]
    below = [f"{setting} with panel {panel}" for (panel, setting), cell in rates.items() if cell["rate"] < LOW]
    if table.figure != HEADLINE:
        below = []
    said = [f"above {HIGH}: {', '.join(above)}"] * bool(above) + [f"below {LOW}: {', '.join(below)}"] * bool(below)
    band = f"from {LOW} to {HIGH}" if table.figure == HEADLINE else f"up to {HIGH}"
    return f"; {'; '.join(said)}." if said else f", all {band}."


def _power(document: Document) -> str:
    lines = [
        "## What the same tests find when there is something to find",
        "The share of studies in which the test rejects, and after how many raters the monitor stopped: the mean over",
        "the studies that it stopped.\n",
        "| preference | panel | headline | normal mixture | raters at its stop | planned looks | bets on raters |",
        "|---|---|---|---|---|---|---|",
    ]
    figures = (HEADLINE, "two_way_normal_mixture", "raters_at_stop", "planned_looks", "rater_level")
    for setting, words in document["power"].items():
        for panel in document["panels"]:
            if cell := document["cells"].get(f"two_arms/{setting}/{panel}"):
                lines.append(f"| {words} | {panel} | " + " | ".join(_found(cell[name]) for name in figures) + " |")
    return "\n".join(lines) + "\n"


def _found(cell: Mapping[str, float]) -> str:
    return f"{cell['rate']:.1f}" if cell["rate"] > 1 else f"{cell['rate']:.3f} ({cell['se'] * 1000:.0f})"
