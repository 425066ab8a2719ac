"""A design as a file: TOML for people, JSON for programs; both read back to the same hash."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from survey_site.design.design_sentences import Problem
from survey_site.design.designs import Design, InvalidDesign

# Thirty questions of forty answers and a thousand gold pairs; a larger file is no design.
LARGEST_DESIGN_FILE = 1024 * 1024


def read_design(data: bytes, *, name: str) -> Design:
    """Read a design from a file's bytes; a name that ends in .json says JSON, any other TOML. Raises InvalidDesign."""
    if len(data) > LARGEST_DESIGN_FILE:
        raise InvalidDesign(Problem((), f"{name} has {len(data)} bytes; a design has a few thousand"))
    try:
        # utf-8-sig: editors of spreadsheets' makers put a byte-order mark first.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidDesign(Problem((), f"{name} is not UTF-8 text; save it as UTF-8")) from error
    kind = "JSON" if name.lower().endswith(".json") else "TOML"
    try:
        return Design.of(json.loads(text) if kind == "JSON" else tomllib.loads(text))
    except InvalidDesign:
        raise
    # Both readers raise ValueError, of their own kind or for numbers of thousands of digits.
    except (ValueError, RecursionError) as error:
        raise InvalidDesign(Problem((), f"{name} is not readable {kind}: {error}")) from error


def as_toml(design: Design) -> str:
    """Return the design as TOML that reads back to the same design. What is not set has no line: TOML has no null."""
    return "\n".join(_lines(design.as_json(), name="")).lstrip("\n") + "\n"


def as_json_text(design: Design) -> str:
    """Return the design as JSON for reading, every setting named."""
    return json.dumps(design.as_json(), indent=2, ensure_ascii=False) + "\n"


# Any: what JSON can hold.
def _lines(table: Mapping[str, Any], *, name: str) -> Iterator[str]:
    """Yield a table's own settings, then its tables and lists of tables, as TOML wants them."""
    plain = {key: value for key, value in table.items() if not _is_nested(value) and value is not None}
    yield from (f"{key} = {_value(value)}" for key, value in plain.items())
    for key, value in table.items():
        path = f"{name}.{key}" if name else key
        if isinstance(value, Mapping) and value:
            yield f"\n[{path}]"
            yield from _lines(value, name=path)
        elif _is_nested(value):
            for entry in value:
                yield f"\n[[{path}]]"
                yield from _lines(entry, name=path)


def _is_nested(value: Any) -> bool:
    return isinstance(value, Mapping) or (isinstance(value, list) and any(isinstance(one, Mapping) for one in value))


def _value(value: Any) -> str:
    if isinstance(value, str) and "\n" in value:
        lines = "\n".join(_value(line)[1:-1] for line in value.split("\n"))
        return f'"""\n{lines}"""'
    # JSON's strings, numbers, booleans and flat lists are TOML's; but TOML wants the delete character escaped.
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
