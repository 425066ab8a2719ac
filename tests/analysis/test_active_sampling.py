"""The next two arms: scores and gains against brute force, and what active sampling promises."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.special import rel_entr
from scipy.stats import kendalltau, norm

from analysis.active_sampling import (
    PRIOR_VARIANCE,
    Scores,
    expected_gains,
    next_batch,
    scores_of,
    spanning_pairs,
)

LN2 = np.log(2)


def votes(k: int, table: dict[tuple[int, int], float]) -> np.ndarray:
    won = np.zeros((k, k))
    for pair, n in table.items():
        won[pair] = n
    return won


def everybody(k: int) -> np.ndarray:
    return ~np.eye(k, dtype=bool)


class Grid:
    """Three arms' exact posterior, by summing over a grid of all their scores."""

    def __init__(self, won: np.ndarray) -> None:
        side = np.linspace(-3.2, 3.2, 65)
        self.scores = np.stack(np.meshgrid(side, side, side, indexing="ij")).reshape(3, -1)
        log = -(self.scores**2).sum(axis=0) / (2 * PRIOR_VARIANCE)
        for i, j in product(range(3), repeat=2):
            log += won[i, j] * norm.logcdf(self.scores[i] - self.scores[j])
        self.p = np.exp(log - log.max())
        self.p /= self.p.sum()

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        mean = self.scores @ self.p
        return mean, (self.scores - mean[:, None]) * self.p @ (self.scores - mean[:, None]).T

    def expected_divergence(self, i: int, j: int) -> float:
        """As ASAP writes it: how far either vote would move the posterior, weighed by the vote's chance."""
        wins = norm.cdf(self.scores[i] - self.scores[j])
        gain = 0.0
        for likelihood in (wins, 1 - wins):
            chance = float(likelihood @ self.p)
            gain += chance * float(rel_entr(likelihood * self.p / chance, self.p).sum())
        return gain


TABLES = [
    {},
    {(0, 1): 1},
    {(0, 1): 3, (1, 0): 1, (1, 2): 2, (2, 1): 2},
    {(0, 1): 9, (1, 2): 7, (2, 1): 1, (0, 2): 4, (2, 0): 0.5},
    {(0, 1): 6.5, (1, 0): 5.5, (0, 2): 30, (2, 0): 3},
]


@pytest.mark.parametrize("table", TABLES)
def test_scores_are_those_of_the_exact_posterior(table: dict[tuple[int, int], float]) -> None:
    mean, covariance = Grid(votes(3, table)).moments()
    found = scores_of(votes(3, table))
    np.testing.assert_allclose(found.mean, mean, atol=0.01)
    np.testing.assert_allclose(found.covariance, covariance, atol=0.01)


@pytest.mark.parametrize("table", TABLES)
def test_a_gain_is_the_expected_divergence_of_the_exact_posterior(table: dict[tuple[int, int], float]) -> None:
    grid, gains = Grid(votes(3, table)), expected_gains(scores_of(votes(3, table)))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert gains[i, j] == pytest.approx(grid.expected_divergence(i, j), rel=0.06)


def test_without_votes_a_vote_tells_what_a_uniform_coin_does() -> None:
    # The difference is N(0, 1), so its Phi is uniform: h(1/2) - integral of h = ln 2 - 1/2.
    gains = expected_gains(scores_of(np.zeros((4, 4))))
    np.testing.assert_allclose(gains[everybody(4)], LN2 - 0.5, rtol=1e-12)
    np.testing.assert_array_equal(np.diag(gains), 0)


def test_gains_do_not_depend_on_the_order_of_two_arms() -> None:
    gains = expected_gains(scores_of(votes(5, {(0, 1): 4, (1, 3): 2, (4, 2): 7})))
    np.testing.assert_allclose(gains, gains.T, rtol=1e-12)


