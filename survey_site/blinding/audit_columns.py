"""What was observed, as columns of numbers: everything about a text or a number that a guess could go by.

A pair of values, one of each image, becomes differences, left minus right; one value of the whole pair (such as the
page around it) is centred. What differs in the same way in every pair, such as the words left and right in an
address, tells the side alone, and is left out: the side is an observable of its own.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from email.utils import parsedate_to_datetime

import numpy as np

from survey_site.blinding.audit_statistics import Floats, Observable

WORD = re.compile(r"[A-Za-z0-9_-]+")
PART = re.compile(r"[A-Za-z]+|[0-9]+")
NUMBER = re.compile(r"[0-9a-fA-F]*[0-9][0-9a-fA-F]*")
# Of the numbers in a text; words and characters that more than this many would be are random codes.
MOST_NUMBERS = 8
MOST_NAMES = 400
# A float tells whole numbers apart up to here; a hash is longer, and only its beginning is read as a number.
DIGITS = 13

Pair = tuple[str, str]


def sided_texts(name: str, pairs: Sequence[Pair]) -> Observable:
    """Return the differences between the two images' texts: length, order, dates, numbers, words, characters."""
    columns = [
        _differences(pairs, lambda text: len(text)),
        [float((left > right) - (left < right)) for left, right in pairs],
        _differences(pairs, _moment),
        *([_number(left, nth) - _number(right, nth) for left, right in pairs] for nth in range(MOST_NUMBERS)),
        *_counted(pairs, lambda text: PART.findall(text)),
        *_counted(pairs, lambda text: list(text)),
    ]
    return Observable(name, _kept(_as_columns(columns, n=len(pairs)), is_sided=True))


def sided_numbers(name: str, pairs: Sequence[tuple[Sequence[float], Sequence[float]]]) -> Observable:
    """Return the differences between the two images' numbers, a column each."""
    left, right = (np.array([pair[side] for pair in pairs], dtype=np.float64) for side in (0, 1))
    return Observable(name, _kept((left - right).reshape(len(pairs), -1), is_sided=True))


def whole_texts(name: str, texts: Sequence[str]) -> Observable:
    """Return what varies between the texts of whole pairs: length, words, and of short ones the characters."""
    alone = [(text, "") for text in texts]
    columns = [[float(len(text)) for text in texts], *_counted(alone, lambda text: WORD.findall(text))]
    if max((len(text) for text in texts), default=0) <= 100:
        columns += [[_number(text, nth) for text in texts] for nth in range(MOST_NUMBERS)]
        columns += _counted(alone, lambda text: list(text))
    return Observable(name, _kept(_as_columns(columns, n=len(texts)), is_sided=False))


def whole_numbers(name: str, numbers: Sequence[float]) -> Observable:
    """Return numbers of whole pairs, centred."""
    return Observable(name, _kept(_as_columns([list(numbers)], n=len(numbers)), is_sided=False))


def side(n_pairs: int) -> Observable:
    """Return the side alone: does one arm stand on the left more often?"""
    return Observable("Side", np.ones((n_pairs, 1)))


def _differences(pairs: Sequence[Pair], measure: Callable[[str], float]) -> list[float]:
    return [float(measure(left) - measure(right)) for left, right in pairs]


def _moment(text: str) -> float:
    """Return a date as HTTP or ISO writes it, in seconds; 0 for what is no date."""
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return read(text).timestamp()
        except (ValueError, TypeError, OverflowError):
            continue
    return 0.0


def _number(text: str, nth: int) -> float:
    found = NUMBER.findall(text)
    if nth >= len(found):
        return -1.0
    digits = found[nth]
    return float(int(digits[:DIGITS], 10 if digits.isdigit() else 16))


def _counted(pairs: Sequence[Pair], names: Callable[[str], Iterable[str]]) -> list[list[float]]:
    """Return, for every name that more than one pair has and not all have alike, how much more often the left has it.

    What only one pair has is no rule, and random codes would fill the table.
    """
    counts = [Counter(names(left)) for left, _right in pairs]
    for count, (_left, right) in zip(counts, pairs, strict=True):
        count.subtract(names(right))
    seen = Counter(name for count in counts for name, more in count.items() if more)
    common = [name for name, n_pairs in seen.most_common(MOST_NAMES) if n_pairs > 1]
    return [[float(count[name]) for count in counts] for name in common]


def _as_columns(columns: Sequence[Sequence[float]], *, n: int) -> Floats:
    return np.array(columns, dtype=np.float64).reshape(len(columns), n).T


def _kept(columns: Floats, *, is_sided: bool) -> Floats:
    varies = np.ptp(columns, axis=0) > 0 if len(columns) else np.zeros(columns.shape[1], dtype=bool)
    varying = columns[:, varies]
    if varying.shape[1]:
        # Of two images, most differ in nothing; where most do, the side has a share in it.
        is_off = np.median(varying, axis=0) != 0 if is_sided else np.ones(varying.shape[1], dtype=bool)
        varying = varying - np.where(is_off, varying.mean(axis=0), 0)
    # Equal columns say the same twice.
    return np.unique(varying, axis=1) if varying.shape[1] else varying
