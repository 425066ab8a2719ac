"""The form of a new arm: its checkpoints and every setting of its recipe."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from django import forms
from django.forms.boundfield import BoundField

from generation.arms import recipe_of
from generation.diffusion.recipes import (
    LARGEST_SCALE,
    PRESETS,
    Guidance,
    InvalidRecipe,
    Preprocessing,
    Reads,
    Recipe,
    Sampler,
    Stabiliser,
    Variance,
)
from generation.models import Arm, Checkpoint
from generation.recipe_files import RecipeFile
from survey_site.forms.checkpoints import CheckpointField

# What a classifier without a named method does: plain guidance on x_t.
PLAIN_SCALE = 1.0
GUIDANCES = {
    Guidance.NONE: "None",
    Guidance.CLASSIFIER: "A classifier's gradient",
    Guidance.CLASSIFIER_FREE: "Classifier-free",
}
READS = {
    Reads.X_T: "The noisy image x_t",
    Reads.X_0: "The estimate x_0, with the gradient through the denoiser",
    Reads.DETACHED_X_0: "The estimate x_0, detached",
}
PREPROCESSINGS = {
    Preprocessing.OWN: "Resized and normalised as the classifier wants",
    Preprocessing.RAW: "Resized only, values stay in [-1, 1]",
}
STABILISERS = {
    Stabiliser.NONE: "None",
    Stabiliser.EMA: "EMA: a running average",
    Stabiliser.ADAM: "ADAM, no bias correction",
    Stabiliser.ADAM_CORRECTED: "ADAM, bias-corrected",
}
SAMPLERS = {Sampler.DDPM: "DDPM", Sampler.DDIM: "DDIM"}
VARIANCES = {
    Variance.LEARNED: "The denoiser's own",
    Variance.FIXED_SMALL: "Fixed small: the posterior's",
}
YES_OR_NO = {"": "Wherever it can be", "yes": "Yes", "no": "No"}


@dataclass(frozen=True)
class Group:
    """Settings that belong together. `changed`: at least one is not as in the default recipe, or is refused."""

    title: str
    about: str
    fields: Sequence[BoundField]
    changed: bool


class ArmForm(forms.Form):
    """An arm to make. Left as they are, the settings are those of an unguided arm."""

    name = forms.CharField(max_length=60, help_text="It stands in figures, results and exports.")
    denoiser = CheckpointField(Checkpoint.objects.filter(role=Checkpoint.Role.DENOISER))
    guidance = forms.ChoiceField(choices=[*GUIDANCES.items()])
    classifier = CheckpointField(
        Checkpoint.objects.filter(role=Checkpoint.Role.CLASSIFIER), required=False, empty_label="No classifier"
    )
    scale = forms.FloatField(
        required=False,
        label="Scale (s, or w if classifier-free)",
        help_text=f"From 0, which is unguided, to {LARGEST_SCALE:g}.",
    )
    reads = forms.ChoiceField(
        choices=[*READS.items()],
        label="It reads",
        help_text="Through the denoiser costs about twice as much. Clean-trained classifiers need an estimate x_0.",
    )
    preprocessing = forms.ChoiceField(choices=[*PREPROCESSINGS.items()], label="Its input")
    softplus_beta = forms.FloatField(
        required=False, label="Softplus beta", help_text="Every ReLU becomes Softplus of this beta. Empty: ReLU stays."
    )
    stabiliser = forms.ChoiceField(choices=[*STABILISERS.items()], help_text="What is kept of earlier gradients.")
    decay = forms.FloatField(required=False, help_text="Of the running average: 0.9 or 0.99 in the papers.")
    second_decay = forms.FloatField(required=False, label="Second decay", help_text="ADAM only: of the squares.")
    normalised = forms.ChoiceField(
        choices=[("", "As it is"), ("yes", "Divided by its length")],
        required=False,
        label="Gradient",
        help_text="Per image. Then the scale is the length of every push.",
    )
    joint_temperature = forms.FloatField(
        required=False, label="Joint temperature (t1)", help_text="g = grad [t1 f_y - logsumexp(t2 f)]"
    )
    conditional_temperature = forms.FloatField(
        required=False, label="Conditional temperature (t2)", help_text="Below 1: less weight on the other classes."
    )
    sine_gamma = forms.FloatField(
        required=False,
        label="Sine gamma",
        help_text="Adds gamma sin(pi i/N) of the largest variance to each step's push. DDPM only. Empty: off.",
    )
    guided_from = forms.FloatField(
        required=False, label="Guided from noise level", help_text="A share: 0 is least noise, 1 is most."
    )
    guided_until = forms.FloatField(required=False, label="Guided up to noise level", help_text="A share, as above.")
    sampler = forms.ChoiceField(choices=[*SAMPLERS.items()])
    variance = forms.ChoiceField(choices=[*VARIANCES.items()], help_text="Of a DDPM step.")
    class_conditional = forms.ChoiceField(
        choices=[*YES_OR_NO.items()],
        required=False,
        label="The denoiser is told the class",
        help_text="No: it samples with its null class, and the class comes from the guidance alone.",
    )

    def clean(self) -> dict[str, Any]:  # Any: cleaned data is untyped in Django
        """Make the recipe of the settings, or refuse beside the setting that is wrong."""
        data = self.cleaned_data
        if self.errors:
            return data
        if data["guidance"] != Guidance.NONE and data["scale"] is None:
            self.add_error("scale", "Guidance needs a scale. A published method comes with its own.")
            return data
        given = {name: data[name] for name in DEFAULTS if data[name] is not None or DEFAULTS[name] is None}
        try:
            data["recipe"] = Recipe.from_settings({**given, "normalised": data["normalised"] == "yes"})
        except InvalidRecipe as error:
            self.add_error(_field_named_in(str(error)), str(error))
        data["told"] = {"yes": True, "no": False}.get(data["class_conditional"])
        return data

    @property
    def groups(self) -> list[Group]:
        """The settings that most arms leave alone, as they stand on the page."""
        return [self._group(title, about, names) for title, about, names in _GROUPS]

    def _group(self, title: str, about: str, names: Sequence[str]) -> Group:
        default = initial_of(Recipe())
        changed = any(self[name].errors or _text(self[name].value()) != _text(default.get(name, "")) for name in names)
        return Group(title, about, [self[name] for name in names], changed)


class PastedRecipeForm(forms.Form):
    """A recipe as JSON, to start from."""

    recipe = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 5, "spellcheck": "false"}),
        label="Recipe as JSON",
        help_text="As an arm's page gives it, or settings alone, such as "
        '{"guidance": "classifier", "scale": 1, "stabiliser": "ema"}.',
    )


def initial_of(recipe: Recipe) -> dict[str, Any]:  # Any: a recipe's settings have many types
    """Return a recipe as the form shows it."""
    return {**asdict(recipe), "normalised": "yes" if recipe.normalised else ""}


def initial_like(arm: Arm) -> dict[str, Any]:  # Any: as above
    """Return the form's start for an arm like this one. Raises InvalidArm."""
    told = "" if arm.denoiser and arm.class_conditional == arm.denoiser.takes_labels else _yes_or_no(False)
    return {
        **initial_of(recipe_of(arm)),
        "denoiser": arm.denoiser_id,
        "classifier": arm.classifier_id,
        "class_conditional": told,
    }


