"""What a researcher takes away: votes in the columns that `import_votes` reads."""

from collections.abc import Iterator

from survey_site.models import Study
from survey_site.results import labels_of, standing_votes

VOTE_COLUMNS = ("pair_id", "class_label", "rater_id", "left_arm", "right_arm", "choice", "response_ms")


def vote_rows(study: Study) -> Iterator[tuple[object, ...]]:
    """Yield the header, then one row per vote that counts, in order of arrival."""
    labels = labels_of(study)
    yield VOTE_COLUMNS
    for vote in standing_votes(study):
        milliseconds = "" if vote.response_ms is None else vote.response_ms
        sides = (vote.left_arm, vote.right_arm)
        yield (vote.pair_id, labels[vote.pair_id], vote.rater_id, *sides, vote.choice, milliseconds)
