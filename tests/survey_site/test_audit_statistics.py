"""The audit finds what tells the arms, finds chance as often as it says, and knows what it cannot find."""

import numpy as np
import pytest

from survey_site.blinding.audit_columns import sided_numbers, sided_texts, whole_numbers, whole_texts
from survey_site.blinding.audit_statistics import TOGETHER, Finding, Observable, guess_arms, power_of


def guessed(
    observables: list[Observable], left: np.ndarray, *, seed: int = 0, rounds: int = 1_999
) -> dict[str, Finding]:
    """Guess, with every pair a group of its own."""
    findings = guess_arms(observables, first_is_left=left, groups=np.arange(len(left)), seed=seed, rounds=rounds)
    return {finding.name: finding for finding in findings}


def sides(n: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 2, n).astype(bool)


def noise(n: int, columns: int, *, seed: int) -> np.ndarray:
    return np.random.default_rng(seed + 1000).normal(size=(n, columns))


def test_a_perfect_leak_among_many_columns_of_noise_is_guessed_right() -> None:
    left = sides(30, seed=1)
    columns = noise(30, 200, seed=1)
    columns[:, 77] = np.where(left, 3.0, -2.0)
    found = guessed([Observable("leak", columns), Observable("noise", noise(30, 5, seed=2))], left)
    assert found["leak"].auc == 1.0
    assert found["leak"].is_alarm
    assert not found["noise"].is_alarm


def test_of_blind_studies_no_more_than_the_stated_share_looks_suspicious() -> None:
    ps = []
    for seed in range(200):
        left = sides(24, seed=seed)
        found = guessed([Observable("noise", noise(24, 20, seed=seed))], left, seed=seed, rounds=199)
        ps.append(found["noise"].p)
    # At most the nominal share, give or take three standard errors of 200 studies.
    for level in (0.05, 0.2, 0.5):
        assert np.mean(np.array(ps) <= level) <= level + 3 * np.sqrt(level * (1 - level) / 200)


def test_weak_signs_in_many_observables_are_found_together() -> None:
    left = sides(80, seed=3)
    signs = np.where(left, 1.0, -1.0)[:, None]
    weak = [Observable(f"weak {n}", noise(80, 1, seed=n) * 2 + signs) for n in range(8)]
    found = guessed(weak, left)
    assert found[TOGETHER].is_alarm
    assert found[TOGETHER].auc > max(found[one.name].auc for one in weak) - 0.01


def test_swapping_the_arms_names_changes_no_figure() -> None:
    left = sides(24, seed=4)
    observables = [Observable("noise", noise(24, 3, seed=4)), Observable("side", np.ones((24, 1)))]
    assert guessed(observables, left) == guessed(observables, ~left)


def test_equal_seeds_give_equal_findings() -> None:
    left, observables = sides(24, seed=5), [Observable("noise", noise(24, 3, seed=5))]
    assert guessed(observables, left, seed=7) == guessed(observables, left, seed=7)


def test_what_is_the_same_on_both_sides_is_not_tested_and_costs_the_others_nothing() -> None:
    left = sides(24, seed=6)
    leak = Observable("leak", np.where(left, 1.0, -1.0)[:, None])
    alone = guessed([leak], left)
    among = guessed([leak, *(Observable(f"same {n}", np.zeros((24, 4))) for n in range(30))], left)
    assert among["same 3"] == Finding("same 3", 24, 0)
    assert among["leak"].p_holm == alone["leak"].p_holm


def test_two_looks_at_one_pair_are_no_more_evidence_than_one() -> None:
    left = sides(8, seed=7)
    leak = Observable("leak", np.repeat(np.where(left, 1.0, -1.0), 4)[:, None])
    (found,) = guess_arms([leak], first_is_left=np.repeat(left, 4), groups=np.repeat(np.arange(8), 4), seed=0)
    assert found.auc == 1.0
    # 2 of the 2^8 ways to name the arms of eight pairs are guessed as well.
    assert found.p == pytest.approx(2 / 2**8, rel=0.4)


def test_an_arm_that_is_always_left_is_guessed_from_the_side() -> None:
    assert guessed([Observable("side", np.ones((20, 1)))], np.ones(20, dtype=bool))["side"].is_alarm


