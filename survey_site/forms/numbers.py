"""A field for several whole numbers."""

import re
from typing import Any

from django import forms

MOST_NUMBERS = 10_000


class NumbersField(forms.CharField):
    """Whole numbers and ranges with commas between them, such as 0, 3, 5-9; clean returns the list."""

    # Django's field takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"required": False, **kwargs})

    def clean(self, value: Any) -> list[int]:
        """Read the numbers."""
        numbers: list[int] = []
        for word in (word.strip() for word in super().clean(value).split(",")):
            found = re.fullmatch(r"(\d{1,18})(?:\s*-\s*(\d{1,18}))?", word)
            if word and found is None:
                raise forms.ValidationError(f'"{word}" is no whole number; write them such as 0, 3, 5-9.')
            if found is not None:
                first, last = int(found[1]), int(found[2] or found[1])
                if last - first + len(numbers) >= MOST_NUMBERS:
                    raise forms.ValidationError(f"These are more than {MOST_NUMBERS} numbers; name fewer.")
                numbers += range(first, last + 1)
        return list(dict.fromkeys(numbers))
