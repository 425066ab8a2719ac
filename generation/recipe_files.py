"""Recipe files: an arm's recipe as JSON that can be cited, sent to a colleague and read back."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from generation.arms import recipe_of
from generation.diffusion.recipes import InvalidRecipe, Recipe
from generation.models import Arm, Checkpoint


@dataclass(frozen=True, kw_only=True)
class RecipeFile:
    """What a recipe file says: the recipe and, where it was an arm's, what else made that arm."""

    recipe: Recipe
    name: str = ""
    denoiser_sha256: str = ""
    classifier_sha256: str = ""
    class_conditional: bool | None = None


def recipe_file(arm: Arm) -> dict[str, Any]:  # Any: a document, as JSON has it
    """Return an arm as a document: all settings of its recipe, also those left as they are, and its checkpoints."""
    recipe = recipe_of(arm)
    return {
        "name": arm.name,
        "recipe": asdict(recipe),
        "fingerprint": recipe.fingerprint(),
        "class_conditional": arm.class_conditional,
        "denoiser": _named(arm.denoiser),
        "classifier": _named(arm.classifier),
    }


def read_recipe_file(text: str) -> RecipeFile:
    """Read such a document, or the settings of a recipe alone. Raises InvalidRecipe."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InvalidRecipe(f"This is not JSON: {error.msg} in line {error.lineno}.") from error
    if not isinstance(document, dict):
        raise InvalidRecipe("A recipe is a JSON object of settings, such as {...}; this is something else.")
    if "recipe" not in document:
        return RecipeFile(recipe=Recipe.from_settings(document))
    if not isinstance(document["recipe"], dict):
        raise InvalidRecipe('The "recipe" in this file is no JSON object of settings.')
    recipe = Recipe.from_settings(document["recipe"])
    cited = document.get("fingerprint", recipe.fingerprint())
    # A document that was edited by hand would go on being cited under a fingerprint that is not its own.
    if cited != recipe.fingerprint():
        raise InvalidRecipe(
            "These settings are not those of the fingerprint in the file: it was changed after it was written. "
            'Take the line "fingerprint" out if that is meant.'
        )
    told = document.get("class_conditional")
    return RecipeFile(
        recipe=recipe,
        name=str(document.get("name", "")),
        denoiser_sha256=_sha256(document.get("denoiser")),
        classifier_sha256=_sha256(document.get("classifier")),
        class_conditional=told if isinstance(told, bool) else None,
    )


def read_setting(word: str) -> tuple[str, Any]:  # Any: a setting's value has one of many types
    """Read "name=value" as a setting of a recipe. Raises InvalidRecipe."""
    name, equals, value = word.partition("=")
    if not equals:
        raise InvalidRecipe(f'"{word}" is no setting; write it as name=value.')
    if name not in {field.name for field in fields(Recipe)}:
        known = ", ".join(sorted(field.name for field in fields(Recipe)))
        raise InvalidRecipe(f'A recipe has no setting "{name}"; it knows {known}.')
    try:
        return name, json.loads(value)
    except json.JSONDecodeError:
        return name, value


def _named(checkpoint: Checkpoint | None) -> dict[str, str] | None:
    return None if checkpoint is None else {"name": checkpoint.name, "sha256": checkpoint.sha256}


def _sha256(named: object) -> str:
    return str(named.get("sha256", "")) if isinstance(named, Mapping) else ""
