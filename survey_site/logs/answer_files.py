"""The complete log as files: CSV, JSON Lines, and the table that scaling programs such as pwcmp read."""

import csv
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from io import StringIO
from itertools import islice
from typing import Literal, TypeVar, get_args

from survey_site.design.designs import PREFERENCE
from survey_site.logs.answer_logs import MEANINGS, Answer, answers
from survey_site.models import Study

Format = Literal["csv", "jsonl", "pwcmp"]
FORMATS: tuple[Format, ...] = get_args(Format)
PWCMP_COLUMNS = ("observer", "session", "scene", "condition_A", "condition_B", "is_A_selected")

# What spreadsheets compute when a cell begins with it; an apostrophe, so that taking one away gives the words back.
BEGINS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "'")
# Lines sent at a time: a web server makes one call of each piece.
LINES_AT_ONCE = 500
AS_JSON = json.JSONEncoder(default=datetime.isoformat, ensure_ascii=False)
# How CSV writes what it has no own way for.
WRITTEN: Mapping[type, Callable[..., str]] = {
    bool: lambda value: "yes" if value else "no",
    datetime: datetime.isoformat,
}
Row = TypeVar("Row")


def answer_file(study: Study, form: Format) -> Iterator[str]:
    """Yield the complete log of a study, piece by piece."""
    if form == "jsonl":
        return _joined(_json_line(answer) for answer in answers(study))
    if form == "pwcmp":
        return _csv_pieces(PWCMP_COLUMNS, pwcmp_rows(answers(study)))
    return _csv_pieces(Answer._fields, (_cells(answer) for answer in answers(study)))


def columns_file() -> Iterator[str]:
    """Yield what each column of the complete log holds, as CSV."""
    return _csv_pieces(("column", "holds"), MEANINGS.items())


def pwcmp_rows(log: Iterable[Answer]) -> Iterator[tuple[object, ...]]:
    """Yield the normal answers that count in pwcmp's columns; condition A is the one shown on the left.

    The format knows no Same. It is written as a selection, of either arm in turn, for each two arms by itself: so the
    number of votes stays, and each arm gets half of every two. pwcmp: Perez-Ortiz, Mantiuk (2017), arXiv 1712.03686.
    """
    first_is_next: dict[tuple[str, str], bool] = defaultdict(lambda: True)
    for answer in log:
        if answer.kind != "normal" or answer.question != PREFERENCE or not answer.counts:
            continue
        is_a_selected = answer.choice == "left"
        if answer.choice == "same":
            first, second = sorted((answer.left_arm, answer.right_arm))
            is_a_selected = (answer.left_arm == first) == first_is_next[first, second]
            first_is_next[first, second] ^= True
        yield (answer.rater, 1, answer.group_id, answer.left_arm, answer.right_arm, int(is_a_selected))


def _cells(answer: Answer) -> list[object]:
    words = answer._replace(reason=_inert(answer.reason))
    return [WRITTEN[type(value)](value) if type(value) in WRITTEN else value for value in words]


def _inert(words: str) -> str:
    return f"'{words}" if words.startswith(BEGINS_A_FORMULA) else words


def _json_line(answer: Answer) -> str:
    return AS_JSON.encode(answer._asdict()) + "\n"


def _csv_pieces(header: Iterable[str], rows: Iterable[Iterable[object]]) -> Iterator[str]:
    text = StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for batch in _batches(rows):
        writer.writerows(batch)
        yield text.getvalue()
        text.seek(0)
        text.truncate()
    yield text.getvalue()


def _joined(lines: Iterable[str]) -> Iterator[str]:
    return ("".join(batch) for batch in _batches(lines))


def _batches(rows: Iterable[Row]) -> Iterator[list[Row]]:
    rows = iter(rows)
    while batch := list(islice(rows, LINES_AT_ONCE)):
        yield batch
