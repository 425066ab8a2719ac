import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import VoteColumns, Votes
from analysis.intervals import Crossed, TwoWay
from analysis.rater_filters import (
    FILTERS,
    METHODS,
    FilteredNet,
    FilterEffect,
    UnknownFilter,
    excluded_by,
    filter_effects,
)
from analysis.rater_quality import rater_quality
from analysis.records import Unavailable, as_json
from analysis.significance import two_way_net
from tests.analysis.logs import log, small_logs, unjudged

HONEST = "LRRLSLRRLLSR"


def panel(*rows: tuple[str, str, int, str]) -> Votes:
    """Raters as name, buttons (L R S on p0, p1, ...), milliseconds of every vote, gold answers (+ right, - wrong).

    The arm `x` stands on the left of every other pair.
    """
    entries = [(name, f"p{n}", n % 2, b, ms, "") for name, buttons, ms, _ in rows for n, b in enumerate(buttons)]
    entries += [
        (name, f"g{n}", 0, "L" if g == "+" else "R", 900, "x") for name, *_, gold in rows for n, g in enumerate(gold)
    ]
    names = {"L": "left", "R": "right", "S": "same"}
    return Votes.from_rows(
        VoteColumns(
            rater_id=[name for name, *_ in entries],
            pair_id=[pair for _, pair, *_ in entries],
            left_arm=["yx"[1 - turned] for *_, turned, _, _, _ in entries],
            right_arm=["yx"[turned] for *_, turned, _, _, _ in entries],
            choice=[names[button] for *_, button, _, _ in entries],
            response_ms=[ms for *_, ms, _ in entries],
            gold_arm=[arm for *_, arm in entries],
        )
    )


def of_five() -> Votes:
    """Four raters that each fail one screen, and four honest ones."""
    return panel(
        ("leans", "L" * 12, 1500, "++++"),
        ("alternates", "LRLRLRLRLRLRLRLRLRLR", 1500, "++++"),
        ("hurries", HONEST, 300, "++++"),
        ("guesses", HONEST[::-1], 1500, "+-+-"),
        *((f"honest{n}", HONEST[n:] + HONEST[:n], 1500 + n, "++++") for n in range(4)),
    )


def names_excluded(filters: list[str], votes: Votes) -> set[str]:
    return {votes.rater_names[rater] for rater in np.flatnonzero(excluded_by(filters, votes))}


def test_a_name_holds_its_version_and_its_sentence_says_who_is_left_out() -> None:
    for name, rule in FILTERS.items():
        assert name == rule.name
        assert re.fullmatch(r"[a-z_]+@\d+", name)
        assert rule.sentence.startswith("Leaves out raters ")
        assert rule.sentence.endswith(".")


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ([], set()),
        (["position@1"], {"leans"}),
        (["runs@1"], {"alternates"}),
        (["fast@1"], {"hurries"}),
        (["gold@1"], {"guesses"}),
        (["position_or_gold@1"], {"leans", "guesses"}),
        (["position@1", "gold@1"], {"leans", "guesses"}),
        (["fast@1", "position_or_gold@1", "runs@1"], {"leans", "guesses", "hurries", "alternates"}),
    ],
)
def test_filters_leave_out_everybody_whom_one_of_them_names(filters: list[str], names: set[str]) -> None:
    assert names_excluded(filters, of_five()) == names
    assert names_excluded(filters[::-1], of_five()) == names


def test_a_name_that_is_no_filter_is_refused_with_those_that_are() -> None:
    with pytest.raises(UnknownFilter, match=r"'gold@2' is not a filter; there are position@1, .*gold@1"):
        excluded_by(["position@1", "gold@2"], of_five())


@pytest.mark.parametrize(("gold", "left_out"), [("+--", False), ("++--", True), ("+++-", False), ("++++++---", True)])
def test_gold_needs_four_answers_before_anybody_is_left_out(gold: str, left_out: bool) -> None:
    votes = panel(("r", HONEST, 900, gold), ("s", HONEST, 900, ""))
    assert names_excluded(["gold@1"], votes) == ({"r"} if left_out else set())


def test_exactly_half_of_the_votes_below_half_a_second_is_not_more_than_half() -> None:
    votes = panel(("r", "LR", 0, ""), ("s", "LR", 0, ""))
    half = replace(votes, response_ms=np.array([499, 500, 499, 499]))
    assert names_excluded(["fast@1"], half) == {"s"}


def test_without_times_and_gold_their_filters_leave_nobody_out() -> None:
    votes = panel(("r", HONEST, 0, ""), ("s", HONEST, 0, ""))
    untimed = replace(votes, response_ms=np.full(votes.n_votes, -1))
    assert names_excluded(["fast@1", "gold@1"], untimed) == set()


