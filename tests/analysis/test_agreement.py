import json
from dataclasses import replace
from itertools import combinations, permutations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from statsmodels.stats.inter_rater import fleiss_kappa

from analysis import Unavailable, Votes, read_csv
from analysis.agreement import METHODS, Agreement, Metric, agreement, krippendorff_alpha
from analysis.records import as_json
from analysis.split_half import _halves, _Packed
from analysis.votes import CHOICES
from tests.analysis.logs import Entry, columns, log, pair_of, small_logs, unjudged

DATA = Path(__file__).parents[1] / "data"
PLACES = {"a": 0, "s": 1, "b": 2}


def of(votes: Votes) -> Agreement:
    found = agreement(votes, rounds=50, splits=20)
    assert isinstance(found, Agreement)
    return found


def errors(found: Agreement) -> dict[str, str]:
    return {name: value.code for name, value in vars(found).items() if isinstance(value, Unavailable)}


def table(*observers: str, categories: str) -> np.ndarray:
    """Observers' values of the same units, one character each, as units by categories; others are missing."""
    return np.array([[unit.count(c) for c in categories] for unit in zip(*observers, strict=True)])


# Krippendorff (2011), Computing Krippendorff's Alpha-Reliability, section C: four observers, twelve units.
FOUR_OBSERVERS = table("123321412...", "1233224125.3", ".3332342251.", "12332441251.", categories="12345")


@pytest.fixture(scope="module")
def fixture() -> Agreement:
    found = agreement(read_csv(DATA / "table2_votes.csv"))
    assert isinstance(found, Agreement)
    return found


@pytest.mark.parametrize(("metric", "printed"), [("nominal", 0.743), ("ordinal", 0.815), ("interval", 0.849)])
def test_alpha_with_missing_values_is_krippendorff_s_worked_example(metric: str, printed: float) -> None:
    assert krippendorff_alpha(FOUR_OBSERVERS, metric=Metric(metric)) == pytest.approx(printed, abs=0.0005)


@pytest.mark.parametrize("metric", Metric)
def test_alpha_of_two_observers_and_two_values_is_krippendorff_s_worked_example(metric: Metric) -> None:
    # Section A: Meg and Owen judge ten articles. With two values every metric is the same.
    meg_and_owen = table("0100000010", "1110010000", categories="01")
    assert krippendorff_alpha(meg_and_owen, metric=metric) == pytest.approx(0.095, abs=0.0005)


def test_alpha_of_two_observers_and_five_values_is_krippendorff_s_worked_example() -> None:
    # Section B: Ben and Gerry.
    ben_and_gerry = table("aabbdcccedda", "babbbccceddd", categories="abcde")
    assert krippendorff_alpha(ben_and_gerry, metric=Metric.NOMINAL) == pytest.approx(0.692, abs=0.0005)


def test_the_fixture_has_its_published_agreement(fixture: Agreement) -> None:
    answers = json.loads((DATA / "table2_votes.answers.json").read_text())["agreement"]
    ours = as_json(fixture)
    assert isinstance(ours, dict)
    drawn = {"split_half_r_mean": 0.01, "split_half_spearman_brown": 0.01}
    assert {name: ours[name] for name in answers} == {
        name: pytest.approx(value, abs=drawn.get(name, 1e-6)) for name, value in answers.items()
    }


def values_by_pair(entries: list[Entry]) -> list[list[int]]:
    names = {pair for _, pair, _ in entries}
    return [[PLACES[outcome] for _, pair, outcome in entries if pair == name] for name in names]


def alpha_by_pairs_of_values(units: list[list[int]], power: int) -> float | None:
    """Krippendorff's definition, 1 - observed / expected disagreement, over single pairs of values."""
    pairable = [unit for unit in units if len(unit) > 1]
    values = [value for unit in pairable for value in unit]
    expected = sum(abs(x - y) ** power for x, y in permutations(values, 2))
    if not expected:
        return None
    observed = sum(sum(abs(x - y) ** power for x, y in permutations(unit, 2)) / (len(unit) - 1) for unit in pairable)
    return 1 - (len(values) - 1) * observed / expected


@settings(deadline=None, max_examples=80)
@given(small_logs())
def test_interval_alpha_is_its_definition_over_pairs_of_votes(entries: list[Entry]) -> None:
    found = agreement(log(entries), rounds=5, splits=2)
    units = values_by_pair(entries)
    if isinstance(found, Unavailable):
        return
    assert found.alpha_interval == pytest.approx(alpha_by_pairs_of_values(units, 2), abs=1e-12)
    if found.alpha_interval is None:
        assert isinstance(found.alpha_nominal, Unavailable)


@settings(deadline=None, max_examples=80)
@given(small_logs())
def test_alpha_of_sides_leaves_same_out(entries: list[Entry]) -> None:
    found = agreement(log(entries), rounds=5, splits=2)
    if isinstance(found, Unavailable):
        return
    # Two sides: any power of their distance is the same, up to a factor that cancels.
    expected = alpha_by_pairs_of_values(values_by_pair([entry for entry in entries if entry[2] != "s"]), 1)
    side_only = found.alpha_side_only
    assert (None if isinstance(side_only, Unavailable) else side_only) == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=80)
