import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.api import OLS
from statsmodels.stats.meta_analysis import combine_effects
from statsmodels.stats.multitest import multipletests

from analysis import Pair, Unavailable, Votes, read_csv
from analysis.classes import METHODS, Classes, ShrunkenPairs, _Pooled, classes, shrunken_pairs
from analysis.multiplicity import Correction
from analysis.pair_tests import net_by_pair
from analysis.preference import Counts
from analysis.records import as_json
from tests.analysis.logs import Entry, columns, pair_of, small_logs

DATA = Path(__file__).parents[1] / "data"


def log(entries: list[Entry], labels: dict[str, str], *, pairs: tuple[Pair, ...] = (), arms: str = "robust") -> Votes:
    """A two-arm log with a class for each pair; `arms` names the one that comes first."""
    written = columns(entries)
    labelled = replace(written, class_label=[labels[pair] for pair in written.pair_id])
    order = ("robust", "vanilla") if arms == "robust" else ("vanilla", "robust")
    return Votes.from_rows(labelled, pairs=pairs, arms=order)


def random_log(seed: int, *, sizes: tuple[int, ...], spread: float) -> Votes:
    """Classes of the given numbers of pairs, each with its own lean, and five to thirty votes on a pair."""
    rng = np.random.default_rng(seed)
    entries, labels = [], {}
    for code, size in enumerate(sizes):
        lean = rng.normal(0.1, spread)
        for _ in range(size):
            name = f"p{len(labels)}"
            labels[name] = f"class {code}"
            share = np.clip(0.4 + lean / 2 + rng.normal(0, 0.1), 0.05, 0.7)
            a, b, same = rng.multinomial(rng.integers(5, 31), [share, 0.75 - share, 0.25])
            entries += pair_of(int(a), int(b), int(same), name=name)
    return log(entries, labels)


def of(votes: Votes, *, correction: Correction = Correction.BH) -> Classes:
    found = classes(votes, correction=correction)
    assert isinstance(found, Classes)
    return found


def pairs_of(votes: Votes) -> ShrunkenPairs:
    found = shrunken_pairs(votes)
    assert isinstance(found, ShrunkenPairs)
    return found


SIZES = (2, 5, 1, 8, 3, 12, 4)
LOGS = [random_log(1, sizes=SIZES, spread=0.5), random_log(4, sizes=SIZES, spread=0.0)]


@pytest.mark.parametrize("votes", LOGS)
def test_class_means_errors_and_p_are_those_of_one_regression(votes: Votes) -> None:
    # statsmodels: OLS(net preference per pair, one column of 0 and 1 per class).fit()
    labels = list(dict.fromkeys(votes.class_labels))
    design = np.array([[label == column for column in labels] for label in votes.class_labels], dtype=float)
    fit = OLS(net_by_pair(Counts.of(votes)), design).fit()
    found = of(votes)
    assert (found.s2, found.df) == pytest.approx((fit.mse_resid, fit.df_resid))
    assert [row.class_label for row in found.rows] == labels
    np.testing.assert_allclose([row.mean for row in found.rows], fit.params, atol=1e-12)
    np.testing.assert_allclose([row.ci95 for row in found.rows], fit.conf_int(), atol=1e-12)
    np.testing.assert_allclose([row.p for row in found.rows], fit.pvalues, atol=1e-12)
    assert [row.pairs for row in found.rows] == list(SIZES)


@pytest.mark.parametrize("votes", LOGS)
def test_the_variance_between_classes_is_statsmodels_s(votes: Votes) -> None:
    # combine_effects(means, s2 / pairs, method_re="chi2"): DerSimonian and Laird.
    found = of(votes)
    means, sizes = np.array([(row.mean, row.pairs) for row in found.rows]).T
    combined = combine_effects(means, found.s2 / sizes, method_re="chi2")
    assert found.tau2 == pytest.approx(max(combined.tau2, 0), abs=1e-12)
    assert found.q == pytest.approx(combined.q)
    assert found.p_equal == pytest.approx(stats.chi2.sf(combined.q, len(SIZES) - 1))
    if combined.tau2 > 0:
        assert found.mu == pytest.approx(combined.mean_effect_re)
        assert found.mu_se == pytest.approx(combined.sd_eff_w_re)


def test_the_two_logs_have_and_have_not_a_variance_between_classes() -> None:
    assert of(LOGS[0]).tau2 > 0.01
    assert of(LOGS[1]).tau2 == 0


def test_shrunken_means_are_the_posterior_of_a_normal_model() -> None:
    found = of(LOGS[0])
    for row in found.rows:
        v = found.s2 / row.pairs
        assert row.shrunken == pytest.approx(found.mu + found.tau2 / (found.tau2 + v) * (row.mean - found.mu))
        assert row.sd == pytest.approx((1 / (1 / found.tau2 + 1 / v)) ** 0.5)


