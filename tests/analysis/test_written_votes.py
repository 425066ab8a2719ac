"""A log that is written and read again is the same log."""

import io

import numpy as np
import pytest

from analysis import Votes, read_csv
from analysis.simulation import SimulatedDesign, simulate
from analysis.vote_file import read_columns, write_columns
from tests.analysis.logs import columns, pair_of


@pytest.mark.parametrize("arms", [("robust", "vanilla"), ("a", "b", "c, or d")])
def test_a_simulated_log_comes_back_whole(arms: tuple[str, ...]) -> None:
    design = SimulatedDesign(
        arms=arms, groups=9, complete_raters=3, partial_raters=2, partial_votes=(2, 5), gold_pairs=2
    )
    simulation = simulate(design, rng=np.random.default_rng(1))
    stream = io.StringIO()
    write_columns(simulation.columns(), stream)
    stream.seek(0)
    votes, drawn = read_csv(stream, pairs=simulation.pairs), simulation.votes()
    assert votes.simulated
    assert (votes.arms, votes.groups, votes.rater_names) == (drawn.arms, drawn.groups, drawn.rater_names)
    for name in ("pair", "rater", "left_arm", "right_arm", "choice", "response_ms"):
        assert getattr(votes, name).tolist() == getattr(drawn, name).tolist()
    assert votes.gold.right.tolist() == drawn.gold.right.tolist()


def test_a_log_without_times_gold_or_label_comes_back_without_them() -> None:
    stream = io.StringIO()
    write_columns(columns(pair_of(2, 1, 1)), stream)
    assert stream.getvalue().startswith("pair_id,class_label,rater_id,left_arm,right_arm,choice,response_ms\n")
    stream.seek(0)
    again = read_columns(stream)
    assert not again.simulated
    assert Votes.from_rows(again).outcome.tolist() == Votes.from_rows(columns(pair_of(2, 1, 1))).outcome.tolist()
