"""The options of a questionnaire's question as a researcher types them: one a line, with marks after a bar.

    18 or older
    under 18 | screens out
    expert | at most 20

A bar that belongs to the text itself is written \\|.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from survey_site.design.designs import Option

BAR = re.compile(r"(?<!\\)\|")
QUOTA = re.compile(r"(?:at most|max\.?|quota:?)?\s*(\d{1,7})(?:\s*raters?)?", re.IGNORECASE)
SCREENS_OUT = re.compile(r"screens?[ -]?out", re.IGNORECASE)


class InvalidOptions(ValueError):
    """A line cannot be read; the message says which and why."""


def read_options(text: str) -> list[dict[str, Any]]:  # Any: what JSON can hold
    """Return the options of some lines as a design writes them; empty lines are skipped. Raises InvalidOptions."""
    return [_option(line, number=number) for number, line in enumerate(text.splitlines(), start=1) if line.strip()]


def option_lines(options: tuple[Option, ...]) -> str:
    """Return the lines that read back to these options."""
    return "\n".join(" | ".join(_parts(option)) for option in options)


def _option(line: str, *, number: int) -> dict[str, Any]:
    text, *marks = (part.strip() for part in BAR.split(line))
    if not text:
        raise InvalidOptions(f"Line {number} has no text before the bar; write the option first.")
    option: dict[str, Any] = {"text": text.replace("\\|", "|")}
    for mark in filter(None, marks):
        option |= _marked(mark, number=number)
    return option


def _marked(mark: str, *, number: int) -> Mapping[str, Any]:
    quota = QUOTA.fullmatch(mark)
    if quota and int(quota[1]) > 0:
        return {"quota": int(quota[1])}
    if SCREENS_OUT.fullmatch(mark):
        return {"screens_out": True}
    raise InvalidOptions(f'Line {number}: "{mark}" is no mark. After a bar write "screens out" or "at most 50".')


def _parts(option: Option) -> Iterator[str]:
    yield option.text.replace("|", "\\|")
    if option.screens_out:
        yield "screens out"
    if option.quota:
        yield f"at most {option.quota}"
