"""Which normal comparisons a study has: every two arms, a baseline against the others, or a balanced incomplete block.

Image a is always of the arm first by name. Nothing is saved here; `studies.open_study` saves what it gets.
"""

import random
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from django.utils.text import slugify

from generation.models import Arm, Batch, Image
from survey_site.design.designs import Design, Order, Pairing, Sampling
from survey_site.design.tournaments import endless_blocks
from survey_site.models import Comparison, Study

# With three arms there are three pairs of arms to draw from: nothing to gain by drawing cleverly.
FEWEST_ARMS_TO_SAMPLE = 4


class NotPairable(Exception):
    """The study's images cannot be paired as its design wants; the message says what is wrong and what to do."""


class Stimulus(NamedTuple):
    """One class and seed of a batch: what the images of a comparison share."""

    batch: int
    class_index: int
    seed: int


class Meeting(NamedTuple):
    """A stimulus on which two arms meet, the arm first by name first."""

    stimulus: Stimulus
    first: Arm
    second: Arm


def comparisons(study: Study) -> list[Comparison]:
    """Return a study's normal comparisons, unsaved, in an order drawn by the study's secret.

    Raises `NotPairable` when images are missing, arms cannot be told apart, or the design's order cannot be followed.
    """
    arms, batches = _arms(study), list(study.batches.order_by("pk"))
    order = study.how.order
    _require_sound(order, arms=arms, votes_wanted=study.votes_wanted)
    images = _images(batches, arms=arms)
    meetings = _meetings(study, order, arms=arms, batches=batches, held=images)
    _require_all_met(arms, meetings)
    tags, votes_max = _tags(arms), order.votes_max or 2 * (study.votes_wanted or 0) or None
    pairs = [
        Comparison(
            study=study,
            pair_id=f"b{stimulus.batch}-c{stimulus.class_index}-s{stimulus.seed}{tags[first.pk]}{tags[second.pk]}",
            image_a=images[stimulus][first.pk],
            image_b=images[stimulus][second.pk],
            votes_wanted=study.votes_wanted,
            votes_max=votes_max,
        )
        for stimulus, first, second in meetings
    ]
    random.Random(study.secret).shuffle(pairs)
    for position, pair in enumerate(pairs):
        pair.position = position
    return pairs


def n_comparisons(study: Study, design: Design) -> int:
    """Return how many normal comparisons a draft would have under a design, its images made or not.

    Raises `NotPairable` where the design's order cannot be followed.
    """
    arms, batches = _arms(study), list(study.batches.order_by("pk"))
    _require_sound(design.order, arms=arms, votes_wanted=study.votes_wanted)
    held: dict[Stimulus, set[int]] = defaultdict(set)
    rows = Image.objects.filter(batch__in=batches, arm__in=arms).order_by()
    for batch, class_index, seed, arm in rows.values_list("batch", "class_index", "seed", "arm"):
        held[Stimulus(batch, class_index, seed)].add(arm)
    return len(_meetings(study, design.order, arms=arms, batches=batches, held=held))


def _arms(study: Study) -> list[Arm]:
    arms = sorted(study.arms.all(), key=lambda arm: arm.name)
    if len(arms) < 2:
        raise NotPairable(f"A study compares at least two arms; this one has {len(arms)}. Add another arm.")
    for arm, other in pairwise(arms):
        if arm.name == other.name:
            raise NotPairable(f"Two arms are called {arm.name}. Tables could not tell them apart: leave one out.")
    return arms


