"""The forest of classes, and of comparisons where each class has one."""

import re

from analysis.charts.classes import MOST_PAIRS, of_classes, of_pairs
from analysis.charts.rendering import svg_of
from analysis.classes import Classes, ClassRow, ShrunkenPair, ShrunkenPairs
from analysis.multiplicity import Correction, Family
from tests.analysis.charts.specs import rows_of

ARMS = ("robust", "vanilla")


def classes_of(means: dict[str, float]) -> Classes:
    rows = tuple(
        ClassRow(
            class_label=label,
            pairs=4,
            mean=mean,
            ci95=(mean - 0.3, mean + 0.3),
            shrunken=mean / 2,
            sd=0.1,
            shrunken_ci95=(mean / 2 - 0.2, mean / 2 + 0.2),
            p=0.5,
            p_adjusted=0.6,
        )
        for label, mean in means.items()
    )
    family = Family(Correction.BH, entered=len(rows), of=len(rows), left_out=())
    return Classes(len(rows), 4 * len(rows), 0.05, 0.02, 0.01, 0.1, 3 * len(rows), 5.0, 0.4, family, rows)


def pairs_of(count: int) -> ShrunkenPairs:
    rows = tuple(ShrunkenPair(f"p{n}", "cat", 20, n / count, n / count / 2, 0.1) for n in range(count))
    return ShrunkenPairs(20 * count, count, 0.25, 0.02, 0.01, 0.1, 19 * count, rows)


def test_classes_stand_in_the_order_of_their_shrunken_means_in_points() -> None:
    rows = rows_of(of_classes(classes_of({"cat": -0.2, "dog": 0.4}), ARMS), "estimate")
    assert [(row["row"][5:], row["estimate"], row["low"], row["raw"]) for row in rows] == [
        ("dog (4)", 20, 0, 40),
        ("cat (4)", -10, -30, -20),
    ]


def test_two_classes_of_one_name_keep_a_row_each() -> None:
    twice = of_pairs(
        ShrunkenPairs(2, 2, 0, 0.1, 0.1, 0.1, 1, tuple(ShrunkenPair("p", "cat", 1, x, x, 0.1) for x in (0.1, 0.2))),
        ARMS,
    )
    assert svg_of(twice).count(">p cat</text>") == 2


def test_of_many_comparisons_only_the_ends_are_drawn_and_it_says_so() -> None:
    drawing = of_pairs(pairs_of(5000), ARMS)
    rows = rows_of(drawing, "estimate")
    assert len(rows) == MOST_PAIRS
    assert rows[0]["row"].endswith("p4999 cat")
    assert rows[-1]["row"].endswith("p0 cat")
    assert "the 8 highest, then the 8 lowest, of 5,000" in svg_of(drawing)


def test_names_are_drawn_whatever_they_hold() -> None:
    svg = svg_of(of_classes(classes_of({'it\'s "A" \\ <b>': 0.1, "näh 魚": 0.2}), ARMS))
    texts = re.findall(r">([^<>]+)</text>", svg)
    assert "it's &quot;A&quot; \\ &lt;b&gt; (4)" in texts or 'it\'s "A" \\ &lt;b&gt; (4)' in texts
    assert "näh 魚 (4)" in texts


def test_the_alt_text_names_the_extremes() -> None:
    alt = of_classes(classes_of({"cat": -0.2, "dog": 0.4, "cow": 0.1}), ARMS).alt
    assert "3 classes" in alt
    assert "Highest dog with 20.0, lowest cat with \N{MINUS SIGN}10.0 points." in alt
