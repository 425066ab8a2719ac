"""Do raters agree: vote by vote beyond chance, and in the picture that half of them give of the comparisons?

Votes are read in arm terms, never as left and right: two raters who saw the sides swapped and chose the same image
agree.
"""

from __future__ import annotations

from dataclasses import dataclass

from analysis.intervals import Interval
from analysis.records import Unavailable


@dataclass(frozen=True)
class Agreement:
    """How far raters agree on the same comparison, over the comparisons with at least two votes.

    n, pairs, raters: of the whole log; pairs_with_two_votes enter. alpha_*: Krippendorff's, 1 = always, 0 = as by
    chance; nominal (three answers), interval and ordinal (first arm - Same - second arm), side_only (Same left out).
    Interval and ordinal are None where all answers are equal, as nominal is undefined then.
    *_ci95: percentile interval over alpha_rounds draws of comparisons; None where it is undefined.
    percent_agreement_*: share (0 to 1) of vote pairs that agree, each comparison, or each pair of votes, weighing the
    same. split_half_r_mean: correlation of the comparisons' net preferences in two random halves of the raters, mean
    of `splits` halvings that have one (None without any); split_half_spearman_brown: the same for all raters.
    reading: what these say together, in a sentence. seed: of the draws, None for a generator of the caller's.
    """

    n: int
    pairs: int
    raters: int
    pairs_with_two_votes: int
    alpha_nominal: float | Unavailable
    alpha_nominal_ci95: Interval | None
    alpha_interval: float | None
    alpha_interval_ci95: Interval | None
    alpha_ordinal: float | None
    alpha_ordinal_ci95: Interval | None
    alpha_side_only: float | Unavailable
    alpha_side_only_ci95: Interval | None
    alpha_rounds: int
    fleiss_kappa_generalised: float | Unavailable
    percent_agreement_mean_over_pairs: float
    percent_agreement_weighted_by_vote_pairs: float
    split_half_r_mean: float | None
    split_half_spearman_brown: float | None
    splits: int
    seed: int | None
    reading: str
