"""T9: where checks stand is uniform over what is allowed, never adjacent, repeatable, and known to nobody else."""

from collections import Counter
from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from survey_site.design.check_plans import Supply, kind_at, n_trials
from survey_site.design.designs import Checks

SECRET = "a study's secret"


def kinds(n: int, checks: Checks, *, key: int = 1, secret: str = SECRET) -> list[str]:
    return [kind_at(position, checks=checks, key=key, secret=secret) for position in range(n)]


@st.composite
def some_checks(draw: st.DrawFn) -> Checks:
    block = draw(st.integers(4, 40))
    per_block = draw(st.integers(0, (block - 1) // 2))
    named = draw(st.lists(st.sampled_from(["gold", "identical", "repeat"]), min_size=1, unique=True))
    return Checks(block=block, per_block=per_block, kinds=tuple(named))


@given(some_checks(), st.integers(0, 2**62), st.text(min_size=1))
def test_every_block_holds_its_checks_after_its_first_two_trials_and_never_two_in_a_row(
    checks: Checks, key: int, secret: str
) -> None:
    sequence = kinds(5 * checks.block, checks, key=key, secret=secret)
    for start in range(0, len(sequence), checks.block):
        block = sequence[start : start + checks.block]
        assert sum(kind != "normal" for kind in block) == checks.per_block
        assert block[:2] == ["normal", "normal"]
    pairs = pairwise(sequence)
    assert all("normal" in pair for pair in pairs)
    assert set(sequence) <= {"normal", *checks.kinds}


@given(some_checks(), st.integers(0, 2**62), st.integers(0, 300))
def test_the_number_of_trials_is_what_the_sequence_needs_for_its_normal_ones(
    checks: Checks, key: int, n_normal: int
) -> None:
    n = n_trials(n_normal, checks=checks, key=key, secret=SECRET)
    sequence = kinds(n, checks, key=key)
    assert sequence.count("normal") == n_normal
    assert not sequence or sequence[-1] == "normal"


@pytest.mark.parametrize(("block", "per_block"), [(10, 1), (10, 3), (9, 3), (8, 2)])
def test_all_allowed_placements_are_equally_likely(block: int, per_block: int) -> None:
    checks = Checks(block=block, per_block=per_block)
    allowed = [
        places
        for places in combinations(range(2, block), per_block)
        if all(later - earlier > 1 for earlier, later in pairwise(places))
    ]
    # Many raters and many blocks of each, so that neither may favour a placement.
    seen: Counter[tuple[int, ...]] = Counter()
    for key in range(100):
        sequence = kinds(40 * block, checks, key=key * 1_000_003)
        for start in range(0, len(sequence), block):
            of_block = sequence[start : start + block]
            seen[tuple(place for place, kind in enumerate(of_block) if kind != "normal")] += 1
    assert set(seen) <= set(allowed)
    assert chisquare([seen[places] for places in allowed]).pvalue > 0.001


def test_each_kind_is_as_likely_at_each_place_of_a_block() -> None:
    checks = Checks(block=10, per_block=2)
    seen: Counter[tuple[int, str]] = Counter()
    for key in range(300):
        for position, kind in enumerate(kinds(200, checks, key=key)):
            seen[position % 10, kind] += kind != "normal"
    for place in range(2, 10):
        assert chisquare([seen[place, kind] for kind in checks.kinds]).pvalue > 0.001


@given(some_checks(), st.integers(0, 2**62))
def test_kinds_come_equally_often(checks: Checks, key: int) -> None:
    counts = Counter(kinds(12 * checks.block, checks, key=key))
    of_checks = [counts[kind] for kind in checks.kinds]
    assert max(of_checks) - min(of_checks) <= 1


def test_the_order_of_kinds_is_drawn_anew_each_round() -> None:
    checks = Checks(block=10, per_block=3)
    orders = Counter(tuple(kind for kind in kinds(10, checks, key=key) if kind != "normal") for key in range(1200))
    assert len(orders) == 6
    assert chisquare(list(orders.values())).pvalue > 0.001


def test_a_plan_is_the_same_at_every_look_in_any_order() -> None:
    checks = Checks(per_block=3)
    forwards = kinds(100, checks)
    backwards = [kind_at(position, checks=checks, key=1, secret=SECRET) for position in reversed(range(100))]
    assert forwards == backwards[::-1]


def test_a_plan_of_today_is_that_of_later_versions() -> None:
    # A study goes on over updates of Python and of this program: its raters' plans must not move.
    places = [position for position, kind in enumerate(kinds(50, Checks(per_block=2))) if kind != "normal"]
    assert places == [4, 6, 12, 17, 26, 29, 35, 37, 42, 48]


def test_raters_and_studies_have_plans_of_their_own() -> None:
    checks = Checks(per_block=3)
    of_raters = {tuple(kinds(50, checks, key=key)) for key in range(50)}
    of_studies = {tuple(kinds(50, checks, secret=f"secret {number}")) for number in range(50)}
    assert (len(of_raters), len(of_studies)) == (50, 50)


def test_without_checks_everything_is_normal() -> None:
    assert set(kinds(50, Checks())) == {"normal"}
    assert n_trials(50, checks=Checks(), key=1, secret=SECRET) == 50


def test_what_comes_far_into_a_long_sequence_is_known_as_fast_as_the_start() -> None:
    # One block is looked at, however far: ten billion trials would take an hour otherwise.
    checks = Checks(block=200, per_block=50)
    assert kind_at(10**10, checks=checks, key=1, secret=SECRET) == "normal"
    assert n_trials(3 * 10**9, checks=checks, key=1, secret=SECRET) == pytest.approx(4 * 10**9, abs=200)


@given(some_checks(), st.integers(0, 2**62), st.integers(0, 200))
def test_with_enough_of_everything_no_check_falls_out(checks: Checks, key: int, n_normal: int) -> None:
    plenty = Supply(gold=1000, identical=1000, repeat_after=1)
    planned = n_trials(n_normal, checks=checks, key=key, secret=SECRET)
    assert n_trials(n_normal, checks=checks, key=key, secret=SECRET, supply=plenty) == planned


@given(some_checks(), st.integers(0, 2**62), st.integers(0, 200), st.integers(0, 5), st.integers(0, 5))
def test_no_more_checks_come_than_there_are(checks: Checks, key: int, n_normal: int, gold: int, identical: int) -> None:
    never = Supply(gold, identical, repeat_after=10**9)
    n = n_trials(n_normal, checks=checks, key=key, secret=SECRET, supply=never)
    n_checks = gold * ("gold" in checks.kinds) + identical * ("identical" in checks.kinds)
    assert n_normal <= n <= n_normal + n_checks
    if n_normal == 200 and checks.per_block * 200 >= 10 * checks.block:
        assert n == n_normal + n_checks