def test_renaming_the_arms_renames_the_scores_and_gains() -> None:
    won, order = votes(4, {(0, 1): 4, (1, 3): 2, (2, 0): 7}), [2, 0, 3, 1]
    here, there = scores_of(won), scores_of(won[np.ix_(order, order)])
    np.testing.assert_allclose(there.mean, here.mean[order], atol=1e-9)
    np.testing.assert_allclose(expected_gains(there), expected_gains(here)[np.ix_(order, order)], atol=1e-12)


def test_turning_every_vote_round_turns_the_scores_round() -> None:
    won = votes(4, {(0, 1): 4, (1, 3): 2, (2, 0): 7})
    np.testing.assert_allclose(scores_of(won.T).mean, -scores_of(won).mean, atol=1e-9)


def test_a_pair_tells_less_the_more_votes_it_has() -> None:
    gains = [expected_gains(scores_of(votes(4, {(0, 1): n, (1, 0): n})))[0, 1] for n in (0, 1, 5, 50, 5000, 500_000)]
    assert all(later < earlier for earlier, later in pairwise(gains))
    assert gains[-1] > 0


def test_of_pairs_known_equally_well_the_closest_tells_most() -> None:
    scores = Scores(np.array([0.0, 0.1, 1.0, 3.0]), 0.2 * np.eye(4))
    gains = expected_gains(scores)
    assert gains[0, 1] > gains[0, 2] > gains[0, 3]
    assert gains[0, 1] > gains[1, 2] > gains[2, 3]


def test_of_equally_close_pairs_the_one_with_few_votes_tells_most() -> None:
    gains = expected_gains(scores_of(votes(4, {(0, 1): 20, (1, 0): 20, (2, 3): 2, (3, 2): 2})))
    assert gains[2, 3] > gains[0, 1]


@pytest.mark.parametrize("n", [1, 1e3, 1e6])
def test_scores_are_found_for_any_number_of_votes_even_if_one_arm_wins_all(n: float) -> None:
    won = np.triu(np.full((6, 6), n), k=1)
    found = scores_of(won)
    assert np.all(np.diff(found.mean) < 0)
    np.testing.assert_allclose(found.mean + found.mean[::-1], 0, atol=1e-6)


def test_scores_recover_those_that_votes_were_simulated_from() -> None:
    rng = np.random.default_rng(5)
    true = np.array([-0.9, -0.3, 0.0, 0.2, 1.0])
    won = np.zeros((5, 5))
    for i, j in zip(*np.triu_indices(5, k=1), strict=True):
        won[i, j] = rng.binomial(2000, norm.cdf(true[i] - true[j]))
        won[j, i] = 2000 - won[i, j]
    found = scores_of(won)
    errors = np.sqrt(np.diag(found.covariance) - found.covariance.mean())
    assert np.all(np.abs(found.mean - (true - true.mean())) < 4 * errors)
    assert errors.max() < 0.02


def test_a_tree_links_all_arms_with_the_largest_gains() -> None:
    gains = np.zeros((4, 4))
    for (i, j), gain in {(0, 1): 0.9, (0, 2): 0.8, (1, 2): 0.7, (2, 3): 0.1, (0, 3): 0.05, (1, 3): 0.01}.items():
        gains[i, j] = gains[j, i] = gain
    tree = spanning_pairs(gains, possible=everybody(4), rng=np.random.default_rng(1))
    assert {(int(i), int(j)) for i, j in zip(*np.nonzero(tree), strict=True)} == {(0, 1), (0, 2), (2, 3)}


def test_equal_gains_give_another_tree_by_chance() -> None:
    trees = {
        spanning_pairs(np.ones((5, 5)), possible=everybody(5), rng=np.random.default_rng(s)).tobytes()
        for s in range(30)
    }
    assert len(trees) > 20


def test_a_pair_that_tells_nothing_any_more_may_still_link_the_arms() -> None:
    gains = np.zeros((3, 3))
    gains[0, 1] = gains[1, 0] = 0.5
    tree = spanning_pairs(gains, possible=everybody(3), rng=np.random.default_rng(1))
    assert tree.sum() == 2
    assert tree[0, 1]


