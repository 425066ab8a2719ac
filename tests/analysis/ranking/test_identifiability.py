from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import Pair, Unavailable, Votes
from analysis.ranking import BradleyTerry, Davidson, bradley_terry, leaderboard
from analysis.ranking.counts import Tally
from analysis.ranking.identifiability import is_separated
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import DAVIDSON, PLAIN
from analysis.records import as_json
from tests.analysis.ranking.logs import Duel, duels, leaves, match, sided

TWO_COMPONENTS = match("A", "B", 4, 3, 2) + match("C", "D", 3, 2, 1)
NEVER_WINS = match("A", "B", 4, 3, 2) + match("A", "C", 5, 0) + match("B", "C", 5, 0)
ALL_SAME = match("A", "B", 0, 0, 9)
NO_WIN_BUT_TIES = match("A", "B", 6, 0, 5)
ONE_RATER = [("r", *duel[1:]) for duel in match("A", "B", 6, 3, 4)]
ONE_GROUP = [(f"r{n}", "g", *duel[2:]) for n, duel in enumerate(match("A", "B", 6, 3, 4))]
ONE_OF_EACH = [("r", "g", "A", "B", ">"), ("r", "g", "B", "C", ">"), ("r", "g", "C", "A", ">")]
DEGENERATE = [TWO_COMPONENTS, NEVER_WINS, ALL_SAME, NO_WIN_BUT_TIES, ONE_RATER, ONE_GROUP, ONE_OF_EACH, ONE_RATER[:1]]


def fitted(votes: Votes) -> BradleyTerry:
    fit = bradley_terry(votes)
    assert isinstance(fit, BradleyTerry)
    return fit


def error(fit: BradleyTerry) -> Unavailable:
    assert isinstance(fit.davidson, Unavailable)
    return fit.davidson


def test_without_votes_there_is_nothing_to_rate() -> None:
    pairs = [Pair("p", "cat", ("A", "B"))]
    nothing = bradley_terry(duels([], pairs=pairs))
    assert isinstance(nothing, Unavailable)
    assert nothing.code == "no_votes"


def test_two_components_are_named_and_rated_apart() -> None:
    fit = fitted(duels(TWO_COMPONENTS))
    assert error(fit).code == "disconnected_comparison_graph"
    assert "A, B; C, D" in error(fit).detail
    assert not fit.identifiability.connected
    assert fit.identifiability.components == (("A", "B"), ("C", "D"))
    assert fit.identifiability.separation is None
    assert fit.davidson_by_component is not None
    first, second = fit.davidson_by_component
    # The closed form of two arms, each component with its own nu.
    assert first.theta == pytest.approx({"A": np.log(4 / 3) / 2, "B": -np.log(4 / 3) / 2})
    assert first.nu == pytest.approx(2 / 12**0.5)
    assert second.theta == pytest.approx({"C": np.log(3 / 2) / 2, "D": -np.log(3 / 2) / 2})
    assert second.nu == pytest.approx(1 / 6**0.5)
    assert fit.davidson_penalised is None


def test_an_arm_that_nobody_has_judged_is_a_component_of_its_own() -> None:
    fit = fitted(duels(match("A", "B", 4, 3, 2), pairs=[Pair("p", "cat", ("B", "C"))]))
    assert error(fit).code == "disconnected_comparison_graph"
    assert fit.identifiability.components == (("A", "B"), ("C",))
    assert fit.davidson_by_component is not None
    assert fit.davidson_by_component[1].theta is None
    assert fit.pairwise_family.of == 2
    assert fit.pairwise_family.left_out == {"B-C": "no_votes"}


def test_components_that_cannot_be_rated_say_why() -> None:
    log = match("A", "B", 3, 0) + match("C", "D", 0, 0, 3) + match("E", "F", 2, 1)
    parts = fitted(duels(log)).davidson_by_component
    assert parts is not None
    assert [part.why_not for part in parts] == ["separation", "no_side_votes", None]


