"""The benchmark of active sampling compares like with like."""

from collections import Counter

import numpy as np
import pytest

from benchmarks.active_sampling import VOTES_PER_ARM, _even, errors_of_both, votes_saved


def test_both_designs_are_looked_at_after_every_batch_of_votes() -> None:
    even, active = errors_of_both(1, arms=4, spread=1.0)
    assert len(even) == len(active) == VOTES_PER_ARM * 4 // 3
    assert all(0 <= error <= 1 for error in even + active)
    assert errors_of_both(1, arms=4, spread=1.0) == (even, active)


def test_the_even_design_shows_all_pairs_before_any_again() -> None:
    design, rng = _even(), np.random.default_rng(1)
    shown = Counter(pair for _ in range(10) for pair in design(np.zeros((5, 5)), rng))
    assert len(shown) == 10
    assert set(shown.values()) == {4}


@pytest.mark.parametrize(
    ("even", "active", "saved"),
    [
        ([0.5, 0.4, 0.3, 0.2], [0.4, 0.2, 0.1, 0.1], 0.5),
        ([0.5, 0.4, 0.3, 0.2], [0.4, 0.2, 0.3, 0.2], 0.0),
        ([0.5, 0.4, 0.3, 0.2], [0.5, 0.4, 0.3, 0.2], 0.0),
        ([0.5, 0.4, 0.3, 0.2], [0.5, 0.5, 0.5, 0.5], 0.0),
    ],
)
def test_votes_are_saved_where_the_even_designs_last_error_is_reached_earlier_and_kept(
    even: list[float], active: list[float], saved: float
) -> None:
    assert votes_saved(np.array(even), np.array(active)) == saved
