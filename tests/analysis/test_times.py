import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis import VoteColumns, Votes, read_csv
from analysis.records import Unavailable, as_json
from analysis.times import ChoiceCounts, Times, medians, times

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def table_2() -> Votes:
    return read_csv(DATA / "table2_votes.csv")


def timed_log(*rows: tuple[str, str, str, int | None], swapped: bool = False) -> Votes:
    """rater, pair, choice, milliseconds; the arm `robust` is on the left unless the sides are swapped."""
    turned = {"left": "right", "right": "left", "same": "same"} if swapped else {}
    left, right = ("vanilla", "robust") if swapped else ("robust", "vanilla")
    return Votes.from_rows(
        VoteColumns(
            rater_id=[rater for rater, *_ in rows],
            pair_id=[pair for _, pair, *_ in rows],
            left_arm=[left] * len(rows),
            right_arm=[right] * len(rows),
            choice=[turned.get(choice, choice) for _, _, choice, _ in rows],
            response_ms=[ms for *_, ms in rows],
        )
    )


def measured(votes: Votes) -> Times:
    found = times(votes)
    assert isinstance(found, Times), found
    return found


def test_the_answers_of_the_fixture_are_reached(table_2: Votes) -> None:
    wanted = json.loads((DATA / "table2_votes.answers.json").read_text())["times"]
    found = as_json(times(table_2))
    assert isinstance(found, dict)
    assert found["choice_by_tercile"] == wanted["choice_by_tercile"]
    assert found["tercile_edges_ms"] == wanted["tercile_edges_ms"]
    rank = found["spearman_absnet_vs_median_ms"]
    assert isinstance(rank, dict)
    for name in ("rho", "p"):
        assert rank[name] == pytest.approx(wanted["spearman_absnet_vs_median_ms"][name], rel=1e-9)


def test_votes_without_a_time_are_left_out_and_counted() -> None:
    rows = [("r1", "p1", "left", 100), ("r1", "p2", "right", 200), ("r1", "p3", "same", 300)]
    with_gaps = measured(timed_log(*rows, ("r2", "p1", "left", None), ("r2", "p4", "left", None)))
    assert (with_gaps.timed, with_gaps.without_time, with_gaps.median_ms) == (3, 2, 200.0)
    assert with_gaps.choice_by_tercile == (ChoiceCounts(1, 0, 0), ChoiceCounts(0, 1, 0), ChoiceCounts(0, 0, 1))
    assert with_gaps.spearman_absnet_vs_median_ms.n == 3


def test_a_vote_on_an_edge_belongs_to_the_quicker_third() -> None:
    # numpy.quantile([100, 200, 300, 400], [1/3, 2/3]) is [200, 300].
    choices = ["left", "right", "same", "left"]
    found = measured(timed_log(*((f"r{n}", "p", choice, 100 * (n + 1)) for n, choice in enumerate(choices))))
    assert found.tercile_edges_ms == (200.0, 300.0)
    assert found.choice_by_tercile == (ChoiceCounts(1, 1, 0), ChoiceCounts(0, 0, 1), ChoiceCounts(1, 0, 0))


def test_a_log_without_any_time_says_so() -> None:
    found = times(timed_log(("r1", "p1", "left", None)))
    assert isinstance(found, Unavailable)
    assert found.code == "no_times"
    assert "response_ms" in found.detail


@pytest.mark.parametrize(
    ("pairs", "choice", "note"), [(1, "left", "needs 3"), (2, "left", "needs 3"), (4, "same", "nothing to rank")]
)
def test_a_correlation_that_cannot_be_had_is_none_with_a_note(pairs: int, choice: str, note: str) -> None:
    found = measured(timed_log(*(("r1", f"p{n}", choice, 100 * n) for n in range(pairs))))
    rank = found.spearman_absnet_vs_median_ms
    assert (rank.rho, rank.p, rank.n) == (None, None, pairs)
    assert note in (rank.note or "")


def test_a_tab_left_open_for_a_week_moves_the_median_by_one_rank_only() -> None:
    rows = [("r1", f"p{n}", "left", ms) for n, ms in enumerate((900, 1000, 1100, 1200))]
    week = 7 * 24 * 3600 * 1000
    assert measured(timed_log(*rows, ("r1", "p9", "left", week))).median_ms == 1100.0


def test_swapping_sides_and_choices_together_changes_the_buttons_only() -> None:
    choices = ["left", "right", "same", "left", "left", "right"]
    rows = [(f"r{n}", f"p{n % 4}", choice, 100 * n**2) for n, choice in enumerate(choices)]
    here, there = measured(timed_log(*rows)), measured(timed_log(*rows, swapped=True))
    assert here.spearman_absnet_vs_median_ms == there.spearman_absnet_vs_median_ms
    assert [(c.right, c.left, c.same) for c in here.choice_by_tercile] == [
        (c.left, c.right, c.same) for c in there.choice_by_tercile
    ]


@pytest.mark.parametrize("clusters", [5, 5000])
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**53 - 1)), max_size=40))
def test_medians_by_cluster_are_numpy_s(clusters: int, entries: list[tuple[int, int]]) -> None:
    # With 5000 clusters a cluster and the longest time do not fit into one number.
    cluster, values = (np.array([entry[i] for entry in entries], dtype=np.int64) for i in (0, 1))
    wanted = [np.median(values[cluster == c]) if (cluster == c).any() else 0.0 for c in range(5)]
    found = medians(values, cluster, clusters=clusters)
    assert (found[:5].tolist(), len(found)) == (wanted, clusters)


def test_clear_pairs_that_go_fast_correlate_as_scipy_has_it() -> None:
    # scipy.stats.spearmanr([1, 1/3, 1/3, 0], [100, 300, 200, 400]) = (-0.9486832980505139, 0.05131670194948612)
    votes = {"p1": "aaa", "p2": "aab", "p3": "ass", "p4": "abs"}
    middle = {"p1": 100, "p2": 300, "p3": 200, "p4": 400}
    button = {"a": "left", "b": "right", "s": "same"}
    rows = [
        (f"r{n}", pair, button[vote], middle[pair] + 10 * (n - 1))
        for pair, given_votes in votes.items()
        for n, vote in enumerate(given_votes)
    ]
    rank = measured(timed_log(*rows)).spearman_absnet_vs_median_ms
    assert (rank.rho, rank.p) == pytest.approx((-0.9486832980505139, 0.05131670194948612))
