"""Shares as people type them on a command line."""

import math
from argparse import ArgumentTypeError


def share(text: str) -> float:
    """Read 0.27, 27 or 27% as 0.27; numbers above 1 are per cent."""
    number = text.strip().removesuffix("%").strip()
    try:
        value = float(number)
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no share; write 0.8, 80 or 80%") from error
    if not math.isfinite(value):
        raise ArgumentTypeError(f"{text!r} is no share; write 0.8, 80 or 80%")
    return value / 100 if number != text.strip() or value > 1 else value
