"""References as a command's option names them."""

from typing import Any


class InvalidText(ValueError):
    """A reference is not written as it should be."""


def reference_from(text: str) -> dict[str, Any]:  # Any: what JSON can hold
    """Read folder:PATH, npz:PATH, batch:ID:ARM_ID or sportballs:N[:SEED] as options. Raises InvalidText."""
    kind, _, rest = text.partition(":")
    if kind in ("folder", "npz") and rest:
        return {"kind": kind, "path": rest}
    numbers = [int(part) for part in rest.split(":") if part.isascii() and part.isdigit()]
    if kind == "batch" and len(numbers) == 2:
        return {"kind": "batch_arm", "batch": numbers[0], "arm": numbers[1]}
    if kind == "sportballs" and len(numbers) in (1, 2):
        return {"kind": kind, "n": numbers[0], **({"seed": numbers[1]} if len(numbers) == 2 else {})}
    raise InvalidText(f'"{text}" is no reference; write folder:PATH, npz:PATH, batch:ID:ARM_ID or sportballs:N[:SEED].')