@pytest.mark.parametrize("exploration", [0.0, 0.2, 1.0])
def test_chances_sum_to_one_and_no_pair_is_left_out_while_there_is_exploration(exploration: float) -> None:
    won = votes(6, {(0, 1): 40, (2, 3): 9, (3, 2): 9, (4, 5): 3.5, (5, 4): 0.5})
    batch = next_batch(won, possible=everybody(6), exploration=exploration, rng=np.random.default_rng(2))
    chances = batch.chances
    assert chances.sum() == pytest.approx(1, abs=1e-12)
    upper = chances[np.triu_indices(6, k=1)]
    np.testing.assert_array_equal(chances, np.triu(chances, k=1))
    assert upper.min() == pytest.approx(exploration / 15)
    # Five pairs of the tree share what is not explored.
    in_tree = upper > exploration / 15 + 1e-12
    assert in_tree.sum() == (0 if exploration == 1 else 5)
    np.testing.assert_allclose(upper[in_tree], exploration / 15 + (1 - exploration) / 5)


def test_a_pair_that_cannot_be_shown_is_never_drawn() -> None:
    possible = everybody(4)
    possible[0, 1] = possible[1, 0] = False
    chances = next_batch(np.zeros((4, 4)), possible=possible, exploration=0.2, rng=np.random.default_rng(2)).chances
    assert chances[0, 1] == 0
    assert chances.sum() == pytest.approx(1)


def test_pairs_that_fall_apart_into_two_parts_are_drawn_in_both() -> None:
    possible = np.zeros((4, 4), dtype=bool)
    for i, j in ((0, 1), (2, 3)):
        possible[i, j] = possible[j, i] = True
    chances = next_batch(np.zeros((4, 4)), possible=possible, exploration=0.2, rng=np.random.default_rng(2)).chances
    assert chances[0, 1] == chances[2, 3] == pytest.approx(0.5)


def test_the_pairs_of_a_tree_come_once_each_in_a_drawn_order() -> None:
    won = votes(6, {(0, 1): 40, (2, 3): 9, (3, 2): 9, (4, 5): 3.5, (5, 4): 0.5})
    batches = [
        next_batch(won, possible=everybody(6), exploration=0.2, rng=np.random.default_rng(seed)) for seed in range(20)
    ]
    for batch in batches:
        in_turn = {(int(i), int(j)) for i, j in batch.turns}
        likely = np.argwhere(batch.chances > 0.2 / 15 + 1e-12)
        assert in_turn == {(int(i), int(j)) for i, j in likely}
        assert len(batch.turns) == 5
        assert np.all(batch.turns[:, 0] < batch.turns[:, 1])
    assert len({batch.turns.tobytes() for batch in batches}) > 10


def ranking_error(n_votes: int, *, exploration: float, seed: int) -> float:
    """Kendall distance (0: same order, 2: reversed) between found and true order of ten arms after so many votes."""
    rng = np.random.default_rng(seed)
    true, won = rng.normal(0, 2, 10), np.zeros((10, 10))
    for _ in range(n_votes // 9):
        batch = next_batch(won, possible=everybody(10), exploration=exploration, rng=rng)
        for turn in batch.turns:
            i, j = rng.choice(10, size=2, replace=False) if rng.random() < exploration else turn
            wins = rng.random() < norm.cdf(true[i] - true[j])
            won[(i, j) if wins else (j, i)] += 1
    return 1 - float(kendalltau(scores_of(won).mean, true).statistic)


def test_active_sampling_ranks_ten_arms_as_well_as_uniform_draws_with_a_third_fewer_votes() -> None:
    active = np.mean([ranking_error(180, exploration=0.2, seed=seed) for seed in range(20)])
    uniform = np.mean([ranking_error(270, exploration=1.0, seed=seed) for seed in range(20)])
    assert active < uniform
