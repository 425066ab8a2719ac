"""Which two arms to compare next: the information that one more vote is expected to give about all arms' scores.

ASAP: Mikhailiuk, Wilmot, Perez-Ortiz, Yue, Mantiuk (2021), "Active sampling for pairwise comparisons via approximate
message passing and information gain maximization", ICPR 2020, arXiv 2004.05691. As there, scores s have independent
priors N(0, 1/2), a vote prefers arm i over arm j with probability Phi(s_i - s_j) (Thurstone's case V), the posterior is
Gaussian by expectation propagation, and a batch is the minimum spanning tree of the inverse gains: K - 1 pairs that
link all arms. Unlike there

- votes on one pair and with one outcome share one site, so the cost depends on the number of arms, not of votes;
- the posterior keeps its covariances, so the expected Kullback-Leibler divergence from posterior to prior needs no
  second round of message passing: it is the mutual information between the vote and the two scores' difference, an
  integral over one normal variable;
- Same counts as half a vote for each arm;
- a share of the draws is uniform over all pairs; in the others the pairs of the tree come in turn, in a drawn order. So
  every pair has a known chance above zero, and yet a batch shows its pairs once each: drawing them independently
  instead gives most of the gain away.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse, special
from scipy.sparse.csgraph import minimum_spanning_tree

from analysis.intervals import Floats
from analysis.votes import Ints

Bools = npt.NDArray[np.bool_]

PRIOR_VARIANCE = 0.5
# Expectation propagation: how far sites move in a step, when they have arrived, and when to give up.
DAMPING = 0.7
ARRIVED = 1e-9
MOST_STEPS = 2000
# A vote's information is an integral over a normal of variance 1 at most; this many nodes give it to 12 digits.
NODES, WEIGHTS = np.polynomial.hermite_e.hermegauss(48)
# Gains that differ by rounding alone are equal, and chance decides between them.
DIGITS = 12


@dataclass(frozen=True, eq=False)
class Scores:
    """What is known of K arms' scores, a normal distribution. mean: float64 [K]. covariance: float64 [K, K]."""

    mean: Floats
    covariance: Floats


@dataclass(frozen=True, eq=False)
class Batch:
    """What to draw from until some more votes are in.

    turns: int64 [T, 2], the tree's pairs in the order in which they come, the smaller index first.
    chances: float64 [K, K], above the diagonal; of each pair in any one draw, before the order of turns was drawn.
    """

    turns: Ints
    chances: Floats


def next_batch(won: Floats, *, possible: Bools, exploration: float, rng: np.random.Generator) -> Batch:
    """Return the pairs that are expected to tell most, and the chances of all pairs.

    won: float64 [K, K], votes for the row's arm over the column's, a Same as half of one to each.
    possible: bool [K, K]: above the diagonal, the pairs that can be shown, at least one.
    exploration: share of uniform draws. rng: decides between equal gains, and the order.
    """
    allowed = np.triu(possible, k=1)
    tree = spanning_pairs(expected_gains(scores_of(won)), possible=allowed, rng=rng)
    chances = exploration * allowed / allowed.sum() + (1 - exploration) * tree / tree.sum()
    return Batch(rng.permutation(np.argwhere(tree)), chances)


def scores_of(won: Floats) -> Scores:
    """Return the posterior of the arms' scores by expectation propagation. won: as in `next_batch`.

    Minka (2001), "A family of algorithms for approximate Bayesian inference", sections 3.2 and 5; sites of equal votes
    are equal, so each stands for all of them. Raises ArithmeticError if the sites find no rest.
    """
    first, second = np.nonzero(won)
    n = won[first, second]
    contrasts = np.zeros((len(n), len(won)))
    contrasts[np.arange(len(n)), first], contrasts[np.arange(len(n)), second] = 1.0, -1.0
    precision, shift = np.zeros(len(n)), np.zeros(len(n))
    for _ in range(MOST_STEPS):
        scores = _with_sites(contrasts, precision=n * precision, shift=n * shift)
        wanted_precision, wanted_shift = _sites(contrasts, scores, precision=precision, shift=shift)
        moved = np.abs(wanted_precision - precision).max(initial=0), np.abs(wanted_shift - shift).max(initial=0)
        if max(moved) < ARRIVED:
            return scores
        precision = precision + DAMPING * (wanted_precision - precision)
        shift = shift + DAMPING * (wanted_shift - shift)
    raise ArithmeticError(f"expectation propagation on {len(won)} arms did not arrive in {MOST_STEPS} steps")