@pytest.mark.parametrize(("n_pairs", "can_alarm"), [(1, False), (7, False), (12, True), (40, True)])
def test_the_audit_knows_how_many_pairs_it_needs(n_pairs: int, can_alarm: bool) -> None:
    left = sides(n_pairs, seed=n_pairs)
    leaks = [Observable(f"leak {n}", np.where(left, 1.0, -1.0)[:, None]) for n in range(3)]
    findings = list(guessed(leaks, left, rounds=9_999).values())
    power = power_of(findings, n_groups=n_pairs)
    assert power.can_alarm is can_alarm
    assert any(finding.is_alarm for finding in findings) is can_alarm


def test_the_stated_power_is_what_studies_of_that_size_have() -> None:
    n_pairs, n_other = 30, 4
    power = power_of([Finding(str(n), n_pairs, n_pairs, auc=0.5, p=0.5) for n in range(n_other + 2)], n_groups=n_pairs)
    assert power.share is not None
    found = 0
    for seed in range(40):
        left, rng = sides(n_pairs, seed=seed), np.random.default_rng(seed)
        is_right = rng.random(n_pairs) < power.share
        leak = Observable("leak", np.where(left == is_right, 1.0, -1.0)[:, None])
        others = [Observable(f"noise {n}", noise(n_pairs, 1, seed=100 * seed + n)) for n in range(n_other)]
        found += guessed([leak, *others], left, seed=seed, rounds=1_999)["leak"].is_alarm
    assert 0.6 <= found / 40 <= 0.97


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("Mon, 03 Nov 2025 10:00:00 GMT", "Wed, 17 Dec 2025 10:00:00 GMT"),
        ('"6553f100-2fa"', '"6553f484-2fa"'),
        ("/rate/image/x.png?v=7", "/rate/image/x.png?v=8"),
        ("inline; filename=van.png", "inline; filename=rob.png"),
        ("short", "longer"),
        ("", "set"),
    ],
)
def test_texts_that_differ_by_arm_are_guessed_whatever_differs(first: str, second: str) -> None:
    left = sides(24, seed=8)
    texts = [(first, second) if is_left else (second, first) for is_left in left]
    assert guessed([sided_texts("text", texts)], left)["text"].auc == 1.0


def test_a_text_that_varies_by_pair_and_hides_the_arm_in_one_letter_is_guessed() -> None:
    left, rng = sides(40, seed=9), np.random.default_rng(9)
    names = [(f"{rng.integers(10**6)}-a", f"{rng.integers(10**6)}-b") for _ in left]
    texts = [(a, b) if is_left else (b, a) for (a, b), is_left in zip(names, left, strict=True)]
    assert guessed([sided_texts("text", texts)], left, rounds=9_999)["text"].is_alarm


def test_words_that_name_the_side_tell_nothing() -> None:
    texts = [(f"/image/{n}/left.png", f"/image/{n}/right.png") for n in range(20)]
    assert sided_texts("address", texts).columns.shape == (20, 0)


def test_a_word_in_the_page_that_goes_with_the_sides_is_guessed() -> None:
    left = sides(30, seed=10)
    pages = [f'<p>Pair {n} of 30</p><main data-first="{1 + is_left}">' for n, is_left in enumerate(left)]
    assert guessed([whole_texts("page", pages)], left)["page"].is_alarm


def test_a_number_of_the_whole_pair_is_guessed_only_where_it_goes_with_the_sides() -> None:
    left = sides(30, seed=11)
    telling = whole_numbers("telling", np.where(left, 900.0, 300.0) + np.arange(30))
    found = guessed([telling, whole_numbers("place", np.arange(30.0))], left)
    assert found["telling"].is_alarm
    assert not found["place"].is_alarm


def test_sizes_that_differ_by_arm_are_guessed() -> None:
    left = sides(24, seed=12)
    sizes = [((64, 64), (96, 64)) if is_left else ((96, 64), (64, 64)) for is_left in left]
    assert guessed([sided_numbers("size", sizes)], left)["size"].auc == 1.0