def test_more_pairs_are_drawn_less_to_the_common_mean() -> None:
    found = of(LOGS[0])
    kept = {row.pairs: (row.shrunken - found.mu) / (row.mean - found.mu) for row in found.rows}
    assert [kept[size] for size in sorted(kept)] == sorted(kept.values())
    assert all(0 < share < 1 for share in kept.values())


def test_pooling_is_metafor_s_on_the_bcg_trials() -> None:
    # R: rma(yi, vi, data=escalc("RR", ai=tpos, bi=tneg, ci=cpos, di=cneg, data=dat.bcg), method="DL")
    #   estimate -0.7141, ci.lb -1.0644, ci.ub -0.3638, tau^2 0.3088, Q(df = 12) = 152.2330
    ill = np.array([4, 6, 3, 62, 33, 180, 8, 505, 29, 17, 186, 5, 27])
    well = np.array([119, 300, 228, 13536, 5036, 1361, 2537, 87886, 7470, 1699, 50448, 2493, 16886])
    ill_without = np.array([11, 29, 11, 248, 47, 372, 10, 499, 45, 65, 141, 3, 29])
    well_without = np.array([128, 274, 209, 12619, 5761, 1079, 619, 87892, 7232, 1600, 27197, 2338, 17825])
    risk, risk_without = ill / (ill + well), ill_without / (ill_without + well_without)
    variances = (1 - risk) / ill + (1 - risk_without) / ill_without
    pooled = _Pooled.of(np.log(risk / risk_without), variances)
    low, high = pooled.mu - 1.959964 * pooled.mu_se, pooled.mu + 1.959964 * pooled.mu_se
    printed = (-0.7141, -1.0644, -0.3638, 0.3088, 152.2330)
    assert (pooled.mu, low, high, pooled.tau2, pooled.q) == pytest.approx(printed, abs=0.00005)


def test_without_a_variance_between_them_all_schools_have_the_pooled_effect_and_its_error() -> None:
    # Gelman et al., Bayesian Data Analysis, section 5.5: eight schools, pooled 7.7 with standard error 4.1.
    effects, errors = np.array([28, 8, -3, 7, -1, 1, 18, 12]), np.array([15, 10, 16, 11, 9, 11, 10, 18])
    pooled = _Pooled.of(effects.astype(float), np.square(errors).astype(float))
    assert (pooled.tau2, pooled.sd.max()) == (0, 0)
    assert (pooled.mu, pooled.mu_se) == pytest.approx((7.7, 4.1), abs=0.05)
    np.testing.assert_allclose(pooled.shrunken, pooled.mu)
    np.testing.assert_allclose(pooled.se, pooled.mu_se)


def test_an_interval_of_a_shrunken_mean_is_never_empty() -> None:
    for row in of(LOGS[1]).rows:
        assert row.sd == 0
        assert row.shrunken_ci95[0] < row.shrunken < row.shrunken_ci95[1]


def test_a_popular_pair_weighs_no_more_than_another() -> None:
    entries = pair_of(40, 10, name="popular") + pair_of(0, 2, name="other")
    rest = [entry for n in range(4) for entry in pair_of(2 + n, 3, name=f"p{n}")]
    labels = {"popular": "cat", "other": "cat", "p0": "dog", "p1": "dog", "p2": "cow", "p3": "cow"}
    first = of(log([*entries, *rest], labels)).rows[0]
    assert (first.class_label, first.pairs) == ("cat", 2)
    assert first.mean == pytest.approx((0.6 - 1) / 2)


@pytest.mark.parametrize("correction", [Correction.BH, Correction.HOLM])
def test_p_values_are_corrected_over_the_classes(correction: Correction) -> None:
    found = of(LOGS[0], correction=correction)
    expected = multipletests([row.p for row in found.rows], method=correction)[1]
    np.testing.assert_allclose([row.p_adjusted for row in found.rows], expected)
    assert found.family.correction is correction


def test_classes_without_a_judged_pair_are_named_and_left_out() -> None:
    votes = LOGS[0]
    beside = replace(
        votes,
        pair_names=(*votes.pair_names, "never", "neither"),
        class_labels=(*votes.class_labels, "unseen", "class 0"),
        groups=(*votes.groups, "never", "neither"),
        pair_arms=np.concatenate([votes.pair_arms, [[0, 1], [0, 1]]]),
    )
    alone, found = of(votes), of(beside)
    assert found.rows == alone.rows
    assert (alone.family.entered, alone.family.of, alone.family.left_out) == (7, 7, ())
    assert (found.family.entered, found.family.of, found.family.left_out) == (7, 8, ("unseen",))