def expected_gains(scores: Scores) -> Floats:
    """Return what one more vote on each two arms is expected to tell of the scores, in nats: [K, K], symmetric.

    The mutual information of the vote y and the difference d ~ N(m, v) of the two scores,
    H(y) - E H(y | d) = h(Phi(m / sqrt(1 + v))) - E h(Phi(d)), where h is the entropy of a coin.
    """
    mean = scores.mean[:, None] - scores.mean[None, :]
    variances = np.diag(scores.covariance)
    variance = np.maximum(variances[:, None] + variances[None, :] - 2 * scores.covariance, 0.0)
    differences = mean[..., None] + np.sqrt(variance)[..., None] * NODES
    left_over: Floats = _entropy(differences) @ (WEIGHTS / WEIGHTS.sum())
    gains: Floats = np.maximum(_entropy(mean / np.sqrt(1 + variance)) - left_over, 0.0)
    np.fill_diagonal(gains, 0.0)
    return gains


def spanning_pairs(gains: Floats, *, possible: Bools, rng: np.random.Generator) -> Bools:
    """Return the pairs that link all arms with the largest gains: bool [K, K], above the diagonal.

    The minimum spanning tree of the inverse gains; a forest where the possible pairs do not link all arms.
    """
    first, second = np.nonzero(np.triu(possible, k=1))
    # A tree depends on the order of the weights alone, and ranks neither divide by zero nor tie.
    order = np.lexsort((rng.random(len(first)), -np.round(gains[first, second], DIGITS)))
    weights = np.empty(len(first))
    weights[order] = np.arange(1, len(first) + 1)
    tree = minimum_spanning_tree(sparse.csr_array((weights, (first, second)), shape=gains.shape))
    return np.asarray(tree.toarray() > 0)


def _with_sites(contrasts: Floats, *, precision: Floats, shift: Floats) -> Scores:
    """The prior times all sites. contrasts: [S, K]. precision, shift: [S], natural parameters, all votes of a site."""
    prior = np.eye(contrasts.shape[1]) / PRIOR_VARIANCE
    covariance = np.linalg.inv(prior + contrasts.T @ (precision[:, None] * contrasts)).astype(np.float64)
    return Scores(covariance @ (contrasts.T @ shift), covariance)


def _sites(contrasts: Floats, scores: Scores, *, precision: Floats, shift: Floats) -> tuple[Floats, Floats]:
    """Natural parameters that match the moments of one vote's likelihood Phi(d) times all else that is known of d."""
    variance = np.einsum("sk,kl,sl->s", contrasts, scores.covariance, contrasts)
    cavity_variance = 1 / (1 / variance - precision)
    cavity_mean = cavity_variance * (contrasts @ scores.mean / variance - shift)
    # Rasmussen, Williams (2006), "Gaussian processes for machine learning", equation 3.58.
    z = cavity_mean / np.sqrt(1 + cavity_variance)
    ratio = np.exp(-(z**2) / 2 - special.log_ndtr(z)) / np.sqrt(2 * np.pi)
    mean = cavity_mean + cavity_variance * ratio / np.sqrt(1 + cavity_variance)
    tilted = cavity_variance - cavity_variance**2 * ratio * (z + ratio) / (1 + cavity_variance)
    return 1 / tilted - 1 / cavity_variance, mean / tilted - cavity_mean / cavity_variance


def _entropy(x: Floats) -> Floats:
    """Entropy of a coin that shows heads with probability Phi(x), in nats."""
    entropy: Floats = -(special.ndtr(x) * special.log_ndtr(x) + special.ndtr(-x) * special.log_ndtr(-x))
    return entropy
