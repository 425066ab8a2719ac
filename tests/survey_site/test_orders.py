"""A rater's own order is a permutation, the same every time and another for another key."""

import pytest

from survey_site.voting.orders import position_at


def order(n: int, *, key: int) -> list[int]:
    return [position_at(place, key=key, n=n) for place in range(n)]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 40, 64, 65, 200, 1001])
def test_every_position_comes_once(n: int) -> None:
    assert sorted(order(n, key=4711)) == list(range(n))


def test_another_rater_has_another_order() -> None:
    assert order(40, key=1) == order(40, key=1)
    assert order(40, key=1) != order(40, key=2)


def test_every_position_is_equally_often_first_among_many_raters() -> None:
    n, n_raters = 20, 4000
    counts = [0] * n
    for rater in range(n_raters):
        counts[position_at(0, key=rater * 0x5DEECE66D, n=n)] += 1
    expected = n_raters / n
    chi_square = sum((count - expected) ** 2 / expected for count in counts)
    # The 99.9 % quantile of chi-square with 19 degrees of freedom: scipy.stats.chi2.ppf(0.999, 19).
    assert chi_square < 43.82


def test_a_place_outside_the_order_is_refused() -> None:
    with pytest.raises(ValueError, match="Place 5 is outside an order of 5"):
        position_at(5, key=0, n=5)
