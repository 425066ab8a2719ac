"""The benchmark measures what it says, on logs that the checks at the door would let in."""

from analysis import VoteColumns, Votes
from benchmarks.statistics import Measured, drawn_log, measurements


def test_every_limit_is_measured() -> None:
    measured = list(measurements(3000, rounds=1))
    assert [row.limit for row in measured] == [1.0, 0.3, 0.3, 0.2, 1.5, 1.5]
    assert [row.yardstick is not None for row in measured] == [False, False, False, False, True, True]
    assert all(row.ours > 0 for row in measured)
    assert "threshold table of 3,000 votes against plain numpy" in str(measured[-1])


def test_a_ratio_has_a_limit_of_its_own_and_seconds_theirs() -> None:
    assert Measured("a", 3.0, 2.0, 1.5).is_within
    assert not Measured("a", 3.1, 2.0, 1.5).is_within
    assert not Measured("a", 1.1, None, 1.0).is_within


def test_a_drawn_log_is_sound() -> None:
    log, names = drawn_log(2000, seed=0), ("left", "right", "same")
    checked = Votes.from_rows(
        VoteColumns(
            pair_id=[log.pair_names[pair] for pair in log.pair],
            rater_id=[log.rater_names[rater] for rater in log.rater],
            left_arm=[log.arms[arm] for arm in log.left_arm],
            right_arm=[log.arms[arm] for arm in log.right_arm],
            choice=[names[choice] for choice in log.choice],
        )
    )
    assert (checked.n_votes, checked.n_raters) == (log.n_votes, log.n_raters)
    assert (checked.outcome == log.outcome).all()