def test_the_flags_of_a_rater_are_the_filters_of_that_name() -> None:
    votes = of_five()
    marks = rater_quality(votes).raters
    for flag in ("position", "runs", "fast", "gold"):
        assert {name for name, found in marks.items() if flag in found.flags} == names_excluded([f"{flag}@1"], votes)


@settings(deadline=None, max_examples=60)
@given(small_logs(), st.data())
def test_no_filter_looks_at_which_arm_was_preferred(entries: list[tuple[str, str, str]], data: st.DataObject) -> None:
    votes = log(entries)
    turned = np.array(data.draw(st.lists(st.booleans(), min_size=votes.n_votes, max_size=votes.n_votes)))
    # The same buttons on images that stood elsewhere: any preference becomes any other.
    other = replace(
        votes,
        left_arm=np.where(turned, votes.right_arm, votes.left_arm),
        right_arm=np.where(turned, votes.left_arm, votes.right_arm),
    )
    for name in FILTERS:
        assert (excluded_by([name], votes) == excluded_by([name], other)).all()


def test_who_always_disagrees_with_the_majority_stays() -> None:
    turned = HONEST.translate(str.maketrans("LR", "RL"))
    votes = panel(("contrary", turned, 900, "++++"), *((f"r{n}", HONEST, 900, "++++") for n in range(5)))
    assert rater_quality(votes).raters["contrary"].leave_one_out_agree == 0
    assert names_excluded(list(FILTERS), votes) == set()
    assert "agreement with the majority is never one" in METHODS[0].explains


def effects_of(votes: Votes) -> dict[str, FilterEffect]:
    effects = filter_effects(votes)
    as_json(effects)
    return {effect.name: effect for effect in effects}


def test_an_effect_is_the_headline_of_the_log_without_those_raters() -> None:
    votes = of_five()
    for name, effect in effects_of(votes).items():
        rest = votes.without_raters(excluded_by([name], votes))
        wanted = two_way_net(rest, Crossed.of(rest))
        assert isinstance(wanted, TwoWay)
        assert (effect.raters, effect.votes) == (votes.n_raters - rest.n_raters, votes.n_votes - rest.n_votes)
        assert effect.headline == FilteredNet(
            estimate=wanted.estimate,
            se=wanted.se,
            df=wanted.df,
            ci95=wanted.ci95,
            p=wanted.p,
            votes=wanted.n,
            pairs=wanted.pairs,
            raters=wanted.raters,
        )
        assert effect.sentence == FILTERS[name].sentence


def test_a_filter_without_anybody_to_leave_out_shows_the_headline_itself() -> None:
    votes = panel(*((f"r{n}", HONEST[n:] + HONEST[:n], 900, "") for n in range(4)))
    wanted = two_way_net(votes, Crossed.of(votes))
    assert isinstance(wanted, TwoWay)
    for effect in filter_effects(votes):
        assert (effect.raters, effect.votes) == (0, 0)
        assert isinstance(effect.headline, FilteredNet)
        assert (effect.headline.estimate, effect.headline.p) == (wanted.estimate, wanted.p)


def test_too_little_left_is_a_code_and_not_a_number() -> None:
    one_left = effects_of(panel(("r", HONEST, 900, ""), ("hurries", HONEST, 10, "")))["fast@1"]
    none_left = effects_of(panel(("r", HONEST, 10, ""), ("hurries", HONEST, 10, "")))["fast@1"]
    assert isinstance(one_left.headline, Unavailable)
    assert isinstance(none_left.headline, Unavailable)
    assert (one_left.headline.code, none_left.headline.code) == ("one_rater", "no_votes")
    assert (one_left.raters, none_left.raters) == (1, 2)


def test_before_the_first_vote_every_effect_is_no_votes() -> None:
    for effect in filter_effects(log([], pairs=unjudged("p1"))):
        assert isinstance(effect.headline, Unavailable)
        assert effect.headline.code == "no_votes"


def test_with_three_arms_there_are_counts_and_no_headline() -> None:
    votes = Votes.from_rows(
        VoteColumns(
            rater_id=["r"] * 3 + ["s"],
            pair_id=["1", "2", "3", "1"],
            left_arm=["x", "y", "z", "x"],
            right_arm=["y", "z", "x", "y"],
            choice=["left", "right", "same", "left"],
            response_ms=[100, 100, 100, 900],
        )
    )
    effect = effects_of(votes)["fast@1"]
    assert (effect.raters, effect.votes, effect.headline) == (1, 3, None)
