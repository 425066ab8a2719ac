"""Checks are built as the design says, spread over arms and classes, and what cannot be built is said."""

import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from generation.models import Arm, Batch, Image
from survey_site.design.designs import Design
from survey_site.drafts.check_pairs import InvalidChecks, check_comparisons
from survey_site.drafts.design_changes import change_design
from survey_site.models import Comparison, Study
from survey_site.studies import StudyNotReady, create_study, open_study
from tests.factories import make_batch, make_study

pytestmark = pytest.mark.django_db


def make_draft(n_pairs: int = 8, *, arms: tuple[str, ...] = ("robust", "vanilla"), n_classes: int = 2) -> Study:
    """A draft whose pairs go round its classes."""
    batch = make_batch(n_pairs, arms=arms)
    batch.class_table = {str(index): f"class {index}" for index in range(n_classes)}
    batch.save()
    for image in batch.images.all():
        Image.objects.filter(pk=image.pk).update(class_index=image.seed % n_classes)
    return create_study(owner=None, title="a draft", arms=list(batch.arms.all()), batches=[batch])


def built(draft: Study, *, practice: int = 0, seed: int = 1, **checks: object) -> list[Comparison]:
    """The check comparisons of a draft whose design asks for these."""
    design = Design.of({"checks": {"per_block": 1, **checks}, "welcome": {"practice": practice}})
    return check_comparisons(change_design(draft, design), rng=random.Random(seed))


def of_kind(comparisons: list[Comparison], kind: str) -> list[Comparison]:
    return [comparison for comparison in comparisons if comparison.kind == kind]


def test_no_checks_no_comparisons() -> None:
    draft = make_draft()
    assert built(draft, per_block=0, identical=5, mismatched=5) == []


def test_identical_pairs_show_an_image_beside_itself_and_expect_same() -> None:
    pairs = of_kind(built(make_draft(), identical=6), "identical")
    assert len(pairs) == 6
    assert all(pair.image_a_id == pair.image_b_id and pair.expected == "tie" for pair in pairs)


def test_mismatched_pairs_show_two_classes_of_one_arm_and_batch_and_expect_the_labels_own() -> None:
    pairs = of_kind(built(make_draft(), mismatched=6), "gold")
    assert len(pairs) == 6
    for pair in pairs:
        assert pair.image_a.class_index != pair.image_b.class_index
        assert (pair.image_a.arm_id, pair.image_a.batch_id) == (pair.image_b.arm_id, pair.image_b.batch_id)
        assert (pair.expected, pair.class_label) == ("a", f"class {pair.image_a.class_index}")


def test_a_kind_that_is_not_named_is_not_built() -> None:
    kinds = {pair.kind for pair in built(make_draft(), kinds=["repeat", "identical"])}
    assert kinds == {"identical"}
    assert built(make_draft(), kinds=["repeat"]) == []


@pytest.mark.parametrize("n", [5, 12, 31])
@pytest.mark.parametrize("kind", ["gold", "identical"])
def test_checks_are_spread_over_arms_and_classes(kind: str, n: int) -> None:
    draft = make_draft(60, arms=("a", "b", "c"), n_classes=4)
    pairs = of_kind(built(draft, identical=n, mismatched=n), kind)
    arms = Counter(pair.image_a.arm.name for pair in pairs)
    classes = Counter(pair.image_a.class_index for pair in pairs)
    for counts in (arms, classes):
        assert max(counts.values()) - min(counts.values()) <= 1
    cells = Counter((pair.image_a.arm_id, pair.image_a.class_index) for pair in pairs)
    assert len(cells) == min(n, 12)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(2, 8),
    st.integers(2, 3),
    st.integers(1, 30),
    st.integers(1, 30),
    st.integers(0, 2),
    st.integers(0, 1000),
)
def test_no_two_checks_show_the_same_two_images_and_all_names_differ(
    n_pairs: int, n_classes: int, identical: int, mismatched: int, practice: int, seed: int
) -> None:
    draft = make_draft(n_pairs, n_classes=n_classes)
    pairs = built(draft, identical=identical, mismatched=mismatched, practice=practice, seed=seed)
    shown = [frozenset((pair.image_a_id, pair.image_b_id)) for pair in pairs]
    assert len(set(shown)) == len(shown)
    assert len({pair.pair_id for pair in pairs}) == len(pairs)
    for kind in Comparison.Kind:
        same = of_kind(pairs, kind)
        assert [pair.position for pair in same] == list(range(len(same)))


def test_a_small_study_builds_as_many_checks_as_its_images_allow() -> None:
    pairs = built(make_draft(2), identical=50, mismatched=50)
    # Two arms with an image of each class: four images, and one mismatched pair in each arm.
    assert Counter(pair.kind for pair in pairs) == {"identical": 4, "gold": 2}


