"""Options of a questionnaire, as a researcher types them."""

from typing import Any

import pytest

from survey_site.design.designs import Option
from survey_site.forms.option_lines import InvalidOptions, option_lines, read_options


@pytest.mark.parametrize(
    ("line", "option"),
    [
        ("18 or older", {"text": "18 or older"}),
        ("under 18 | screens out", {"text": "under 18", "screens_out": True}),
        ("under 18|Screen out", {"text": "under 18", "screens_out": True}),
        ("expert | at most 20", {"text": "expert", "quota": 20}),
        ("expert | 20", {"text": "expert", "quota": 20}),
        ("expert | max 20 | screens out", {"text": "expert", "quota": 20, "screens_out": True}),
        ("a \\| b |", {"text": "a | b"}),
    ],
)
def test_options_are_read_as_people_write_them(line: str, option: dict[str, Any]) -> None:
    assert read_options(f"\n{line}\n") == [option]


@pytest.mark.parametrize("line", ["| screens out", "a | at most 0", "a | some", "a | -3"])
def test_options_that_cannot_be_read_are_named_by_line(line: str) -> None:
    with pytest.raises(InvalidOptions, match="Line 2"):
        read_options(f"fine\n{line}")


def test_options_read_back_to_themselves() -> None:
    options = (Option(text="18 | more", quota=5), Option(text="younger", screens_out=True))
    lines = option_lines(options)
    assert lines == "18 \\| more | at most 5\nyounger | screens out"
    assert tuple(Option(**option) for option in read_options(lines)) == options