def test_swapping_arms_mirrors_the_classes() -> None:
    entries = [entry for n in range(6) for entry in pair_of(1 + n, 3, n % 2, name=f"p{n}")]
    labels = {f"p{n}": "abc"[n // 2] for n in range(6)}
    there, back = (of(log(entries, labels, arms=arms)) for arms in ("robust", "vanilla"))
    for one, other in zip(there.rows, back.rows, strict=True):
        assert (one.mean, one.shrunken) == pytest.approx((-other.mean, -other.shrunken))
        assert one.ci95 == pytest.approx(tuple(-end for end in other.ci95[::-1]))
        assert (one.p, one.sd) == pytest.approx((other.p, other.sd))
    assert (there.mu, there.tau2) == pytest.approx((-back.mu, back.tau2))


@pytest.mark.parametrize(
    ("pairs", "labels", "code"),
    [
        ([], "", "no_votes"),
        ([(2, 1), (1, 1), (3, 0), (2, 2)], "aabb", "too_few_classes"),
        ([(2, 1), (1, 1), (3, 0)], "abc", "one_pair_per_class"),
        ([(2, 1), (4, 2), (1, 2), (1, 1)], "aabc", "zero_variance"),
        ([(0, 0), (0, 0), (0, 0), (0, 0)], "abcc", "zero_variance"),
        ([(0, 0), (0, 0), (0, 0)], "abc", "zero_variance"),
    ],
)
def test_classes_that_cannot_be_compared_say_why(pairs: list[tuple[int, int]], labels: str, code: str) -> None:
    entries = [entry for n, (a, b) in enumerate(pairs) for entry in pair_of(a, b, 0 if a + b else 2, name=f"p{n}")]
    listed = () if pairs else (Pair("p0", "cat", ("robust", "vanilla")),)
    votes = log(entries, {f"p{n}": label for n, label in enumerate(labels)}, pairs=listed)
    found = classes(votes)
    assert isinstance(found, Unavailable)
    assert found.code == code


def test_the_fixture_has_one_pair_per_class_and_shrunken_pairs_instead() -> None:
    votes = read_csv(DATA / "table2_votes.csv")
    found = classes(votes)
    assert isinstance(found, Unavailable)
    assert found.code == json.loads((DATA / "table2_votes.answers.json").read_text())["classes"]["error"]
    assert len(pairs_of(votes).rows) == 200


@pytest.mark.parametrize("votes", LOGS)
def test_shrunken_pairs_are_statsmodels_s_pooling_of_votes(votes: Votes) -> None:
    # OLS(outcome, one column of 0 and 1 per pair).fit() and combine_effects(..., method_re="chi2")
    fit = OLS(votes.outcome, (votes.pair[:, None] == np.arange(votes.n_pairs)).astype(float)).fit()
    found = pairs_of(votes)
    assert (found.s2, found.df) == pytest.approx((fit.mse_resid, fit.df_resid))
    v = fit.mse_resid / np.bincount(votes.pair)
    combined = combine_effects(fit.params, v, method_re="chi2")
    assert combined.tau2 > 0
    assert (found.tau2, found.mu, found.mu_se) == pytest.approx(
        (combined.tau2, combined.mean_effect_re, combined.sd_eff_w_re)
    )
    mu, tau2 = combined.mean_effect_re, combined.tau2
    np.testing.assert_allclose([row.shrunken for row in found.rows], mu + tau2 / (tau2 + v) * (fit.params - mu))
    np.testing.assert_allclose([row.sd for row in found.rows], (1 / tau2 + 1 / v) ** -0.5)
    assert [(row.pair, row.class_label) for row in found.rows] == list(
        zip(votes.pair_names, votes.class_labels, strict=True)
    )


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        ([], "no_votes"),
        (pair_of(2, 1), "one_pair"),
        ([("r0", "p0", "a"), ("r0", "p1", "b")], "no_pair_with_two_votes"),
        (pair_of(3, 0, name="p0") + pair_of(0, 2, name="p1"), "zero_variance"),
    ],
)
def test_pairs_that_cannot_be_shrunken_say_why(entries: list[Entry], code: str) -> None:
    listed = (Pair("p0", "cat", ("robust", "vanilla")),) if code == "no_votes" else ()
    found = shrunken_pairs(log(entries, dict.fromkeys(("p", "p0", "p1"), "cat"), pairs=listed))
    assert isinstance(found, Unavailable)
    assert found.code == code


@settings(deadline=None, max_examples=80)
@given(small_logs(), st.lists(st.sampled_from("abcd"), min_size=6, max_size=6))
def test_any_small_log_gives_finite_numbers(entries: list[Entry], letters: list[str]) -> None:
    votes = log(entries, {f"p{n}": letter for n, letter in enumerate(letters)})
    for found in (classes(votes), shrunken_pairs(votes)):
        json.dumps(as_json(found), allow_nan=False)


def test_every_method_is_explained() -> None:
    assert [method.name for method in METHODS] == ["classes", "shrunken_pairs"]
    assert all(method.explains and method.citation for method in METHODS)