def test_the_first_check_that_fails_is_the_one_named() -> None:
    # Two components, no side vote and a separated one at that.
    assert (
        error(fitted(duels(match("A", "B", 0, 0, 2) + match("C", "D", 2, 0)))).code == "disconnected_comparison_graph"
    )
    assert error(fitted(duels(ALL_SAME))).code == "no_side_votes"
    assert fitted(duels(ALL_SAME)).identifiability.separation is None


def test_an_arm_that_never_wins_is_separated_and_named() -> None:
    fit = fitted(duels(NEVER_WINS))
    assert error(fit).code == "separation"
    assert "never preferred: C" in error(fit).detail
    assert fit.identifiability.separation
    assert fit.identifiability.zero_win_arms == ("C",)
    assert fit.identifiability.zero_loss_arms == ()


def test_two_arms_without_a_win_for_one_are_separated_even_with_ties() -> None:
    fit = fitted(duels(NO_WIN_BUT_TIES))
    assert error(fit).code == "separation"
    assert fit.identifiability.ties_present
    assert fit.identifiability.zero_win_arms == ("B",)
    assert fit.identifiability.zero_loss_arms == ("A",)


def test_groups_of_arms_that_never_beat_the_others_are_separated_though_every_arm_wins() -> None:
    upper, lower = match("A", "B", 2, 2), match("C", "D", 2, 2)
    fit = fitted(duels(upper + lower + match("A", "C", 3, 0)))
    assert error(fit).code == "separation"
    assert fit.identifiability.zero_win_arms == ()
    assert "won every vote" in error(fit).detail


def test_ties_with_one_arm_can_hold_an_arm_that_never_wins() -> None:
    # C ties with A, which both wins and loses: nu is bounded by A and B, and so is how far C is below.
    fit = fitted(duels(match("A", "B", 4, 3, 2) + match("A", "C", 5, 0, 2)))
    assert fit.identifiability.zero_win_arms == ("C",)
    assert isinstance(fit.davidson, Davidson)
    assert isinstance(fit.bt_side_only, Unavailable)
    assert fit.bt_side_only.code == "separation"


def test_without_ties_nu_is_zero_and_the_model_is_bradley_terry() -> None:
    fit = fitted(duels(match("A", "B", 6, 3) + match("B", "C", 4, 3) + match("A", "C", 5, 5)))
    assert isinstance(fit.davidson, Davidson)
    assert fit.davidson.nu == 0
    assert fit.davidson.se_log_nu is None
    assert set(fit.davidson.p_tie.values()) == {0.0}
    assert fit.rao_kupper is not None
    assert fit.rao_kupper.kappa == 1
    assert fit.bt_half_tie == fit.bt_side_only
    assert not isinstance(fit.bt_half_tie, Unavailable | None)
    assert fit.davidson.theta == pytest.approx(fit.bt_half_tie.theta, abs=1e-9)


def test_one_rater_gives_ratings_with_a_note() -> None:
    davidson = fitted(duels(ONE_RATER)).davidson
    assert isinstance(davidson, Davidson)
    assert davidson.se_cluster_rater is None
    assert davidson.se_two_way == davidson.se_cluster_group
    assert davidson.df == 1
    assert davidson.note == "one rater: the errors do not allow for how raters differ"


def test_one_group_gives_ratings_with_a_note() -> None:
    davidson = fitted(duels(ONE_GROUP)).davidson
    assert isinstance(davidson, Davidson)
    assert davidson.se_cluster_group is None
    assert davidson.se_two_way == davidson.se_cluster_rater
    assert davidson.note == "one group of pairs (class and seed): the errors do not allow for how groups differ"


def test_votes_without_variation_take_the_models_own_error_and_say_so() -> None:
    davidson = fitted(duels(ONE_OF_EACH)).davidson
    assert isinstance(davidson, Davidson)
    assert davidson.se_two_way == pytest.approx(davidson.se_information)
    assert davidson.note is not None
    assert "no variation to see in 6 of the figures" in davidson.note


def test_an_arm_always_on_the_left_cannot_be_told_from_the_left() -> None:
    log = [("A", "B", o) for o in ">>>><<<=="]
    rows = [(f"r{n % 3}", f"g{n}", a, b, o, 0) for n, (a, b, o) in enumerate(log)]
    fit = fitted(sided(rows))
    assert isinstance(fit.davidson, Davidson)
    assert isinstance(fit.davidson_with_position, Unavailable)
    assert fit.davidson_with_position.code == "position_not_varied"