def _require_sound(order: Order, *, arms: Sequence[Arm], votes_wanted: int | None) -> None:
    """Check what a design cannot know by itself: the study's arms and the votes it wants."""
    for setting, problem in (
        ("baseline", _problem_of_baseline(order, arms=arms)),
        ("pairs_per_stimulus", _problem_of_block(order, n_pairs=len(arms) * (len(arms) - 1) // 2)),
        ("sampling", _problem_of_sampling(order, n_arms=len(arms))),
        ("votes_min", _problem_of_fewest(order, votes_wanted=votes_wanted)),
        ("votes_max", _problem_of_most(order, votes_wanted=votes_wanted)),
    ):
        if problem:
            raise NotPairable(f"The rating design cannot be followed. order.{setting}: {problem}.")


def _problem_of_baseline(order: Order, *, arms: Sequence[Arm]) -> str:
    names = [arm.name for arm in arms]
    if order.pairing is not Pairing.BASELINE or order.baseline in names:
        return ""
    return f"no arm of this study is called {order.baseline}; name one of {', '.join(names)}"


def _problem_of_block(order: Order, *, n_pairs: int) -> str:
    if order.pairing is not Pairing.BLOCK or (order.pairs_per_stimulus or 0) <= n_pairs:
        return ""
    return f"{order.pairs_per_stimulus} are more than the {n_pairs} pairs of arms there are; ask for fewer"


def _problem_of_sampling(order: Order, *, n_arms: int) -> str:
    if order.sampling is not Sampling.ACTIVE:
        return ""
    if order.pairing is Pairing.BASELINE:
        return (
            "active sampling draws among every two arms, and a baseline leaves it nothing to draw; choose one of them"
        )
    if n_arms < FEWEST_ARMS_TO_SAMPLE:
        return f"active sampling needs at least four arms, and this study has {n_arms}; ask for least_judged"
    return ""


def _problem_of_fewest(order: Order, *, votes_wanted: int | None) -> str:
    if votes_wanted is None or order.votes_min is None or order.votes_min <= votes_wanted:
        return ""
    return f"{order.votes_min} votes at least are more than the {votes_wanted} that are wanted; ask for fewer"


def _problem_of_most(order: Order, *, votes_wanted: int | None) -> str:
    if order.votes_max is None:
        return ""
    if votes_wanted is None:
        return f"{order.votes_max} votes at most need a number of votes wanted; give the study one, or leave this empty"
    if order.votes_max < votes_wanted:
        return f"{order.votes_max} votes at most are fewer than the {votes_wanted} that are wanted; allow more"
    return ""


def _images(batches: Sequence[Batch], *, arms: Sequence[Arm]) -> dict[Stimulus, dict[int, Image]]:
    images: dict[Stimulus, dict[int, Image]] = defaultdict(dict)
    for batch in batches:
        n_missing = 0
        for image in batch.images.filter(arm__in=arms):
            images[Stimulus(batch.pk, image.class_index, image.seed)][image.arm_id] = image
            n_missing += not image.is_made
        if n_missing:
            raise NotPairable(
                f"{n_missing} images of batch {batch.name} are not there yet (it is "
                f"{batch.get_status_display().lower()}). Wait until it is complete, or choose another batch."
            )
    return images


def _meetings(
    study: Study,
    order: Order,
    *,
    arms: Sequence[Arm],
    batches: Sequence[Batch],
    held: Mapping[Stimulus, Collection[int]],
) -> list[Meeting]:
    """Return which two arms meet on which stimulus. held: the keys of the arms that have an image of it."""
    if order.pairing is Pairing.BLOCK:
        _require_every_arm(arms, batches=batches, held=held)
        rng = random.Random(f"block {study.secret}")
        blocks = endless_blocks(arms, size=order.pairs_per_stimulus or len(arms) // 2, rng=rng)
        stimuli = _by_class(held, batches=batches, rng=rng)
        return [
            Meeting(stimulus, *sorted(pair, key=lambda arm: arm.name))
            for stimulus, pairs in zip(stimuli, blocks, strict=False)
            for pair in pairs
        ]
    wanted = [pair for pair in combinations(arms, 2) if order.baseline in ("", *(arm.name for arm in pair))]
    return [
        Meeting(stimulus, first, second)
        for first, second in wanted
        for stimulus in sorted(held)
        if first.pk in held[stimulus] and second.pk in held[stimulus]
    ]


def _require_every_arm(
    arms: Sequence[Arm], *, batches: Sequence[Batch], held: Mapping[Stimulus, Collection[int]]
) -> None:
    names = {batch.pk: batch.name for batch in batches}
    for stimulus in sorted(held):
        lacking = [arm.name for arm in arms if arm.pk not in held[stimulus]]
        if lacking:
            raise NotPairable(
                f"A block is balanced only if every arm has an image of every class and seed: class "
                f"{stimulus.class_index}, seed {stimulus.seed} of batch {names[stimulus.batch]} has none of "
                f"{', '.join(lacking)}. Leave the batch or the arm out, or compare all pairs of arms."
            )


def _by_class(stimuli: Collection[Stimulus], *, batches: Sequence[Batch], rng: random.Random) -> list[Stimulus]:
    """Return the stimuli class after class, so that each class gets a run of blocks; all in a drawn order."""
    labels = {batch.pk: batch for batch in batches}
    classes: dict[str, list[Stimulus]] = defaultdict(list)
    for stimulus in sorted(stimuli):
        classes[labels[stimulus.batch].label_of(stimulus.class_index)].append(stimulus)
    order = rng.sample(sorted(classes), k=len(classes))
    return [stimulus for label in order for stimulus in rng.sample(classes[label], k=len(classes[label]))]


def _require_all_met(arms: Sequence[Arm], meetings: Sequence[Meeting]) -> None:
    if not meetings:
        raise NotPairable(
            "No two images of different arms share batch, class and seed. Choose a batch that holds these arms."
        )
    met = {arm.pk for meeting in meetings for arm in (meeting.first, meeting.second)}
    for arm in arms:
        if arm.pk not in met:
            raise NotPairable(f"Arm {arm.name} has no image to be compared. Leave it out, or add a batch with it.")


def _tags(arms: Sequence[Arm]) -> dict[int, str]:
    """Return each arm's part of a pair id: short, and unlike that of any other arm; nothing where there are two."""
    if len(arms) == 2:
        return {arm.pk: "" for arm in arms}
    slugs = [slugify(arm.name)[:20] for arm in arms]
    return {
        arm.pk: f"-{slug}" if slug and slugs.count(slug) == 1 else f"-arm{arm.pk}"
        for arm, slug in zip(arms, slugs, strict=True)
    }