def test_equal_secrets_build_equal_checks_and_others_do_not() -> None:
    draft = make_draft(20)
    facts = [[(p.kind, p.image_a_id, p.image_b_id, p.pair_id) for p in built(draft, seed=seed)] for seed in (1, 1, 2)]
    assert facts[0] == facts[1] != facts[2]


# --- classes that cannot be taken for one another ---


def test_two_classes_of_one_label_are_not_mismatched() -> None:
    draft = make_draft(9, n_classes=3)
    batch = draft.batches.get()
    batch.class_table = {"0": "hen", "1": "hen", "2": "cat"}
    batch.save()
    for pair in of_kind(built(draft, mismatched=20), "gold"):
        assert {pair.image_a.class_index, pair.image_b.class_index} & {2}


def test_classes_that_are_requested_together_are_not_mismatched() -> None:
    draft = make_draft(9, n_classes=3)
    batch = draft.batches.get()
    batch.combined_classes = {"2": [0, 2]}
    batch.save()
    for pair in of_kind(built(draft, mismatched=20), "gold"):
        assert {pair.image_a.class_index, pair.image_b.class_index} != {0, 2}


def test_images_of_two_sizes_do_not_stand_beside_each_other() -> None:
    draft = make_draft(8)
    draft.batches.get().images.filter(seed__lt=4).update(width=32, height=32)
    for pair in of_kind(built(draft, mismatched=20), "gold"):
        assert pair.image_a.width == pair.image_b.width


def test_images_of_two_batches_are_not_mismatched() -> None:
    first, second = make_batch(4), make_batch(4)
    draft = create_study(owner=None, title="", arms=list(Arm.objects.all()), batches=[first, second])
    pairs = of_kind(built(draft, mismatched=20), "gold")
    assert {pair.image_a.batch_id for pair in pairs} == {first.pk, second.pk}
    assert all(pair.image_a.batch_id == pair.image_b.batch_id for pair in pairs)


# --- the researcher's own ---


def images_of(draft: Study) -> list[int]:
    return list(draft.batches.get().images.order_by("pk").values_list("pk", flat=True))


def pick(image_a: int, image_b: int, expected: str = "a", **others: object) -> dict[str, object]:
    return {"image_a": image_a, "image_b": image_b, "expected": expected, **others}


def test_picked_pairs_are_built_as_picked() -> None:
    draft = make_draft()
    one, two, three, *_ = images_of(draft)
    pairs = built(draft, mismatched=0, kinds=["gold"], gold=[pick(one, two, "b"), pick(three, one, "tie")])
    facts = {(pair.kind, pair.image_a_id, pair.image_b_id, pair.expected) for pair in pairs}
    assert facts == {("gold", one, two, "b"), ("gold", three, one, "tie")}


def test_no_drawn_pair_shows_the_images_of_a_picked_one() -> None:
    draft = make_draft(2)
    same_arm = [image.pk for image in draft.batches.get().images.filter(arm__name="robust")]
    pairs = of_kind(built(draft, gold=[pick(same_arm[1], same_arm[0])], mismatched=50), "gold")
    assert len(pairs) == 2
    assert len([pair for pair in pairs if pair.image_a.arm.name == "robust"]) == 1


def test_what_is_wrong_with_a_pick_is_said_with_its_number() -> None:
    draft, other = make_draft(), make_draft()
    one, two, *_, last = images_of(draft)
    foreign = images_of(other)[0]
    Image.objects.filter(pk=last).update(width=32)
    unmade = Image.objects.create(batch=draft.batches.get(), arm=draft.arms.all()[0], class_index=0, seed=99)
    for wrong, sentence in (
        (pick(one, foreign), f"image {foreign} is no finished image of this study's batches and arms"),
        (pick(unmade.pk, one), f"image {unmade.pk} is no finished image"),
        (pick(one, one, "a"), f"it shows image {one} beside itself"),
        (pick(one, last), f"images {one} and {last} differ in size"),
        (pick(two, one), f"images {two} and {one} are picked once already"),
    ):
        with pytest.raises(InvalidChecks, match=f"^checks.gold, pair 2: {sentence}"):
            built(draft, gold=[pick(one, two), wrong])


def test_a_pick_of_an_arm_that_the_study_leaves_out_is_refused() -> None:
    draft = make_draft(arms=("a", "b", "c"))
    left_out = draft.arms.get(name="c")
    draft.arms.remove(left_out)
    image = Image.objects.filter(arm=left_out).first()
    assert image is not None
    with pytest.raises(InvalidChecks, match=f"image {image.pk} is no finished image"):
        built(draft, gold=[pick(image.pk, images_of(draft)[0])])


