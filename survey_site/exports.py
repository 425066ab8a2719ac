"""What a researcher takes away: votes in the columns that `import_votes` reads."""

from collections.abc import Iterator

from survey_site.models import Study
from survey_site.results import labels_of, standing_votes

VOTE_COLUMNS = ("pair_id", "class_label", "rater_id", "left_arm", "right_arm", "choice", "response_ms")


def vote_rows(study: Study) -> Iterator[tuple[object, ...]]:
    """Yield the header, then one row per vote that counts, in order of arrival."""
    labels = labels_of(study)
    yield VOTE_COLUMNS
    for row in standing_votes(study).iterator(chunk_size=2000):
        pair_id = row["trial__comparison__pair_id"]
        yield (
            pair_id,
            labels[str(pair_id)],
            row["rater_name"],
            row["left_arm"],
            row["right_arm"],
            row["choice"],
            "" if row["response_ms"] is None else row["response_ms"],
        )
