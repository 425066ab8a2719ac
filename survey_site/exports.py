"""What a researcher takes away: votes in the columns that `import_votes` and `analyse` read."""

from collections.abc import Iterator

from django.db.models import Case, CharField, F, Q, Value, When
from django.db.models.functions import Cast, Replace

from survey_site.models import Study, Vote
from survey_site.vote_logs import pair_rows

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


def vote_rows(study: Study) -> Iterator[tuple[object, ...]]:
    """Yield the header, then one row per vote that counts, gold ones among them, in order of arrival."""
    facts = _facts(study)
    simulated = "yes" if study.is_simulated else "no"
    yield VOTE_COLUMNS
    for comparison, rater, left, right, choice, milliseconds, gold_arm in _standing(study):
        pair_id, class_label, group = facts[comparison]
        ms = "" if milliseconds is None else milliseconds
        yield (pair_id, class_label, rater, left, right, choice, ms, group, gold_arm, simulated)


def _facts(study: Study) -> dict[int, tuple[str, str, str]]:
    """Each comparison's name, class label and group, by its key."""
    facts = {row.pk: (row.pair_id, row.class_label, row.group_id) for row in pair_rows(study)}
    for gold in study.comparisons.exclude(kind="normal").select_related("image_a__batch"):
        facts[gold.pk] = (gold.pair_id, gold.class_label, f"gold {gold.pair_id}")
    return facts


def _standing(study: Study) -> Iterator[tuple[int, str, str, str, str, int | None, str]]:
    arm_a, arm_b = F("trial__comparison__image_a__arm__name"), F("trial__comparison__image_b__arm__name")
    expected = "trial__comparison__expected"
    rows = (
        Vote.objects.standing()
        .filter(NORMAL | GOLD, trial__comparison__study=study)
        .annotate(
            left_arm=Case(When(trial__swapped=True, then=arm_b), default=arm_a),
            right_arm=Case(When(trial__swapped=True, then=arm_a), default=arm_b),
            rater_name=Case(
                # Without dashes on every database, as the report writes it.
                When(trial__rater__external_id="", then=Replace(Cast("trial__rater__code", CharField()), Value("-"))),
                default=F("trial__rater__external_id"),
            ),
            gold_arm=Case(
                When(**{expected: "a"}, then=arm_a),
                When(**{expected: "b"}, then=arm_b),
                When(**{expected: "tie"}, then=Value("same")),
                default=Value(""),
            ),
        )
        .order_by("pk")
        .values_list("trial__comparison_id", "rater_name", "left_arm", "right_arm", "choice", "response_ms", "gold_arm")
    )
    return rows.iterator(chunk_size=2000)
