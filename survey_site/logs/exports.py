"""What a researcher takes away: votes in the columns that `import_votes` and `analyse` read."""

from collections.abc import Iterator
from typing import NamedTuple

from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Cast, Replace

from generation.models import Arm
from survey_site.logs.vote_logs import pair_rows
from survey_site.models import Comparison, Study, Vote

VOTE_COLUMNS = (
    "pair_id",
    "class_label",
    "rater_id",
    "left_arm",
    "right_arm",
    "choice",
    "response_ms",
    "group_id",
    "gold_arm",
    "simulated",
)

NORMAL = Q(trial__kind="normal", trial__comparison__kind="normal")
GOLD = Q(trial__kind="gold", trial__comparison__kind__in=("gold", "identical"))
# Stands behind the name of the arm that made both images of a gold pair, where one of the two is the wrong answer.
WRONG = " (wrong)"
LONGEST_ARM = (Arm._meta.get_field("name").max_length or 60) - len(WRONG)


class Pair(NamedTuple):
    """What the rows of one comparison have in common. gold_arm: the right answer, empty where there is none."""

    pair_id: str
    class_label: str
    group_id: str
    arm_a: str
    arm_b: str
    gold_arm: str = ""


def vote_rows(study: Study) -> Iterator[tuple[object, ...]]:
    """Yield the header, then one row per vote that counts, gold ones among them, in order of arrival.

    Practice and repeats are no rows of this table, nor are answers to further questions: `answer_logs` has them.
    """
    pairs = {row.pk: Pair(*row[1:]) for row in pair_rows(study)} | _gold_pairs(study)
    simulated = "yes" if study.is_simulated else "no"
    yield VOTE_COLUMNS
    for key, rater, swapped, choice, milliseconds in _standing(study):
        pair = pairs[key]
        left, right = (pair.arm_b, pair.arm_a) if swapped else (pair.arm_a, pair.arm_b)
        ms = "" if milliseconds is None else milliseconds
        yield (pair.pair_id, pair.class_label, rater, left, right, choice, ms, pair.group_id, pair.gold_arm, simulated)


def _gold_pairs(study: Study) -> dict[int, Pair]:
    kinds = (Comparison.Kind.GOLD, Comparison.Kind.IDENTICAL)
    gold = study.comparisons.filter(kind__in=kinds).select_related("image_a__batch", "image_a__arm", "image_b__arm")
    return {
        row.pk: Pair(row.pair_id, row.class_label, f"gold {row.pair_id}", *_answer(row)) for row in gold.order_by("pk")
    }


def _answer(gold: Comparison) -> tuple[str, str, str]:
    """The two arms of a gold pair and the right one of them, or "same".

    Two different images of one arm get two names, or the table could not say which of them is right.
    """
    arm_a, arm_b, expected = gold.image_a.arm.name, gold.image_b.arm.name, Comparison.Expected
    if gold.expected == expected.TIE:
        return arm_a, arm_b, "same"
    if arm_a == arm_b:
        wrong = arm_a[:LONGEST_ARM] + WRONG
        arm_a, arm_b = (arm_a, wrong) if gold.expected == expected.A else (wrong, arm_b)
    return arm_a, arm_b, arm_a if gold.expected == expected.A else arm_b


def _standing(study: Study) -> Iterator[tuple[int, str, bool, str, int | None]]:
    rows = (
        Vote.objects.standing()
        .preferences()
        .filter(NORMAL | GOLD, trial__comparison__study=study)
        .annotate(
            rater_name=Case(
                # Without dashes on every database, as the report writes it.
                When(trial__rater__external_id="", then=Replace(Cast("trial__rater__code", CharField()), Value("-"))),
                default=F("trial__rater__external_id"),
            ),
        )
        .order_by("pk")
        .values_list("trial__comparison_id", "rater_name", "trial__swapped", "choice", "response_ms")
    )
    return rows.iterator(chunk_size=2000)