def initial_of_file(file: RecipeFile) -> dict[str, Any]:  # Any: as above
    """Return the form's start for a recipe file: its checkpoints too, where they are registered here."""
    known = dict(Checkpoint.objects.values_list("sha256", "pk"))
    return {
        **initial_of(file.recipe),
        "name": file.name,
        "denoiser": known.get(file.denoiser_sha256),
        "classifier": known.get(file.classifier_sha256),
        "class_conditional": "" if file.class_conditional is None else _yes_or_no(file.class_conditional),
    }


def recipe_of_row(*, preset: str, scale: float | None, guided: bool) -> Recipe:
    """Return the recipe of a method's key with another scale, or, without a method, of plain guidance or none.

    Raises InvalidRecipe.
    """
    if preset:
        recipe = PRESETS[preset].recipe
    else:
        recipe = Recipe(guidance=Guidance.CLASSIFIER, scale=PLAIN_SCALE) if guided else Recipe()
    return recipe if scale is None else replace(recipe, scale=scale)


def _yes_or_no(told: bool) -> str:
    return "yes" if told else "no"


def _field_named_in(sentence: str) -> str | None:
    # A refusal begins with the setting that is wrong, where it is one.
    first = sentence.removeprefix("The ").partition(" ")[0]
    return first if first in DEFAULTS else None


def _text(value: object) -> str:
    try:
        return format(float(str(value)), "g")
    except ValueError:
        return "" if value is None else str(value)


DEFAULTS: Mapping[str, Any] = asdict(Recipe())  # Any: as above
_GROUPS = (
    (
        "What the classifier reads",
        "Noise-trained classifiers read x_t. Others know clean images only, and x_0 is the sampler's estimate of one.",
        ("reads", "preprocessing", "softplus_beta"),
    ),
    (
        "Stabiliser",
        "Evens out gradients that jump from step to step. Kept per image.",
        ("stabiliser", "decay", "second_decay", "normalised"),
    ),
    (
        "Temperatures",
        "How much the wanted class counts against all classes. 1 and 1: the plain log-probability.",
        ("joint_temperature", "conditional_temperature"),
    ),
    (
        "Schedule",
        "When guidance acts, and how strongly over the steps.",
        ("sine_gamma", "guided_from", "guided_until"),
    ),
    ("Sampler", "How noise becomes an image.", ("sampler", "variance", "class_conditional")),
)
