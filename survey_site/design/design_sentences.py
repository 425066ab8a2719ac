"""What is wrong with a design, in words: pydantic's findings as a place and a sentence for a researcher."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

Place = tuple[str | int, ...]
"""Where in the design: names of settings, and numbers (from 0) in lists."""

# By pydantic's names for errors; {names} come from the error's own context.
SENTENCES = {
    "extra_forbidden": "is no setting; correct its name or take it out",
    "missing": "is missing; say it",
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number that is not infinite",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_type": "must be text",
    "string_too_short": "must not be empty",
    "string_too_long": "must be at most {max_length} characters long",
    "too_long": "must have at most {max_length} entries",
    "tuple_type": "must be a list",
    "dict_type": "must be a table of settings",
    "model_type": "must be a table of settings",
    "model_attributes_type": "must be a table of settings",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "json_invalid": "The design is not readable JSON",
}
# What pydantic adds to a place: a table's key, and which of two types was tried.
NO_SETTINGS = {"[key]", "constrained-str"}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. sentence: without the place, no full stop."""

    where: Place
    sentence: str

    def __str__(self) -> str:
        where = ".".join(str(part) for part in self.where)
        if where:
            return f"{where}: {self.sentence}"
        return f"The design {self.sentence}" if self.sentence.startswith("must") else self.sentence


def problem_of(error: ValidationError, *, patterns: Mapping[str, str]) -> Problem:
    """Return the first problem. patterns: what texts of a pattern look like, in words."""
    first = error.errors()[0]
    # Any: the context of an error holds limits, expected values and exceptions.
    context: Mapping[str, Any] = first.get("ctx", {})
    if first["type"] == "string_pattern_mismatch":
        sentence = patterns.get(context["pattern"], first["msg"])
    elif first["type"] in SENTENCES:
        sentence = SENTENCES[first["type"]].format_map(context)
    else:
        sentence = str(first["msg"]).removeprefix("Value error, ")
    return Problem(tuple(part for part in first["loc"] if part not in NO_SETTINGS), sentence)
