"""Lists of classes as people write them: numbers, ranges, names, and classes of one image together."""

import re
from collections.abc import Sequence
from dataclasses import dataclass


class InvalidClasses(Exception):
    """This is no list of classes; the message says which word is wrong."""


@dataclass(frozen=True)
class Classes:
    """Classes that were asked for: those of an image each, and those of one image together."""

    alone: list[int]
    together: list[tuple[int, ...]]


def read_classes(text: str, labels: Sequence[str]) -> Classes:
    """Read "0, 3, 5-9, 0+3" or labels; nothing means all, one by one. Raises InvalidClasses."""
    if not text.strip():
        return Classes(list(range(len(labels))), [])
    alone: list[int] = []
    together: list[tuple[int, ...]] = []
    for word in (word.strip() for word in text.split(",")):
        parts = [word] if word in labels else word.split("+")
        if len(parts) > 1:
            together.append(tuple(_one_class(part.strip(), labels) for part in parts))
        else:
            alone += _range_of_classes(word, labels)
    return Classes(list(dict.fromkeys(alone)), list(dict.fromkeys(together)))


def _range_of_classes(word: str, labels: Sequence[str]) -> Sequence[int]:
    numbers = re.fullmatch(r"(\d{1,6})\s*-\s*(\d{1,6})", word)
    if numbers is None or word in labels:
        return [_one_class(word, labels)]
    return range(int(numbers[1]), int(numbers[2]) + 1)


def _one_class(word: str, labels: Sequence[str]) -> int:
    if word in labels:
        return labels.index(word)
    if re.fullmatch(r"\d{1,6}", word):
        return int(word)
    raise InvalidClasses(f'There is no class "{word}"; write numbers, ranges or names of classes.')