def test_raters_who_only_ever_press_left_set_no_bound_to_the_lean() -> None:
    fit = fitted(sided([(f"r{n % 3}", f"g{n}", "A", "B", "><"[n % 2], n % 2) for n in range(12)]))
    assert isinstance(fit.davidson, Davidson)
    assert isinstance(fit.davidson_with_position, Unavailable)
    assert fit.davidson_with_position.code == "separation"


def test_beside_an_error_other_fits_that_do_not_exist_are_left_out() -> None:
    for log in (TWO_COMPONENTS, NEVER_WINS, ALL_SAME, NO_WIN_BUT_TIES):
        document = as_json(fitted(duels(log)))
        assert isinstance(document, dict)
        errors = [path for path, _ in leaves(document) if path.endswith(".error")]
        assert errors == [".davidson.error"]
        assert not {"davidson_with_position", "rao_kupper"} & set(document)


def test_prior_votes_rate_what_votes_alone_do_not() -> None:
    fit = fitted(duels(NO_WIN_BUT_TIES))
    assert fit.davidson_penalised is not None
    # The closed form with half a win added each way: 6.5 and 0.5 wins, 5 ties.
    assert fit.davidson_penalised.theta["A"] == pytest.approx(np.log(6.5 / 0.5) / 2, abs=1e-9)
    assert fit.davidson_penalised.nu == pytest.approx(5 / (6.5 * 0.5) ** 0.5, rel=1e-9)
    assert "half-win" in fit.davidson_penalised.prior


def test_prior_votes_are_no_part_of_ratings_that_exist() -> None:
    assert fitted(duels(match("A", "B", 6, 1, 5))).davidson_penalised is None


@pytest.mark.parametrize("log", DEGENERATE)
def test_no_degenerate_log_gives_anything_but_finite_numbers(log: list[Duel]) -> None:
    fit = bradley_terry(duels(log))
    # as_json refuses NaN and infinity.
    assert as_json(fit)
    if isinstance(fit, BradleyTerry):
        assert as_json(leaderboard(fit))


@st.composite
def counts_of_three_arms(draw: st.DrawFn) -> np.ndarray:
    counts = st.lists(st.sampled_from([0, 0, 1, 3]), min_size=9, max_size=9)
    return np.array(draw(counts), dtype=np.int64).reshape(3, 3)


@settings(deadline=None, max_examples=60)
@given(counts_of_three_arms())
def test_separated_logs_are_those_whose_likelihood_has_no_maximum(counts: np.ndarray) -> None:
    """The linear program against Newton's method, which knows nothing of it."""
    told = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, -1.0]])
    incidence = np.zeros((3, 3))
    for row, (i, j) in enumerate(combinations(range(3), 2)):
        incidence[row, i], incidence[row, j] = 1, -1
    compared = counts.any(axis=1)
    if compared.sum() < 2 or not counts[:, :2].any():
        return
    model = DAVIDSON if counts[:, 2].any() else PLAIN
    fit = maximise(model, counts[None].astype(float), design=incidence @ told)
    assert fit.reached[0] == (not is_separated(counts[compared], design=incidence[compared]))


def test_a_tally_counts_sides_and_outcomes_of_every_matchup() -> None:
    votes = duels([("r1", "g1", "A", "B", ">"), ("r2", "g1", "B", "A", ">"), ("r1", "g2", "A", "C", "=")])
    tally = Tally.of(votes)
    assert tally.matchups.tolist() == [[0, 1], [0, 2]]
    # The first vote has A on the left, the second A on the left too, the third A on the left.
    assert tally.wins.tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert tally.ties.tolist() == [[0, 0, 1], [0, 0, 0], [1, 0, 0]]
    assert tally.counts.sum() == votes.n_votes
    on_left = np.array([[votes.left_arm[n] < votes.right_arm[n]] for n in range(3)]).ravel()
    assert tally.counts[:, 0].sum() == on_left.sum()
