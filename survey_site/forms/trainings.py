"""Forms of trainings, made of what a plan says; and of reproductions of the papers' experiments."""

from collections.abc import Mapping
from dataclasses import Field, asdict, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from generation.diffusion.experiments.budgets import InvalidBudget
from generation.diffusion.plans import (
    PUBLISHED_CLASSIFIERS,
    PUBLISHED_DENOISERS,
    SPORTBALLS,
    InvalidPlan,
    TrainingPlan,
    plan_of,
)
from generation.reproduction_options import TITLES, InvalidReproduction, ReproductionOptions
from generation.scoring_options import reference_folder
from generation.training_options import PLANS

PUBLISHED: Mapping[str, Mapping[str, TrainingPlan]] = {
    "classifier": PUBLISHED_CLASSIFIERS,
    "denoiser": PUBLISHED_DENOISERS,
}
# What names a file or folder of the worker's machine; from the browser these lie in the reference folder.
PLACES = ("data", "attributes", "held_out_folder", "init_from")
MAIN = ("name", "kind", "data", "attributes", "steps", "batch_size", "seed")
GROUPS = {
    "Attack": ("norm", "eps", "attack_step", "attack_steps"),
    "Data": (
        "image_size", "held_out_folder", "held_out_share", "split_seed", "flips", "crops",
        "smallest_ball", "largest_ball",
    ),
    "Network": ("architecture", "width", "dropout", "schedule", "unconditional", "label_dropout", "init_from"),
    "Machine": ("threads", "workers", "parts", "bf16", "device", "float32_file", "save_every", "keep_every"),
}  # fmt: skip
REST = "Learning"


class ForbiddenPlace(Exception):
    """A path that may not be named from the browser; the message says what may."""


@dataclass(frozen=True)
class Group:
    """Settings that belong together; open where something is refused."""

    title: str
    fields: list[BoundField]

    @property
    def is_open(self) -> bool:
        """Whether one of them is refused."""
        return any(field.errors for field in self.fields)


class TrainingForm(forms.Form):
    """Every setting of a training plan. Its fields are the plan's."""

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, role: str, start: TrainingPlan | None = None, **kwargs: Any) -> None:
        initial = asdict(start) if start else {}
        super().__init__(*args, **{"initial": initial, **kwargs})
        self.plan = PLANS[role]
        places = [("", "None"), *((name, name) for name in _names_in(reference_folder()))]
        for one in fields(self.plan):
            self.fields[one.name] = _field(one, places)

    def clean(self) -> dict[str, Any]:  # Any: cleaned data is untyped in Django
        """Check the plan, and refuse beside the setting that is wrong."""
        data = self.cleaned_data
        if not self.errors:
            try:
                plan_of(self.plan, self.changes())
            except ForbiddenPlace as error:
                self.add_error(None, str(error))
            except InvalidPlan as error:
                sentence = f"This {error.sentence}" if error.option in self.fields else str(error)
                self.add_error(error.option if error.option in self.fields else None, sentence)
        return data

    def changes(self) -> dict[str, Any]:  # Any: a plan's fields have many types
        """Return what was said as the verb wants it; what was left empty stays at its default."""
        said = {name: value for name, value in self.cleaned_data.items() if value is not None and value != ""}
        return placed(said)

    @property
    def main(self) -> list[BoundField]:
        """The settings that every training is asked for."""
        return [self[name] for name in MAIN if name in self.fields]

    @property
    def groups(self) -> list[Group]:
        """The other settings."""
        grouped = {name for names in GROUPS.values() for name in names} | set(MAIN)
        titled = {REST: [name for name in self.fields if name not in grouped], **GROUPS}
        found = [Group(title, [self[name] for name in names if name in self.fields]) for title, names in titled.items()]
        return [group for group in found if group.fields]


