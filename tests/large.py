"""A study as large as they come, written by the database itself: 100,000 comparisons, 1,000,000 votes, in seconds.

The rows are what 5,000 raters with 200 votes each would have left; images are known by name only.
"""

from django.db import connection, transaction

from survey_site.models import Rater, Study
from survey_site.studies import open_study
from tests.factories import make_study

COMPARISONS, RATERS, VOTES_EACH, CLASSES = 100_000, 5_000, 200, 100
# 0 ... n-1 on both databases.
NUMBERS = "WITH RECURSIVE number(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM number WHERE i < {last})"


def make_large_study() -> Study:
    """Return an open study in which every comparison has ten votes of different raters, half of them swapped."""
    study = make_study(2, slug="large")
    batch, (first, second) = study.batches.get(), sorted(study.arms.all(), key=lambda arm: arm.name)
    study.comparisons.all().delete()
    batch.class_table = {str(index): f"class {index}" for index in range(CLASSES)}
    batch.save(update_fields=["class_table"])
    with transaction.atomic(), connection.cursor() as cursor:
        base = batch.images.order_by("-pk").values_list("pk", flat=True)[0]
        for arm in (first, second):
            # A pair's images have neighbouring keys: 2 i + 1 for the first arm, 2 i + 2 for the second.
            cursor.execute(_images(), [base + 1 + (arm == second), batch.pk, arm.pk, arm.name])
        cursor.execute(_comparisons(), [study.pk, base + 1, base + 2])
        comparison = study.comparisons.order_by("pk").values_list("pk", flat=True)[0]
        raters = Rater.objects.bulk_create([Rater(study=study) for _ in range(RATERS)], batch_size=1000)
        trial = _first_free("survey_trial", cursor)
        cursor.execute(_trials(), [trial, raters[0].pk, comparison])
        cursor.execute(_votes(), [_first_free("survey_vote", cursor), trial])
        if connection.vendor == "postgresql":
            for table in ("generation_image", "survey_comparison", "survey_trial", "survey_vote"):
                cursor.execute(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))")
            # What the server does by itself a minute after many rows came in.
            cursor.execute("ANALYZE")
    return open_study(study)


def _first_free(table: str, cursor: object) -> int:
    cursor.execute(f"SELECT coalesce(max(id), 0) + 1 FROM {table}")  # type: ignore[attr-defined]
    return int(cursor.fetchone()[0])  # type: ignore[attr-defined]


def _images() -> str:
    return f"""INSERT INTO generation_image (id, batch_id, arm_id, class_index, seed, name, sha256, n_bytes, width,
            height, noise_sha256, torch_version, device, precision, original_name)
        {NUMBERS.format(last=COMPARISONS - 1)}
        SELECT %s + 2 * i, %s, %s, i %% {CLASSES}, i + 1000, 'images/' || %s || '-' || i, 'known by name only', 100,
            64, 64, '', '', '', '', '' FROM number"""


def _comparisons() -> str:
    return f"""INSERT INTO survey_comparison (study_id, kind, position, pair_id, image_a_id, image_b_id, expected,
            explanation, n_votes, n_open, n_a_left, n_a_right)
        {NUMBERS.format(last=COMPARISONS - 1)}
        SELECT %s, 'normal', i, 'pair-' || i, %s + 2 * i, %s + 2 * i, '', '', 10, 0, 5, 5 FROM number"""


def _trials() -> str:
    code = "gen_random_uuid()" if connection.features.has_native_uuid_field else "lower(hex(randomblob(16)))"
    return f"""INSERT INTO survey_trial (id, code, rater_id, comparison_id, kind, repeat_no, position, swapped,
            leased_at, expires_at)
        {NUMBERS.format(last=RATERS * VOTES_EACH - 1)}
        SELECT %s + i, {code}, %s + i / {VOTES_EACH}, %s + i %% {COMPARISONS}, 'normal', 0, i %% {VOTES_EACH},
            (i / {COMPARISONS}) %% 2 = 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP FROM number"""


def _votes() -> str:
    return f"""INSERT INTO survey_vote (id, trial_id, question, choice, reason, pressed_with, response_ms, created_at)
        {NUMBERS.format(last=RATERS * VOTES_EACH - 1)}
        SELECT %s + i, %s + i, 'preference', CASE i %% 3 WHEN 0 THEN 'left' WHEN 1 THEN 'right' ELSE 'same' END,
            '', 'key', 900, CURRENT_TIMESTAMP FROM number"""
