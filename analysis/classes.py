"""Do raters prefer one arm in some classes of images and the other in others? Many classes, few comparisons each.

A class with few comparisons looks extreme by luck. Each class mean is therefore also shown drawn towards the mean of
all classes, the more the less is known about it (partial pooling). Comparisons are the units: one comparison that
everybody votes on must not count as many.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.intervals import Interval
from analysis.multiplicity import Family


@dataclass(frozen=True)
class ClassRow:
    """One class: the mean of its comparisons' net preferences (-1 to 1, positive = first arm).

    pairs: its judged comparisons. ci95, p: Student t with the pooled within-class variance, against 0.
    shrunken: the mean drawn towards that of all classes; sd: of the class given that mean; shrunken_ci95 allows for
    the common mean's own error too. p_adjusted: p corrected for the number of classes.
    """

    class_label: str
    pairs: int
    mean: float
    ci95: Interval
    shrunken: float
    sd: float
    shrunken_ci95: Interval
    p: float
    p_adjusted: float


@dataclass(frozen=True)
class Classes:
    """All classes with a judged comparison, in the study's order.

    mu, mu_se: mean over classes and its error. tau2: variance between classes beyond what their few comparisons
    explain. s2: pooled variance of comparisons within a class, with df = pairs - classes degrees of freedom.
    q: Cochran's Q against equal classes, p_equal its chi-squared p-value.
    """

    n: int
    pairs: int
    mu: float
    mu_se: float
    tau2: float
    s2: float
    df: int
    q: float
    p_equal: float
    family: Family
    rows: tuple[ClassRow, ...]


@dataclass(frozen=True)
class ShrunkenPair:
    """One comparison's net preference, as it is and drawn towards that of all comparisons; sd of the latter."""

    pair: str
    class_label: str
    votes: int
    mean: float
    shrunken: float
    sd: float


@dataclass(frozen=True)
class ShrunkenPairs:
    """All judged comparisons, in the study's order, partially pooled as classes are.

    s2: pooled variance of the votes within a comparison, with df = votes - pairs degrees of freedom.
    mu, mu_se, tau2: mean over comparisons, its error, and the variance between comparisons.
    """

    n: int
    pairs: int
    mu: float
    mu_se: float
    tau2: float
    s2: float
    df: int
    rows: tuple[ShrunkenPair, ...]