@given(small_logs())
def test_percent_agreement_counts_pairs_of_votes(entries: list[Entry]) -> None:
    found = agreement(log(entries), rounds=5, splits=2)
    shares = [[x == y for x, y in combinations(unit, 2)] for unit in values_by_pair(entries) if len(unit) > 1]
    if isinstance(found, Unavailable):
        return
    assert found.percent_agreement_mean_over_pairs == pytest.approx(np.mean([np.mean(share) for share in shares]))
    assert found.percent_agreement_weighted_by_vote_pairs == pytest.approx(np.mean(np.concatenate(shares)))


def test_kappa_of_as_many_votes_everywhere_is_statsmodels_s() -> None:
    counts = np.random.default_rng(5).multinomial(7, [0.4, 0.25, 0.35], size=12)
    entries = [entry for n, (a, s, b) in enumerate(counts.tolist()) for entry in pair_of(a, b, s, name=f"p{n}")]
    assert of(log(entries)).fleiss_kappa_generalised == pytest.approx(fleiss_kappa(counts, method="fleiss"), abs=1e-12)


def test_kappa_weighs_comparisons_and_not_votes() -> None:
    # By hand: the comparisons agree by 1, 1/3 and 0; chance is (4/8)^2 + (3/8)^2 + (1/8)^2 = 26/64.
    entries = pair_of(3, 0, name="p") + pair_of(1, 2, name="q") + pair_of(0, 1, 1, name="r") + [("r0", "alone", "b")]
    chance = 26 / 64
    assert of(log(entries)).fleiss_kappa_generalised == pytest.approx((4 / 9 - chance) / (1 - chance))


def correlations_one_by_one(votes: Votes, halves: np.ndarray) -> list[float]:
    """Net preference of each comparison in each half, halving by halving; NaN where there is no correlation."""
    found = []
    for chosen in halves.T:
        nets = []
        for pair in range(votes.n_pairs):
            on = votes.pair == pair
            one, other = (votes.outcome[on & (chosen[votes.rater] == half)] for half in (True, False))
            if len(one) and len(other):
                nets.append((one.mean(), other.mean()))
        flat = len(nets) < 3 or min(np.ptp(nets, axis=0)) < 1e-9
        found.append(np.nan if flat else np.corrcoef(np.transpose(nets))[0, 1])
    return found


