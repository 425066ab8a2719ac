"""Budgets: how much of an experiment fits into the time it is given."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

TRAINING_SHARE = 0.6  # Of what is left, for the classifiers.
TRAINING_ENDS = 0.8  # No further classifier is begun when so much of the budget is spent.


class InvalidBudget(ValueError):
    """A text that is no length of time."""


@dataclass(frozen=True)
class Budget:
    """A length of time, counted from when it was made."""

    seconds: float
    started: float = field(default_factory=time.monotonic)

    @classmethod
    def parse(cls, text: str) -> "Budget":
        """Read "2h", "90m", "45s" or "1h30m". Raises InvalidBudget."""
        parts = re.fullmatch(r"(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", text.strip().lower())
        hours, minutes, seconds = (int(part or 0) for part in parts.groups()) if parts else (0, 0, 0)
        total = 3600 * hours + 60 * minutes + seconds
        if not total:
            raise InvalidBudget(f'"{text}" is no length of time; write it as 2h, 90m or 1h30m.')
        return cls(float(total))

    @property
    def left(self) -> float:
        """Seconds left; negative when it is used up."""
        return self.started + self.seconds - time.monotonic()

    def spent(self, share: float) -> bool:
        """Whether this share of it is used up."""
        return self.left < (1 - share) * self.seconds


def rounds(most: int, *, chunk: int, is_spent: Callable[[], bool]) -> Iterator[int]:
    """Growing numbers of images, a chunk at a time up to `most`, for as long as there is time; the first always."""
    for count in range(chunk, most + chunk, chunk):
        yield min(count, most)
        if is_spent():
            return