# --- practice ---


def test_practice_begins_with_what_was_picked_for_it_and_is_filled_up() -> None:
    draft = make_draft()
    one, two, *_ = images_of(draft)
    own = pick(one, two, "b", for_practice=True, explanation="Look at the seam.")
    pairs = built(draft, per_block=0, practice=4, gold=[own])
    assert {pair.kind for pair in pairs} == {"practice"}
    assert (pairs[0].image_a_id, pairs[0].explanation) == (one, "Look at the seam.")
    assert [pair.expected for pair in pairs] == ["b", "a", "tie", "a"]
    assert all(pair.explanation for pair in pairs)


def test_practice_with_one_class_is_of_identical_images() -> None:
    pairs = built(make_draft(n_classes=1), per_block=0, practice=3)
    assert [pair.expected for pair in pairs] == ["tie"] * 3


def test_practice_pairs_are_no_checks_as_well() -> None:
    draft = make_draft()
    one, two, *_ = images_of(draft)
    pairs = built(
        draft, practice=1, mismatched=0, kinds=["gold"], gold=[pick(one, two, for_practice=True), pick(two, two, "tie")]
    )
    assert Counter(pair.kind for pair in pairs) == {"practice": 1, "gold": 1}


# --- what cannot be built ---


def test_what_cannot_be_built_keeps_the_study_a_draft_and_says_what_to_change() -> None:
    one_class = make_draft(n_classes=1)
    image = images_of(one_class)[0]
    own = [pick(image, image, "tie", for_practice=True)]
    for checks, practice, sentence in (
        ({"per_block": 1}, 0, "checks.mismatched: a mismatched pair needs two classes"),
        ({"per_block": 1, "mismatched": 0}, 0, 'checks.kinds names "gold", but no gold pair is picked'),
        ({"per_block": 1, "kinds": ["identical"], "identical": 0}, 0, 'names "identical", but checks.identical is 0'),
        ({"gold": own}, 0, "checks.gold: 1 pairs are picked for practice, but welcome.practice is 0"),
        ({}, 20, "welcome.practice: the study's images allow 16 practice pairs, not 20"),
        ({"per_block": 1, "kinds": ["identical"]}, 16, "but no image is left for one"),
    ):
        change_design(one_class, Design.of({"checks": checks, "welcome": {"practice": practice}}))
        whole = rf"^The rating design cannot be followed\. .*{sentence}.*\. Change the design first\.$"
        with pytest.raises(StudyNotReady, match=whole):
            open_study(one_class)
    assert not Comparison.objects.exists()


# --- opening ---


def test_an_opened_study_holds_its_checks_beside_its_comparisons() -> None:
    study = make_study(8, votes_wanted=3, design={"checks": {"per_block": 1}, "welcome": {"practice": 2}})
    kinds = Counter(study.comparisons.values_list("kind", flat=True))
    assert kinds == {"normal": 8, "gold": 10, "identical": 10, "practice": 2}
    checks = study.comparisons.exclude(kind="normal")
    assert not checks.exclude(votes_wanted=None, votes_max=None, n_votes=0, n_open=0).exists()


def test_a_draft_that_could_not_open_can_open_once_its_design_is_changed() -> None:
    draft = make_draft(n_classes=1)
    change_design(draft, Design.of({"checks": {"per_block": 1}}))
    with pytest.raises(StudyNotReady):
        open_study(draft)
    change_design(draft, Design.of({"checks": {"per_block": 1, "kinds": ["identical", "repeat"]}}))
    open_study(draft)
    assert draft.comparisons.filter(kind="identical").count() == 10


def test_checks_of_a_large_batch_are_drawn_with_a_few_queries(
    django_assert_max_num_queries: DjangoAssertNumQueries,
) -> None:
    batch = Batch.objects.create(name="large", class_table={str(index): f"class {index}" for index in range(50)})
    arms = [Arm.objects.create(name=name, source="uploaded") for name in "ab"]
    facts = {"sha256": "0", "n_bytes": 1, "width": 8, "height": 8}
    Image.objects.bulk_create(
        Image(batch=batch, arm=arm, class_index=index, seed=seed, name=f"{arm}-{index}-{seed}", **facts)
        for arm, index, seed in product(arms, range(50), range(20))
    )
    draft = create_study(owner=None, title="large", arms=arms, batches=[batch])
    with django_assert_max_num_queries(10):
        pairs = built(draft, identical=1000, mismatched=1000)
    assert Counter(pair.kind for pair in pairs) == {"identical": 1000, "gold": 1000}
