"""What must hold of every figure of a report, whatever the votes: swapped arms, shuffled rows, swapped sides, ..."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from analysis import Report, VoteColumns, Votes, analyse
from analysis.records import Json

SEEDS = (1, 2, 3)
# rater, pair, left arm, choice, milliseconds
Row = tuple[str, str, str, str, int]
ARMS = ("robust", "vanilla")

# Figures that hang on random draws, which follow the order of the log or of the arms.
DRAWN = (
    "bootstrap_two_way",
    "bootstrap_pairs_threshold_ci95",
    "agreement.split_half",
    "agreement.reading",
    "agreement.alpha_nominal_ci95",
    "agreement.alpha_interval_ci95",
    "agreement.alpha_ordinal_ci95",
    "agreement.alpha_side_only_ci95",
)


def rows_of(seed: int) -> list[Row]:
    """Fourteen raters, some of them incomplete, on 24 pairs that differ, with a lean of raters and of sides."""
    rng = np.random.default_rng(seed)
    taste, lean = rng.normal(0.4, 1, 24), rng.normal(0.2, 0.6, 14)
    rows: list[Row] = []
    for rater in range(14):
        for pair in rng.permutation(24)[: 24 if rater < 6 else 9 + rater]:
            left = ARMS[int(rng.random() < 0.4)]
            utility = taste[pair] + lean[rater] + (0.3 if left == "robust" else -0.3) + rng.logistic()
            winner = "same" if abs(utility) < 0.6 else ARMS[int(utility < 0)]
            choice = "same" if winner == "same" else "left" if winner == left else "right"
            rows.append((f"r{rater:02}", f"p{pair:02}", left, choice, int(rng.lognormal(8, 0.7))))
    return rows


def votes_of(rows: Sequence[Row], *, arms: tuple[str, str] = ARMS) -> Votes:
    columns = VoteColumns(
        rater_id=[rater for rater, *_ in rows],
        pair_id=[pair for _, pair, *_ in rows],
        left_arm=[left for _, _, left, _, _ in rows],
        choice=[choice for *_, choice, _ in rows],
        response_ms=[ms for *_, ms in rows],
        class_label=[f"class {int(pair[1:]) % 5}" for _, pair, *_ in rows],
    )
    return Votes.from_rows(columns, arms=arms)


def report_of(rows: Sequence[Row], *, arms: tuple[str, str] = ARMS) -> Report:
    return analyse(votes_of(rows, arms=arms), rounds=200)


@cache
def plain(seed: int) -> dict[str, Json]:
    return figures(report_of(rows_of(seed)))


def figures(report: Report) -> dict[str, Json]:
    """Every figure by its path; rows of a list that have a name are found by it, not by their place."""
    return dict(_leaves({**report.as_json(), "methods": {}}, ""))


def _leaves(value: Json, path: str) -> Iterator[tuple[str, Json]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _leaves(item, f"{path}.{key}".lstrip("."))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            name = (
                next((item[key] for key in ("class_label", "arm", "name") if key in item), index)
                if isinstance(item, dict)
                else index
            )
            yield from _leaves(item, f"{path}[{name}]")
    else:
        yield path, value


def same(one: Json, two: Json) -> bool:
    """Equal up to rounding, which is not the same when sums are taken in another order."""
    if isinstance(one, float | int) and isinstance(two, float | int):
        return one == pytest.approx(two, rel=1e-6, abs=1e-9)
    return one == two


def differing(one: dict[str, Json], two: dict[str, Json], *, but_for: tuple[str, ...]) -> list[str]:
    """The paths at which two reports differ, other than those that start as `but_for`."""
    assert set(one) == set(two)
    return [path for path in one if not path.startswith(but_for) and not same(one[path], two[path])]


@pytest.mark.parametrize("seed", SEEDS)
def test_the_order_of_rows_matters_only_to_what_looks_at_the_order(seed: int) -> None:
    shuffled = [rows_of(seed)[at] for at in np.random.default_rng(9).permutation(len(rows_of(seed)))]
    found = differing(plain(seed), figures(report_of(shuffled)), but_for=(*DRAWN, "sequential"))
    assert found
    assert all(path.endswith((".runs", ".longest_run", ".runs_p", ".runs_p_holm")) for path in found)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_rows_give_the_same_report_random_draws_included(seed: int) -> None:
    assert differing(plain(seed), figures(report_of(rows_of(seed))), but_for=("?",)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_swapping_sides_and_choices_together_changes_nothing_in_arm_terms(seed: int) -> None:
    other = {"left": "right", "right": "left", "same": "same"}
    arm = dict(zip(ARMS, ARMS[::-1], strict=True))
    turned = [(rater, pair, arm[left], other[choice], ms) for rater, pair, left, choice, ms in rows_of(seed)]
    sides = (
        "position.",
        "rater_quality.raters",
        "times.choice_by_tercile",
        "bradley_terry.davidson_with_position.log_gamma",
    )
    adjusted = tuple(f"tests.two_way_net_position_adjusted.{name}" for name in ("A_left", "left_effect"))
    assert differing(plain(seed), figures(report_of(turned)), but_for=(*sides, *adjusted, "warnings")) == []
    turned_figures = figures(report_of(turned))
    assert turned_figures["position.left_share"] == pytest.approx(1 - float(plain(seed)["position.left_share"]))


# What turns round with the arms: x to -x, x to 1 - x, or the two of a pair changing places.
NEGATED = (
    *(f"tests.two_way_net.{name}" for name in ("estimate", "t")),
    *(f"tests.two_way_net_position_adjusted.{name}" for name in ("net",)),
    *(f"tests.{name}.{figure}" for name in ("pair_t", "rater_t") for figure in ("mean", "t")),
    *(f"tests.{unit}_flip_permutation_exact.T" for unit in ("pair", "rater")),
    *(f"tests.pair_wilcoxon_net_over_all_votes.{zeros}.z" for zeros in ("pratt", "wilcox")),
    "tests.two_way_side_share.t",
    "tests.vote_sign_binomial.z",
    "bradley_terry.pairwise.net",
    "classes.mu",
)
COMPLEMENTED = (
    "tests.two_way_side_share.estimate",
    "tests.vote_sign_binomial.side_share",
    "tests.pair_sign.share",
    "tests.two_way_net_position_adjusted.A_left_share",
)
EXCHANGED = (
    ("tests.vote_sign_binomial.A", "tests.vote_sign_binomial.B"),
    ("tests.pair_sign.wins", "tests.pair_sign.losses"),
    ("tests.pair_wilcoxon_net_over_all_votes.pratt.W_plus", "tests.pair_wilcoxon_net_over_all_votes.pratt.W_minus"),
)


def _turned_interval(one: dict[str, Json], two: dict[str, Json], path: str, turn: Callable[[float], float]) -> None:
    low, high = (float(two[f"{path}[{end}]"]) for end in (0, 1))
    assert (one[f"{path}[0]"], one[f"{path}[1]"]) == pytest.approx((turn(high), turn(low)), rel=1e-6, abs=1e-9), path


@pytest.mark.parametrize("seed", SEEDS)
def test_swapping_the_arms_mirrors_every_figure(seed: int) -> None:
    one, two = plain(seed), figures(report_of(rows_of(seed), arms=("vanilla", "robust")))
    two = {path.replace("vanilla-robust", "robust-vanilla"): value for path, value in two.items()}
    one = {path.replace("pairwise.robust-vanilla.", "pairwise."): value for path, value in one.items()}
    two = {path.replace("pairwise.robust-vanilla.", "pairwise."): value for path, value in two.items()}
    for path in NEGATED:
        assert one[path] == pytest.approx(-float(two[path]), rel=1e-6, abs=1e-9), path
    for path in COMPLEMENTED:
        assert one[path] == pytest.approx(1 - float(two[path]), rel=1e-6), path
    for first, second in EXCHANGED:
        assert (one[first], one[second]) == (two[second], two[first])
    for path in ("tests.two_way_net.ci95", "tests.two_way_net_position_adjusted.net_ci95", "tests.pair_t.ci95"):
        _turned_interval(one, two, path, lambda bound: -bound)
    for path in ("tests.two_way_side_share.ci95", "tests.pair_sign.exact95", "tests.vote_sign_binomial.wilson95"):
        _turned_interval(one, two, path, lambda bound: 1 - bound)
    for path in (path for path in one if path.startswith(("classes.rows", "screening.effects"))):
        turns = path.endswith((".mean", ".shrunken", ".estimate"))
        wanted = -float(two[path]) if turns else two[path]
        assert same(one[path], wanted) or "ci95[" in path, path
    assert differing(one, two, but_for=(*DRAWN, *_turning(), "warnings[")) == []


def _turning() -> tuple[str, ...]:
    """Paths of figures that turn with the arms, checked one by one above or in the tests of their modules."""
    pairs = tuple(path for two in EXCHANGED for path in two)
    intervals = ("tests.two_way_net.ci95", "tests.two_way_net_position_adjusted.net_ci95", "tests.pair_t.ci95")
    shares = ("tests.two_way_side_share.", "tests.pair_sign.exact95", "tests.vote_sign_binomial.", "tests.rater_t.ci95")
    wilcox = "tests.pair_wilcoxon_net_over_all_votes.wilcox.W_"
    listed = (
        "arms[",
        "orientation",
        "bradley_terry.arms[",
        "bradley_terry.wins[",
        "bradley_terry.identifiability.components",
    )
    # One class's figures are means of the first arm's lead; a look's likewise.
    means = (
        "classes.rows",
        "sequential.two_way_normal_mixture",
        "screening.effects",
        "leaderboard.contrasts",
        "planning.source",
    )
    return (*NEGATED, *COMPLEMENTED, *pairs, *intervals, *shares, wilcox, *listed, *means, "tests.two_way_net.null")


@pytest.mark.parametrize("seed", SEEDS)
def test_looks_turn_with_the_arms(seed: int) -> None:
    votes = votes_of(rows_of(seed))
    one, two = (
        analyse(replace(votes, **changed), rounds=0).pairings[0].sequential.two_way_normal_mixture.looks
        for changed in ({}, {"left_arm": votes.right_arm, "right_arm": votes.left_arm})
    )
    for look, turned in zip(one, two, strict=True):
        assert (look.estimate, look.low, look.high) == pytest.approx((-turned.estimate, -turned.high, -turned.low))
        assert look.log_e == pytest.approx(turned.log_e)


@pytest.mark.parametrize("seed", SEEDS)
def test_raters_seen_double_change_no_estimate_and_hide_no_spread_of_pairs(seed: int) -> None:
    rows = rows_of(seed)
    double = figures(report_of([*rows, *((f"{rater} again", *rest) for rater, *rest in rows)]))
    one = plain(seed)
    for path in (
        "shares.robust.percent",
        "tests.two_way_net.estimate",
        "tests.two_way_side_share.estimate",
        "tests.pair_t.p",
    ):
        assert double[path] == pytest.approx(one[path]), path
    assert [path for path in one if path.startswith("threshold_table") and not same(one[path], double[path])] == []
    # Pairs vary as before, so however often raters are copied the error stays above what pairs bring to it.
    assert double["tests.two_way_net.var_pair"] == pytest.approx(one["tests.two_way_net.var_pair"])
    raters = int(one["raters"])
    halved = float(one["tests.two_way_net.var_rater"]) * (raters - 1) / (2 * raters - 1)
    assert double["tests.two_way_net.var_rater"] == pytest.approx(halved)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rater_who_only_says_same_counts_in_the_votes_but_not_in_the_threshold_table(seed: int) -> None:
    rows = rows_of(seed)
    pairs = sorted({pair for _, pair, *_ in rows})
    more = figures(report_of([*rows, *(("sleeper", pair, "robust", "same", 900) for pair in pairs)]))
    one = plain(seed)
    untouched = (
        "threshold_table",
        "tests.pair_sign",
        "tests.vote_sign_binomial",
        "tests.pair_flip",
        "tests.rater_flip",
    )
    assert [path for path in one if path.startswith(untouched) and not same(one[path], more[path])] == []
    for path in ("tests.two_way_side_share.estimate", "agreement.alpha_side_only", "position.left_share"):
        assert more[path] == pytest.approx(one[path]), path
    diluted = float(one["tests.two_way_net.estimate"]) * len(rows) / (len(rows) + len(pairs))
    assert more["tests.two_way_net.estimate"] == pytest.approx(diluted)
    assert more["shares.same.votes"] == int(one["shares.same.votes"]) + len(pairs)
