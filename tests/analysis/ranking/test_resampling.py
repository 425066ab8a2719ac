import numpy as np
import pytest

from analysis import Unavailable, Votes
from analysis.ranking import BradleyTerry, Davidson, RatingBootstrap, bradley_terry, cluster_bootstrap, counts
from analysis.ranking.counts import Tally
from analysis.ranking.resampling import resampled_outcomes, resampled_thetas
from tests.analysis.ranking.logs import FOUR, duels, match, simulated


def four_arms(groups: int = 25) -> Votes:
    return duels(simulated(FOUR, nu=0.7, groups=groups, raters=20, seed=11))


def test_resampled_errors_agree_with_those_by_group() -> None:
    votes = four_arms()
    found = cluster_bootstrap(votes, rng=np.random.default_rng(1), rounds=2000)
    fit = bradley_terry(votes)
    assert isinstance(found, RatingBootstrap)
    assert isinstance(fit, BradleyTerry)
    assert isinstance(fit.davidson, Davidson)
    assert fit.davidson.se_cluster_group is not None
    assert (found.rounds, found.rated, found.groups) == (2000, 2000, 25)
    # 2000 rounds know a standard deviation to 1.6 %; the sandwich is corrected by G / (G - 1), the bootstrap is not.
    assert dict(found.se) == pytest.approx(dict(fit.davidson.se_cluster_group), rel=0.1)
    for arm, theta in fit.davidson.theta.items():
        low, high = found.theta_ci95[arm]
        assert low < theta < high
        assert found.elo_ci95[arm] == pytest.approx([1000 + 400 / np.log(10) * end for end in (low, high)])


def test_a_round_is_the_fit_of_the_groups_it_drew() -> None:
    """Each round against the same groups written out as a log of their own."""
    entries = simulated(FOUR, nu=0.7, groups=6, raters=12, seed=2)
    votes = duels(entries)
    thetas, rated = resampled_thetas(Tally.of(votes), rng=np.random.default_rng(5), rounds=8)
    assert rated.all()
    names = list(dict.fromkeys(votes.groups))
    drawn = np.random.default_rng(5).integers(0, 6, size=(8, 6))
    for round_groups, theta in zip(drawn, thetas, strict=True):
        log = [
            (rater, f"copy {copy}", *rest)
            for copy, group in enumerate(round_groups.tolist())
            for rater, name, *rest in entries
            if name == names[group]
        ]
        fit = bradley_terry(duels(log))
        assert isinstance(fit, BradleyTerry)
        assert isinstance(fit.davidson, Davidson)
        assert theta == pytest.approx(list(fit.davidson.theta.values()), abs=1e-8)


def test_equal_seeds_draw_equal_groups_however_many_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = Tally.of(four_arms(groups=7))
    whole = resampled_outcomes(tally, rng=np.random.default_rng(3), rounds=10)
    assert whole.sum(axis=(1, 2)).std() > 0
    monkeypatch.setattr(counts, "LARGEST_TABLE", 2 * 36)
    monkeypatch.setattr("analysis.ranking.resampling.LARGEST_TABLE", 2 * 36)
    monkeypatch.setattr("analysis.ranking.resampling.LARGEST_DRAW", 21)
    parts = resampled_outcomes(tally, rng=np.random.default_rng(3), rounds=10)
    assert parts.tolist() == whole.tolist()


def test_samples_that_determine_no_rating_do_not_count() -> None:
    # B beats A in one of six groups: a sample without that group has no maximum, which happens in a third of them.
    votes = duels([(f"r{n // 6}", f"g{n % 6}", "A", "B", ">" if n % 6 else "<") for n in range(24)])
    found = cluster_bootstrap(votes, rng=np.random.default_rng(1), rounds=400)
    assert isinstance(found, RatingBootstrap)
    assert pytest.approx(found.rated, abs=40) == 400 * (1 - (5 / 6) ** 6)
    assert max(high for _, high in found.theta_ci95.values()) < 5


def test_samples_without_a_same_are_rated_without_one() -> None:
    # Ties in one group only: samples without it have nu = 0 and are rated all the same.
    log = match("A", "B", 12, 9)
    entries = [(rater, f"g{n % 5}", a, b, o) for n, (rater, _, a, b, o) in enumerate(log)]
    votes = duels(
        [(f"r{n}", group, a, b, o) for n, (_, group, a, b, o) in enumerate(entries)] + [("x", "g0", "A", "B", "=")]
    )
    tally = Tally.of(votes)
    outcomes = resampled_outcomes(tally, rng=np.random.default_rng(1), rounds=50)
    thetas, rated = resampled_thetas(tally, rng=np.random.default_rng(1), rounds=50)
    without = outcomes[:, 0, 2] == 0
    assert 5 < without.sum() < 45
    assert rated[(outcomes[:, 0, :2] > 0).all(axis=1)].all()
    ratio = np.log(outcomes[rated, 0, 0] / outcomes[rated, 0, 1]) / 2
    assert thetas[rated, 0] == pytest.approx(ratio, abs=1e-8)


@pytest.mark.parametrize(
    ("log", "code"),
    [
        ([("r", "g", "A", "B", ">"), ("q", "g", "A", "B", "<")], "one_group"),
        (match("A", "B", 5, 0, 3), "separation"),
        ([("r", f"g{n}", "A", "B", ">") for n in range(40)] + [("q", "g0", "A", "B", "<")], None),
        # A round of three arms in three groups is rated only when it draws all three: in 6 of 27 samples.
        ([("r", "g", "A", "B", ">"), ("r", "h", "B", "C", ">"), ("r", "i", "C", "A", ">")], "too_few_rounds"),
    ],
)
def test_logs_that_cannot_be_resampled_say_why(log: list[tuple[str, str, str, str, str]], code: str | None) -> None:
    found = cluster_bootstrap(duels(log), rng=np.random.default_rng(1), rounds=100)
    if code is None:
        assert isinstance(found, RatingBootstrap)
    else:
        assert isinstance(found, Unavailable)
        assert found.code == code