@settings(deadline=None, max_examples=60)
@given(small_logs())
def test_split_half_correlations_are_those_of_halving_by_halving(entries: list[Entry]) -> None:
    votes = log(entries, pairs=unjudged("never"))
    if votes.n_raters < 2:
        return
    halves = _halves(votes.n_raters, 7, rng=np.random.default_rng(0))
    assert set(halves.sum(axis=0).tolist()) == {votes.n_raters // 2}
    found = _Packed.of(votes).correlations(halves)
    np.testing.assert_allclose(found[:7], correlations_one_by_one(votes, halves), atol=1e-9)
    assert np.isnan(found[7:]).all()


def test_split_half_correlations_hold_with_hundreds_of_votes_on_a_comparison() -> None:
    rng = np.random.default_rng(2)
    outcomes = rng.choice(list("abs"), size=(300, 5), p=[0.5, 0.3, 0.2])
    votes = log((f"r{j}", f"p{i}", str(outcomes[j, i])) for j in range(300) for i in range(5))
    halves = _halves(300, 10, rng=rng)
    found = _Packed.of(votes).correlations(halves)
    np.testing.assert_allclose(found[:10], correlations_one_by_one(votes, halves), atol=1e-9)


def test_spearman_brown_lengthens_the_panel_to_all_raters(fixture: Agreement) -> None:
    assert fixture.splits == 200
    assert fixture.split_half_r_mean is not None
    r = fixture.split_half_r_mean
    assert fixture.split_half_spearman_brown == pytest.approx(2 * r / (1 + r))


def test_raters_who_always_agree_have_alpha_kappa_and_halves_of_one() -> None:
    found = of(log((f"r{j}", f"p{i}", "asba"[i]) for j in range(4) for i in range(4)))
    values = (found.alpha_nominal, found.alpha_interval, found.alpha_ordinal, found.alpha_side_only)
    assert values == pytest.approx((1, 1, 1, 1))
    assert (found.fleiss_kappa_generalised, found.split_half_spearman_brown) == pytest.approx((1, 1))


def test_raters_who_always_differ_have_no_reliability_beyond_any_number() -> None:
    found = of(log((f"r{j}", f"p{i}", "ab"[(i + j) % 2]) for j in range(2) for i in range(4)))
    assert found.split_half_r_mean == pytest.approx(-1)
    assert found.split_half_spearman_brown is None


@settings(deadline=None, max_examples=40)
@given(small_logs())
def test_swapping_arms_changes_no_agreement(entries: list[Entry]) -> None:
    there, back = (agreement(log(entries, arms=arms)) for arms in (("robust", "vanilla"), ("vanilla", "robust")))
    if isinstance(there, Unavailable) or isinstance(back, Unavailable):
        assert there == back
        return
    assert errors(there) == errors(back)
    there_numbers, back_numbers = (
        [value for value in vars(found).values() if isinstance(value, float)] for found in (there, back)
    )
    assert there_numbers == pytest.approx(back_numbers, abs=1e-9)


def test_agreement_is_about_arms_and_not_about_sides() -> None:
    written = columns(pair_of(4, 1, 1, name="p") + pair_of(1, 3, 1, name="q"))
    other_button = {"left": "right", "right": "left", "same": "same"}
    assert set(other_button) == set(CHOICES)
    turned = replace(
        written,
        left_arm=written.right_arm or (),
        right_arm=written.left_arm,
        choice=[other_button[choice] for choice in written.choice],
    )
    assert of(Votes.from_rows(turned)) == of(Votes.from_rows(written))


def test_unjudged_and_single_votes_do_not_change_alpha() -> None:
    entries = pair_of(4, 1, 1, name="p") + pair_of(1, 3, name="q")
    alone, beside = of(log(entries)), of(log([*entries, ("r0", "single", "b")], pairs=unjudged("never")))
    assert beside.alpha_nominal == alone.alpha_nominal
    assert (beside.pairs_with_two_votes, beside.pairs) == (2, 4)


def test_the_interval_of_alpha_is_the_bootstrap_over_comparisons(fixture: Agreement) -> None:
    votes = read_csv(DATA / "table2_votes.csv")
    counts = np.array([[(votes.outcome[votes.pair == i] == y).sum() for y in (1, 0, -1)] for i in range(200)])
    rng = np.random.default_rng(1)
    drawn = [krippendorff_alpha(counts[rng.integers(0, 200, 200)], metric=Metric.NOMINAL) for _ in range(2000)]
    assert fixture.alpha_nominal_ci95 == pytest.approx(np.percentile(np.array(drawn, float), [2.5, 97.5]), abs=0.003)
    assert fixture.alpha_rounds == 1000


def test_a_seed_gives_the_same_draws_and_is_kept() -> None:
    votes = log(pair_of(4, 1, 1, name="p") + pair_of(1, 3, name="q") + pair_of(2, 1, 1, name="r"))
    assert agreement(votes, rng=7) == agreement(votes, rng=7)
    seven, drawn = agreement(votes, rng=7), agreement(votes, rng=np.random.default_rng(7))
    assert isinstance(seven, Agreement)
    assert isinstance(drawn, Agreement)
    assert (seven.seed, drawn.seed) == (7, None)
    assert replace(seven, seed=None) == drawn


def test_one_comparison_has_no_interval() -> None:
    found = of(log(pair_of(3, 1, 1)))
    assert found.alpha_nominal == pytest.approx(0)
    assert (found.alpha_nominal_ci95, found.split_half_r_mean, found.splits) == (None, None, 0)


@pytest.mark.parametrize(
    ("votes", "code"),
    [
        (log([], pairs=unjudged("p")), "no_votes"),
        (log([("r", "p", "a"), ("r", "q", "b")]), "one_rater"),
        (log([("r", "p", "a"), ("s", "q", "b")]), "no_pair_with_two_votes"),
    ],
)
def test_without_shared_comparisons_there_is_no_agreement(votes: Votes, code: str) -> None:
    found = agreement(votes)
    assert isinstance(found, Unavailable)
    assert found.code == code


def test_where_every_vote_is_same_alpha_and_kappa_are_undefined() -> None:
    found = of(log(pair_of(0, 0, 3, name="p") + pair_of(0, 0, 3, name="q")))
    assert errors(found) == {
        "alpha_nominal": "alpha_undefined",
        "alpha_side_only": "alpha_undefined",
        "fleiss_kappa_generalised": "kappa_undefined",
    }
    assert (found.alpha_interval, found.alpha_ordinal, found.alpha_nominal_ci95) == (None, None, None)
    assert "All answers are equal" in found.reading


def test_where_one_arm_never_wins_only_alpha_of_sides_is_undefined() -> None:
    assert errors(of(log(pair_of(2, 0, 1, name="p") + pair_of(3, 0, 0, name="q")))) == {
        "alpha_side_only": "alpha_undefined"
    }


@settings(deadline=None, max_examples=60)
@given(small_logs())
def test_any_small_log_gives_finite_numbers(entries: list[Entry]) -> None:
    json.dumps(as_json(agreement(log(entries), rounds=20, splits=10)), allow_nan=False)


def test_low_alpha_with_high_split_half_is_called_normal(fixture: Agreement) -> None:
    assert fixture.reading.startswith("Low alpha with high split-half is normal (alpha 0.12, split-half reliability 0.")


def test_noise_is_called_noise() -> None:
    outcomes = np.random.default_rng(3).choice(list("abs"), size=(30, 10))
    found = of(log((f"r{j}", f"p{i}", str(outcomes[i, j])) for i in range(30) for j in range(10)))
    assert "read no single comparison" in found.reading


def test_every_method_names_a_figure_of_the_record() -> None:
    assert {method.name for method in METHODS} <= set(Agreement.__dataclass_fields__)
    assert all(method.explains and method.citation for method in METHODS)
