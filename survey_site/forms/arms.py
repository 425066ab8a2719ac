"""The forms behind arms: a published method to start from, and every setting of a recipe."""

from dataclasses import replace
from itertools import groupby

from generation.diffusion.recipes import PRESETS, Guidance, Recipe

# What a classifier without a named method does: plain guidance on x_t.
PLAIN_SCALE = 1.0


def preset_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the published methods, grouped by their papers, as a select wants them."""
    by_paper = groupby(PRESETS.values(), key=lambda preset: preset.paper)
    return [(paper, [(preset.key, preset.name) for preset in presets]) for paper, presets in by_paper]


def recipe_of_row(*, preset: str, scale: float | None, guided: bool) -> Recipe:
    """Return the recipe of a method's key with another scale, or, without a method, of plain guidance or none.

    Raises InvalidRecipe.
    """
    if preset:
        recipe = PRESETS[preset].recipe
    else:
        recipe = Recipe(guidance=Guidance.CLASSIFIER, scale=PLAIN_SCALE) if guided else Recipe()
    return recipe if scale is None else replace(recipe, scale=scale)
