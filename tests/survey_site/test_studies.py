"""Opening builds and freezes; pausing and closing keep votes out."""

import pytest

from generation.models import Arm, Batch, Image
from survey_site.models import Comparison, Study
from survey_site.studies import (
    StudyClosed,
    StudyNotReady,
    StudyPaused,
    close_study,
    create_study,
    free_slug,
    open_ready_studies,
    open_study,
    pause_study,
    require_open,
)
from survey_site.tasks import open_ready_studies as open_ready_studies_task
from tests.factories import make_batch, make_study

pytestmark = pytest.mark.django_db


def draft(*batches: Batch, arms: list[Arm] | None = None, **options: object) -> Study:
    own_arms = list(batches[0].arms.all()) if arms is None else arms
    return create_study(owner=None, title="which?", arms=own_arms, batches=batches, **options)


def test_opening_pairs_the_images_of_each_class_and_seed() -> None:
    study = make_study(5)
    pairs = list(study.comparisons.select_related("image_a__arm", "image_b__arm"))
    assert len(pairs) == 5
    for pair in pairs:
        assert (pair.image_a.arm.name, pair.image_b.arm.name) == ("robust", "vanilla")
        assert (pair.image_a.class_index, pair.image_a.seed) == (pair.image_b.class_index, pair.image_b.seed)
    assert study.status == Study.Status.OPEN
    assert study.opened_at is not None


def test_image_a_is_of_the_arm_that_comes_first_by_name() -> None:
    study = make_study(2, arms=("zeta", "alpha"))
    assert set(study.comparisons.values_list("image_a__arm__name", flat=True)) == {"alpha"}


def test_three_arms_make_three_pairings_with_unlike_names() -> None:
    study = make_study(4, arms=("x", "y", "z"))
    pairings = study.comparisons.values_list("image_a__arm__name", "image_b__arm__name").distinct()
    assert set(pairings) == {("x", "y"), ("x", "z"), ("y", "z")}
    assert study.comparisons.count() == 12
    assert study.comparisons.filter(pair_id__endswith="-c1-s3-x-z").count() == 1


def test_positions_are_a_shuffle_without_gaps() -> None:
    study = make_study(50)
    rows = list(study.comparisons.order_by("position").values_list("position", "image_a__seed"))
    assert [position for position, _ in rows] == list(range(50))
    assert [seed for _, seed in rows] != sorted(seed for _, seed in rows)


def test_a_target_leaves_room_for_late_votes() -> None:
    comparison = make_study(1, votes_wanted=3).comparisons.get()
    assert (comparison.votes_wanted, comparison.votes_max) == (3, 6)
    assert make_study(1).comparisons.get().votes_max is None


def test_opening_with_a_missing_image_says_how_many_are_missing() -> None:
    study = draft(make_batch(3, made=False))
    with pytest.raises(StudyNotReady, match="6 images of batch a batch are not there yet"):
        open_study(study)
    assert not Comparison.objects.exists()
    assert Study.objects.get().status == Study.Status.DRAFT


def test_one_arm_cannot_be_compared() -> None:
    batch = make_batch(2)
    with pytest.raises(StudyNotReady, match="at least two arms; this one has 1"):
        open_study(draft(batch, arms=[batch.arms.first()]))


def test_two_arms_of_one_name_cannot_be_told_apart() -> None:
    with pytest.raises(StudyNotReady, match="Two arms are called twin"):
        open_study(draft(make_batch(2, arms=("twin", "twin"))))


def test_arms_that_share_no_stimulus_cannot_be_paired() -> None:
    batch = make_batch(2)
    Image.objects.filter(arm__name="vanilla").update(seed=99)
    Image.objects.filter(arm__name="robust", seed=1).delete()
    Image.objects.filter(class_index=1).delete()
    with pytest.raises(StudyNotReady, match="No two images of different arms"):
        open_study(draft(batch))


def test_an_arm_without_any_pair_is_named() -> None:
    first, second = make_batch(2), make_batch(2, arms=("lonely",))
    with pytest.raises(StudyNotReady, match="Arm lonely has no image to be compared"):
        open_study(draft(first, second, arms=[*first.arms.all(), *second.arms.all()]))


def test_opening_twice_builds_comparisons_once() -> None:
    study = make_study(3)
    open_study(pause_study(open_study(study)))
    assert study.comparisons.count() == 3


def test_a_closed_study_stays_closed() -> None:
    study = close_study(make_study(1))
    with pytest.raises(StudyNotReady, match="closed for good"):
        open_study(study)
    with pytest.raises(StudyNotReady, match="Only an open study can be paused"):
        pause_study(study)
    assert close_study(study).closed_at == study.closed_at


def test_a_draft_can_neither_be_paused_nor_closed() -> None:
    study = draft(make_batch(1))
    with pytest.raises(StudyNotReady, match="this one is draft"):
        pause_study(study)
    with pytest.raises(StudyNotReady, match="was never open"):
        close_study(study)


def test_only_an_open_study_takes_votes() -> None:
    study = make_study(1)
    require_open(study)
    with pytest.raises(StudyPaused, match="paused"):
        require_open(pause_study(study))
    with pytest.raises(StudyClosed, match="takes no more answers"):
        require_open(close_study(study))
    with pytest.raises(StudyPaused, match="not opened yet"):
        require_open(draft(make_batch(1)))


def test_a_study_that_waits_for_its_images_opens_when_the_last_one_is_there() -> None:
    batch = make_batch(2, made=False)
    study = draft(batch, opens_when_ready=True)
    draft(make_batch(1))
    assert open_ready_studies() == []
    facts = {"sha256": "0" * 64, "n_bytes": 1, "width": 1, "height": 1}
    for image in batch.images.all():
        Image.objects.filter(pk=image.pk).update(name=f"images/{image.pk}.png", **facts)
    open_ready_studies_task()
    study.refresh_from_db()
    assert study.status == Study.Status.OPEN
    assert open_ready_studies() == []


def test_a_study_that_cannot_open_does_not_hold_up_the_others() -> None:
    draft(make_batch(1, arms=("twin", "twin")), opens_when_ready=True)
    good = draft(make_batch(1), opens_when_ready=True)
    assert open_ready_studies() == [good]


def test_a_drawn_slug_tells_raters_nothing_of_the_title() -> None:
    batch = make_batch(1)
    slugs = {draft(batch).slug for _ in range(20)}
    assert len(slugs) == 20
    assert all("which" not in slug for slug in slugs)


def test_a_free_slug_never_meets_one_that_is_taken() -> None:
    batch = make_batch(1)
    for expected in ("golf-balls", "golf-balls-2", "golf-balls-3"):
        slug = free_slug("Golf balls!")
        assert slug == expected
        draft(batch, slug=slug)
    assert free_slug("¿?") == "study"
