"""The complete log of a study for review: every vote ever given, those taken back too, one row each.

Rows stream from the database: what is held grows with the study's comparisons and raters, not with its votes. What a
rater took along when withdrawing is not there any more.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from generation.models import Arm
from survey_site.logs.vote_logs import rater_names
from survey_site.models import Comparison, Study, Vote

ROWS_AT_ONCE = 5000
OF_TRIAL = frozenset(
    ("comparison", "rater", "kind", "repeat_no", "position", "swapped", "propensity", "leased_at", "lapsed_at")
)
# The button that is right where image b stands on the left or does not.
RIGHT_BUTTONS = {
    ("a", False): "left",
    ("b", False): "right",
    ("a", True): "right",
    ("b", True): "left",
    ("tie", False): "same",
    ("tie", True): "same",
}


class Answer(NamedTuple):
    """One vote as it was given; what is not known is None."""

    row: int
    pair_id: str
    group_id: str
    kind: str
    repeat_no: int
    rater: str
    position: int
    question: str
    choice: str
    outcome: str
    expected: str | None
    left_arm: str
    right_arm: str
    strength: int | None
    reason: str
    response_ms: int | None
    hidden_ms: int | None
    zoom_ms: int | None
    pressed_with: str | None
    counts: bool
    replaces: int | None
    late: bool
    propensity: float | None
    leased_at: datetime
    voted_at: datetime
    seed: int
    class_label: str
    batch: str


MEANINGS: Mapping[str, str] = {
    "row": "1, 2, 3, ... in order of arrival",
    "pair_id": "the pair's name, as in the votes",
    "group_id": "equal for pairs of one batch, class and seed, as in the votes",
    "kind": "normal, gold, identical, repeat or practice",
    "repeat_no": "of a repeat: 1 for the first repeat of this pair; otherwise 0",
    "rater": "the rater's name, as in the votes; never an id of a crowd platform",
    "position": "0, 1, 2, ...: which pair of this rater's sequence it was",
    "question": "preference for the study's own question, else the key of a further one",
    "choice": "left, right or same: the button",
    "outcome": "the arm whose image was chosen, or same",
    "expected": "left, right or same: the right button of a gold, identical or practice pair; empty elsewhere",
    "left_arm": "the arm whose image stood on the left",
    "right_arm": "the arm whose image stood on the right",
    "strength": "1 slightly, 2 much; empty where not asked and for same",
    "reason": "the rater's own words; in CSV with ' before a first = + - @ ' or tab, so that nothing computes it",
    "response_ms": "milliseconds from both images painted to the press; empty without JavaScript",
    "hidden_ms": "of these, milliseconds that the page was hidden",
    "zoom_ms": "milliseconds that both images were enlarged",
    "pressed_with": "key, mouse, touch or pen",
    "counts": "yes if no later vote replaces it; what was taken back has no",
    "replaces": "the row that it takes the place of; empty for first answers",
    "late": "yes if its lease had run out when it came",
    "propensity": "the chance with which active sampling drew these two arms; empty elsewhere",
    "leased_at": "when the pair was put aside for the rater, up to three pairs before it was shown; UTC",
    "voted_at": "when the vote was kept; UTC",
    "seed": "the images' seed; of a gold pair with two, that of the image whose class is the label",
    "class_label": "the text shown above the images",
    "batch": "the batch that the images are from, by name",
}


class _Shown(NamedTuple):
    """What rows say of a comparison."""

    pair_id: str
    group_id: str
    kind: str
    expected: str
    arm_a: str
    arm_b: str
    seed: int
    class_label: str
    batch: str


class _Given(NamedTuple):
    """A vote with its trial, as the database has them."""

    pk: int
    comparison: int
    rater: int
    kind: str
    repeat_no: int
    position: int
    swapped: bool
    propensity: float | None
    leased_at: datetime
    lapsed_at: datetime | None
    question: str
    choice: str
    strength: int | None
    reason: str
    response_ms: int | None
    hidden_ms: int | None
    zoom_ms: int | None
    pressed_with: str
    created_at: datetime
    replaces: int | None
    replaced_by: int | None


def answers(study: Study) -> Iterator[Answer]:
    """Yield every vote of a study in order of arrival."""
    newest = Vote.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    # Read after the newest vote's key: whoever gave one of these votes has entered by now.
    raters, shown = _raters(study), _shown(study)
    rows: dict[int, int] = {}
    for row, given in enumerate(_given(study, newest=newest), start=1):
        pair = shown[given.comparison]
        # The only keys that are looked up again.
        if is_replaced := given.replaced_by is not None and given.replaced_by <= newest:
            rows[given.pk] = row
        left, right = (pair.arm_b, pair.arm_a) if given.swapped else (pair.arm_a, pair.arm_b)
        yield Answer(
            row=row,
            pair_id=pair.pair_id,
            group_id=pair.group_id,
            # A trial is gold for its rater; what kind of gold, its comparison knows.
            kind=pair.kind if given.kind == "gold" else given.kind,
            repeat_no=given.repeat_no,
            rater=raters[given.rater],
            position=given.position,
            question=given.question,
            choice=given.choice,
            outcome="same" if given.choice == "same" else left if given.choice == "left" else right,
            expected=RIGHT_BUTTONS.get((pair.expected, given.swapped)),
            left_arm=left,
            right_arm=right,
            strength=given.strength,
            reason=given.reason,
            response_ms=given.response_ms,
            hidden_ms=given.hidden_ms,
            zoom_ms=given.zoom_ms,
            pressed_with=given.pressed_with or None,
            counts=not is_replaced,
            replaces=None if given.replaces is None else rows.pop(given.replaces),
            late=given.lapsed_at is not None,
            propensity=given.propensity,
            leased_at=given.leased_at,
            voted_at=given.created_at,
            seed=pair.seed,
            class_label=pair.class_label,
            batch=pair.batch,
        )


def _raters(study: Study) -> dict[int, str]:
    keys = list(study.raters.values_list("pk", flat=True))
    return dict(zip(keys, rater_names(study, keys), strict=True))


def _shown(study: Study) -> dict[int, _Shown]:
    # Names of arms, classes and batches are held once, however many comparisons there are.
    arms = dict(Arm.objects.filter(batches__studies=study).values_list("pk", "name"))
    batches = {batch.pk: (batch.name, batch.class_table) for batch in study.batches.all()}
    images = ("image_a__arm", "image_b__arm", "image_a__batch", "image_a__class_index", "image_a__seed")
    rows = study.comparisons.order_by().values_list("pk", "pair_id", "kind", "expected", *images)
    shown = {}
    for pk, pair_id, kind, expected, arm_a, arm_b, batch, index, seed in rows.iterator(chunk_size=ROWS_AT_ONCE):
        group = f"{batch}/{index}/{seed}" if kind == Comparison.Kind.NORMAL else f"gold {pair_id}"
        name, labels = batches[batch]
        label = labels.get(str(index), str(index))
        shown[pk] = _Shown(pair_id, group, kind, expected, arms[arm_a], arms[arm_b], seed, label, name)
    return shown


def _given(study: Study, *, newest: int) -> Iterator[_Given]:
    columns = [f"trial__{name}" if name in OF_TRIAL else name for name in _Given._fields]
    votes = Vote.objects.filter(trial__rater__study=study, pk__lte=newest).order_by("pk")
    return map(_Given._make, votes.values_list(*columns).iterator(chunk_size=ROWS_AT_ONCE))
