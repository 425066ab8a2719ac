"""Options of figures: whether a value is of the kind that its option takes."""

from collections.abc import Callable, Mapping
from typing import Any

from generation.figure_kinds import FIGURES, InvalidFigure, Option, Takes

Options = Mapping[str, Any]  # Any: what JSON can hold
Chosen = dict[str, Any]  # Any: as above
LARGEST = 2**63 - 1  # What a database's whole numbers end at.


def chosen_options(kind: str, options: Options) -> Chosen:
    """Return a value for every option of this kind of figure, absent ones by default. Raises InvalidFigure."""
    if kind not in FIGURES:
        raise InvalidFigure(f'There is no figure "{kind}"; there are {", ".join(FIGURES)}.')
    figure = FIGURES[kind]
    for key in options:
        if figure.option(key) is None:
            known = ", ".join(option.key for option in figure.options)
            raise InvalidFigure(f'The figure "{kind}" has no option "{key}"; it has {known}.')
    chosen = {option.key: _value(option, options.get(option.key)) for option in figure.options}
    count = figure.option("count")
    if count is not None and chosen["seeds"]:
        # Whoever names seeds wants all of them; a form sends a count in any case.
        chosen["count"] = int(count.most)
    return chosen


def _value(option: Option, value: Any) -> Any:  # Any: what JSON can hold
    if value is None or value in ("", [], ()):
        value = list(option.default) if isinstance(option.default, tuple) else option.default
    if value is None:
        return [] if _VALUES[option.takes] is _integers else None
    return _VALUES[option.takes](option, value)


def _integers(option: Option, value: object) -> list[int]:
    given = list(value) if isinstance(value, list | tuple) else [value]
    numbers = [number for number in given if isinstance(number, int) and not isinstance(number, bool) and number >= 0]
    if len(numbers) < len(given):
        raise InvalidFigure(f"{option.title}: {value!r} is not a list of whole numbers from 0 on.")
    if any(number > LARGEST for number in numbers):
        raise InvalidFigure(f"{option.title}: {max(numbers)} is too large; numbers end at {LARGEST}.")
    if len(set(numbers)) < len(numbers):
        raise InvalidFigure(f"{option.title}: {value!r} names one twice; name each once.")
    if option.most and len(numbers) > option.most:
        raise InvalidFigure(
            f"{option.title}: {len(numbers)} are too many for one figure; name {option.most:g} at most."
        )
    return numbers


def _integer(option: Option, value: object) -> int:
    return _integers(option, [value])[0]


def _number(option: Option, value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and option.least <= value <= option.most:
        return value
    raise InvalidFigure(f"{option.title}: {value!r} is not a number from {option.least:g} to {option.most:g}.")


def _count(option: Option, value: object) -> int:
    number = _number(option, value)
    if number != int(number):
        raise InvalidFigure(f"{option.title}: {value!r} is not a whole number.")
    return int(number)


def _choice(option: Option, value: object) -> str:
    if value in option.choices:
        return str(value)
    raise InvalidFigure(f"{option.title}: {value!r} is none of {', '.join(option.choices)}.")


def _text(option: Option, value: object) -> str:
    return str(value).strip()


_VALUES: dict[Takes, Callable[[Option, object], Any]] = {  # Any: what JSON can hold
    **dict.fromkeys((Takes.ARMS, Takes.CLASSES, Takes.SEEDS, Takes.CLASSIFIERS, Takes.BATCHES), _integers),
    Takes.TIMESTEPS: _integers,
    Takes.ARM: _integer,
    Takes.COUNT: _count,
    Takes.NUMBER: _number,
    Takes.CHOICE: _choice,
    Takes.TEXT: _text,
    Takes.FOLDER: _text,
}
