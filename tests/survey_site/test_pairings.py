"""All pairs of arms, a baseline, a block: what opening builds, and what it refuses."""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import pytest

from generation.models import Batch, Image
from survey_site.design.designs import Design
from survey_site.drafts.design_changes import change_design
from survey_site.drafts.pairings import NotPairable, comparisons, n_comparisons
from survey_site.models import Comparison, Study
from survey_site.studies import StudyNotReady, create_study, open_study
from tests.factories import make_batch

pytestmark = pytest.mark.django_db


def draft(n_pairs: int = 4, *, arms: Sequence[str], votes_wanted: int | None = None, **order: object) -> Study:
    return draft_on(make_batch(n_pairs, arms=arms), votes_wanted=votes_wanted, **order)


def draft_on(batch: Batch, *, votes_wanted: int | None = None, **order: object) -> Study:
    study = create_study(
        owner=None, title="which?", arms=list(batch.arms.all()), batches=[batch], votes_wanted=votes_wanted
    )
    return change_design(study, Design.of({"order": order}))


def arms_of(pair: Comparison) -> tuple[str, str]:
    return pair.image_a.arm.name, pair.image_b.arm.name


def test_a_baseline_meets_each_of_the_others_and_these_never_each_other() -> None:
    pairs = comparisons(draft(5, arms=("x", "y", "z"), pairing="baseline", baseline="y"))
    assert Counter(arms_of(pair) for pair in pairs) == {("x", "y"): 5, ("y", "z"): 5}


def test_a_baseline_that_is_no_arm_is_refused_with_the_arms_there_are() -> None:
    with pytest.raises(NotPairable, match=r"order\.baseline: no arm of this study is called w; name one of x, y, z\."):
        comparisons(draft(arms=("x", "y", "z"), pairing="baseline", baseline="w"))


@pytest.mark.parametrize("n_arms", [3, 4, 5, 6])
@pytest.mark.parametrize("n_pairs", [7, 30])
def test_a_block_shows_all_pairs_of_arms_equally_often_in_the_study_and_in_each_class(
    n_arms: int, n_pairs: int
) -> None:
    arms = "uvwxyz"[:n_arms]
    pairs = comparisons(draft(n_pairs, arms=arms, pairing="block"))
    assert len(pairs) == n_pairs * (n_arms // 2)
    for chosen in (pairs, *([p for p in pairs if p.image_a.class_index == index] for index in (0, 1))):
        counts = Counter(arms_of(pair) for pair in chosen)
        of_pairs = [counts[pair] for pair in combinations(arms, 2)]
        assert max(of_pairs) - min(of_pairs) <= 1
        of_arms = [sum(n for pair, n in counts.items() if arm in pair) for arm in arms]
        assert max(of_arms) - min(of_arms) <= 1


def test_a_block_shows_every_arm_once_for_each_class_and_seed() -> None:
    shown = Counter()
    for pair in comparisons(draft(9, arms=("w", "x", "y", "z"), pairing="block")):
        assert pair.image_a.seed == pair.image_b.seed
        shown.update((pair.image_a.seed, arm) for arm in arms_of(pair))
    assert len(shown) == 36
    assert set(shown.values()) == {1}


def test_a_block_shows_as_many_pairs_of_a_stimulus_as_the_design_says() -> None:
    pairs = comparisons(draft(9, arms=("w", "x", "y", "z"), pairing="block", pairs_per_stimulus=5))
    assert set(Counter(pair.image_a.seed for pair in pairs).values()) == {5}
    assert len({(pair.image_a.seed, arms_of(pair)) for pair in pairs}) == 45
    counts = Counter(arms_of(pair) for pair in pairs)
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_block_of_more_pairs_than_there_are_is_refused() -> None:
    with pytest.raises(NotPairable, match="7 are more than the 6 pairs of arms there are"):
        comparisons(draft(arms=("w", "x", "y", "z"), pairing="block", pairs_per_stimulus=7))


def test_a_block_is_drawn_by_the_studys_secret() -> None:
    study = draft(30, arms=("w", "x", "y", "z"), pairing="block")
    first, again = comparisons(study), comparisons(study)
    assert [pair.pair_id for pair in first] == [pair.pair_id for pair in again]
    study.secret = "another"
    assert {pair.pair_id for pair in comparisons(study)} != {pair.pair_id for pair in first}


def test_a_block_without_every_arm_everywhere_says_where_one_is_missing() -> None:
    batch = make_batch(4, arms=("x", "y", "z"))
    Image.objects.get(batch=batch, arm__name="z", seed=3).delete()
    with pytest.raises(NotPairable, match=r"class 1, seed 3 of batch a batch has none of z\. Leave the batch"):
        comparisons(draft_on(batch, pairing="block"))


def test_votes_at_most_are_the_designs_or_twice_those_wanted() -> None:
    arms = ("x", "y")
    assert {pair.votes_max for pair in comparisons(draft(arms=arms, votes_wanted=3))} == {6}
    assert {pair.votes_max for pair in comparisons(draft(arms=arms, votes_wanted=3, votes_max=4))} == {4}
    assert {pair.votes_max for pair in comparisons(draft(arms=arms))} == {None}


@pytest.mark.parametrize(
    ("votes_wanted", "order", "problem"),
    [
        (5, {"votes_max": 4}, r"order\.votes_max: 4 votes at most are fewer than the 5 that are wanted"),
        (5, {"votes_min": 6}, r"order\.votes_min: 6 votes at least are more than the 5 that are wanted"),
        (None, {"votes_max": 4}, r"order\.votes_max: 4 votes at most need a number of votes wanted"),
        (5, {"sampling": "active"}, r"order\.sampling: active sampling needs at least four arms, and this study has 3"),
    ],
)
def test_an_order_that_does_not_fit_its_study_is_refused(
    votes_wanted: int | None, order: dict[str, object], problem: str
) -> None:
    study = draft(arms=("x", "y", "z"), votes_wanted=votes_wanted, **order)
    with pytest.raises(NotPairable, match=problem):
        comparisons(study)
    with pytest.raises(StudyNotReady, match=problem):
        open_study(study)
    assert not Comparison.objects.exists()


def test_active_sampling_and_a_baseline_exclude_each_other() -> None:
    study = draft(arms="vwxyz", sampling="active", pairing="baseline", baseline="x")
    with pytest.raises(NotPairable, match="a baseline leaves it nothing to draw"):
        comparisons(study)


@pytest.mark.parametrize(
    "order",
    [{}, {"pairing": "baseline", "baseline": "x"}, {"pairing": "block"}, {"pairing": "block", "pairs_per_stimulus": 3}],
)
def test_a_draft_can_be_told_how_many_comparisons_it_will_have(order: dict[str, object]) -> None:
    study = draft(7, arms=("v", "w", "x", "y", "z"), **order)
    assert n_comparisons(study, study.how) == open_study(study).comparisons.count()


def test_the_number_of_comparisons_is_known_before_the_images_are_made() -> None:
    study = draft_on(make_batch(7, arms=("x", "y", "z"), made=False))
    assert n_comparisons(study, study.how) == 21
    with pytest.raises(NotPairable, match="21 images of batch a batch are not there yet"):
        comparisons(study)