class ReproductionForm(forms.Form):
    """Which experiment to run again, and how long."""

    which = forms.ChoiceField(choices=[*TITLES.items()], label="Experiment")
    budget = forms.CharField(
        initial="2h",
        max_length=20,
        help_text="Such as 2h or 90m. What does not fit is done when it is asked for again.",
    )
    n = forms.IntegerField(min_value=16, initial=64, label="Images an arm", help_text="At most; the report states n.")
    steps = forms.IntegerField(min_value=0, initial=0, label="Sampling steps", help_text="0: the experiment's own.")
    scale = forms.FloatField(initial=10.0, help_text="Of GradCheck's gradients of length 1.")
    training_steps = forms.IntegerField(
        min_value=0, initial=0, label="Training steps", help_text="Of the ablation's classifiers. 0: what fits."
    )

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = [(SPORTBALLS, "SportBalls"), *((name, name) for name in _names_in(reference_folder()))]
        said = "Photographs to train everything on, for the ablation."
        # Not declared above: a form has an attribute of this name.
        self.fields["data"] = forms.ChoiceField(choices=places, required=False, help_text=said)

    def clean(self) -> dict[str, Any]:  # Any: cleaned data is untyped in Django
        """Check the options together."""
        data = self.cleaned_data
        if not self.errors:
            try:
                data["options"] = reproduction_options(data)
            except (InvalidReproduction, InvalidBudget, ForbiddenPlace) as error:
                self.add_error(None, str(error))
        return data


class RunScoringForm(forms.Form):
    """How to score a training along the weights that it kept."""

    n = forms.IntegerField(min_value=20, max_value=50_000, initial=200, label="Images of each")
    steps = forms.IntegerField(min_value=1, max_value=1000, initial=50, label="Sampling steps")
    features = forms.CharField(
        initial="pixels-8", help_text="pixels-N: pictures of N pixels a side; checkpoint:NAME: registered Inception."
    )

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places = [("", "SportBalls, 1000 drawn"), *((name, name) for name in _names_in(reference_folder()))]
        said = "What the images should look like: SportBalls, or a folder or .npz of the reference folder."
        self.fields["reference"] = forms.ChoiceField(choices=places, required=False, help_text=said)

    def reference(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return the reference as the verb wants it."""
        name = str(self.cleaned_data["reference"])
        if not name:
            return {"kind": "sportballs", "n": 1000}
        return {"kind": "npz" if name.endswith(".npz") else "folder", "path": name}


def reproduction_options(said: Mapping[str, Any]) -> ReproductionOptions:  # Any: values as JSON has them
    """Return the options of an experiment. Raises InvalidReproduction, InvalidBudget, ForbiddenPlace."""
    known = {one.name for one in fields(ReproductionOptions)}
    if unknown := sorted(set(said) - known):
        raise InvalidReproduction(f'A reproduction has no option "{unknown[0]}"; it has {", ".join(sorted(known))}.')
    if "which" not in said:
        raise InvalidReproduction(f"Choose which experiment: {' or '.join(TITLES)}.")
    try:
        return ReproductionOptions(**placed({name: value for name, value in said.items() if value != ""}))
    except TypeError as error:
        raise InvalidReproduction("An option is of the wrong type: n, steps and scale are numbers.") from error


def placed(changes: Mapping[str, Any]) -> dict[str, Any]:  # Any: values as forms and JSON have them
    """Return the settings with their files found in the reference folder. Raises ForbiddenPlace."""
    folder = reference_folder().resolve()
    found = dict(changes)
    for name in PLACES:
        value = found.get(name)
        if not value or value == SPORTBALLS:
            continue
        path = (folder / str(value)).resolve() if "\0" not in str(value) else folder
        if path == folder or not path.is_relative_to(folder) or not path.exists():
            raise ForbiddenPlace(f'There is no "{value}" in the reference folder; only what lies there can be used.')
        found[name] = str(path)
    return found


def _names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _field(one: "Field[Any]", places: list[tuple[str, str]]) -> forms.Field:  # Any: a field of any type
    kind: Any = one.type  # Any: as above
    # Any: a form field's arguments have many types.
    said: dict[str, Any] = {
        "label": one.name.replace("_", " ").capitalize(),
        "help_text": _help(one),
        "required": False,
    }
    if one.name == "data":
        return forms.ChoiceField(choices=[(SPORTBALLS, "SportBalls, drawn anew"), *places[1:]], **said)
    if one.name in PLACES:
        return forms.ChoiceField(choices=places, **said)
    if kind is bool:
        return forms.BooleanField(initial=one.default, **said)
    if issubclass(kind, StrEnum):
        return forms.ChoiceField(choices=[(member.value, member.value) for member in kind], initial=one.default, **said)
    return _TYPES[kind](initial=one.default, **said)


def _help(one: "Field[Any]") -> str:  # Any: as above
    text = str(one.metadata["help"]).replace("--", "")
    return text[:1].upper() + text[1:] + "."


_TYPES: Mapping[Any, type[forms.Field]] = {int: forms.IntegerField, float: forms.FloatField, str: forms.CharField}
