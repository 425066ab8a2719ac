"""Recipes: everything that a way of guiding sets besides its weights, and the papers' own values.

Free of torch, so that forms and the API can check a recipe. Symbols: s, the scale; f, the classifier's logits; g, the
gradient; x_0, the sampler's estimate of the clean image. Sources: Dhariwal and Nichol (2021); Ho and Salimans (2022);
Kawar, Ganz and Elad (2023); "GradCheck", Vaeth et al. (2024); "Diffusion Classifier Guidance for Non-robust
Classifiers", Vaeth et al. (2025); "Elucidating the Design Space of Classifier-Guided Diffusion Generation", Ma et al.
(2023), here EluCD.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from enum import StrEnum
from typing import Any

LARGEST_SCALE = 100.0


class InvalidRecipe(ValueError):
    """These settings make no way of guiding; the message names the setting."""


class Guidance(StrEnum):
    """Where the guidance comes from."""

    NONE = "none"
    CLASSIFIER = "classifier"
    CLASSIFIER_FREE = "classifier_free"


class Reads(StrEnum):
    """What the classifier is shown, and what its gradient is taken by."""

    X_T = "x_t"
    X_0 = "x_0"
    """The estimate, with the gradient through the denoiser to x_t (GradCheck)."""
    DETACHED_X_0 = "detached_x_0"
    """The estimate, its gradient used as if it were one by x_t (EluCD)."""


class Stabiliser(StrEnum):
    """What a trajectory remembers of its earlier gradients."""

    NONE = "none"
    EMA = "ema"
    ADAM = "adam"
    """Vaeth et al. (2024, 2025): no bias correction, eps 1e-4."""
    ADAM_CORRECTED = "adam_corrected"
    """The older form: bias-corrected, eps 1e-8."""


class Sampler(StrEnum):
    """How a trajectory goes from noise to image."""

    DDPM = "ddpm"
    DDIM = "ddim"


class Variance(StrEnum):
    """The variance of a DDPM step."""

    LEARNED = "learned"
    """The denoiser's own; the posterior's where it predicts none."""
    FIXED_SMALL = "fixed_small"
    """The posterior's, whatever the denoiser predicts."""


class Preprocessing(StrEnum):
    """How images in [-1, 1] become a classifier's input."""

    OWN = "own"
    """Resized and normalised as the classifier's files say."""
    RAW = "raw"
    """Resized only: values stay in [-1, 1], as in the code of EluCD."""


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """One way of guiding. The default is no guidance under DDPM.

    scale: s; under classifier-free guidance the weight w of Ho and Salimans, eps + w (eps - eps_null), so that 0 is
    unguided everywhere. joint_temperature t1 and conditional_temperature t2: g = grad [t1 f_y - logsumexp(t2 f)].
    softplus_beta: every ReLU of the classifier becomes Softplus(beta). sine_gamma: mean += (var + gamma sin(pi i/N)
    maxvar) s g. guided_from, guided_until: shares of the chain of noise levels (0 = least noise, 1 = most) between
    which there is guidance. normalised: g / max(||g||, 1e-4) per image. decay, second_decay: of EMA's or ADAM's
    averages.
    """

    guidance: Guidance = Guidance.NONE
    scale: float = 0.0
    reads: Reads = Reads.X_T
    joint_temperature: float = 1.0
    conditional_temperature: float = 1.0
    softplus_beta: float | None = None
    sine_gamma: float | None = None
    guided_from: float = 0.0
    guided_until: float = 1.0
    normalised: bool = False
    stabiliser: Stabiliser = Stabiliser.NONE
    decay: float = 0.9
    second_decay: float = 0.999
    preprocessing: Preprocessing = Preprocessing.OWN
    sampler: Sampler = Sampler.DDPM
    variance: Variance = Variance.LEARNED

    def __post_init__(self) -> None:
        for name, kind in _KINDS.items():
            try:
                object.__setattr__(self, name, kind(getattr(self, name)))
            except ValueError as error:
                known = ", ".join(kind)
                raise InvalidRecipe(f"{name} is {getattr(self, name)!r}; choose one of {known}.") from error
        for name in _NUMBERS:
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        if not isinstance(self.normalised, bool):
            raise InvalidRecipe(f"normalised is {self.normalised!r}; choose true or false.")
        _check_numbers(self)
        _check_together(self)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "Recipe":  # Any: values as JSON has them
        """Make a recipe of a document such as `settings` writes. Raises InvalidRecipe for a name it does not know."""
        known = {field.name for field in fields(cls)}
        for name in settings:
            if name not in known:
                raise InvalidRecipe(f'A recipe has no setting "{name}"; it knows {", ".join(sorted(known))}.')
        return cls(**settings)

    def settings(self) -> dict[str, str | float | bool | None]:
        """What differs from the default recipe, in the order of the names, as JSON can hold it."""
        default = Recipe()
        changed = {name: value for name, value in asdict(self).items() if value != getattr(default, name)}
        return {name: value.value if isinstance(value, StrEnum) else value for name, value in sorted(changed.items())}

    def fingerprint(self) -> str:
        """The sha256 of all settings, written as JSON in the order of their names: what a paper can cite."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()

    @property
    def needs_classifier(self) -> bool:
        """Whether a classifier gives the gradient."""
        return self.guidance is Guidance.CLASSIFIER

    @property
    def through_denoiser(self) -> bool:
        """Whether the gradient goes through the denoiser, which about doubles the cost."""
        return self.needs_classifier and self.reads is Reads.X_0

    def describe(self) -> str:
        """The recipe in a line for people."""
        if self.guidance is Guidance.NONE:
            return f"not guided, {self.sampler.upper()}"
        if self.guidance is Guidance.CLASSIFIER_FREE:
            return f"classifier-free, w = {self.scale:g}, {self.sampler.upper()}"
        parts = [f"classifier on {_READS_IN_WORDS[self.reads]}", f"s = {self.scale:g}", self.sampler.upper()]
        if self.stabiliser is not Stabiliser.NONE:
            parts.append(f"{_STABILISERS_IN_WORDS[self.stabiliser]} {self.decay:g}")
        if self.normalised:
            parts.append("gradient normalised")
        if (self.joint_temperature, self.conditional_temperature) != (1, 1):
            parts.append(f"t1 = {self.joint_temperature:g}, t2 = {self.conditional_temperature:g}")
        if self.softplus_beta is not None:
            parts.append(f"Softplus {self.softplus_beta:g}")
        if self.sine_gamma is not None:
            parts.append(f"sine {self.sine_gamma:g}")
        if (self.guided_from, self.guided_until) != (0, 1):
            parts.append(f"noise levels {self.guided_from:g} to {self.guided_until:g}")
        if self.preprocessing is Preprocessing.RAW:
            parts.append("input not normalised")
        if self.variance is Variance.FIXED_SMALL:
            parts.append("fixed small variance")
        return ", ".join(parts)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A published recipe: its key, the name its paper gives it, the paper, and what classifier it wants."""

    key: str
    name: str
    paper: str
    recipe: Recipe
    classifier: str = ""
    """What kind of classifier the paper used; empty where there is none."""


def _number(name: str, value: object) -> float | None:
    """The value as a float: equal recipes must be written alike, whether JSON said 1, 1.0 or -0."""
    if value is None and name in _OPTIONAL:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRecipe(f"{name} is {value!r}; it must be a number.")
    try:
        return float(value) + 0.0
    except OverflowError as error:
        raise InvalidRecipe(f"{name} is too great a number.") from error


def _check_numbers(recipe: Recipe) -> None:
    if not math.isfinite(recipe.scale) or not 0 <= recipe.scale <= LARGEST_SCALE:
        raise InvalidRecipe(f"The scale is {recipe.scale}; choose one from 0 to {LARGEST_SCALE:g}.")
    for name, least, most in _RANGES:
        value = getattr(recipe, name)
        if value is not None and not (math.isfinite(value) and least <= value <= most):
            raise InvalidRecipe(f"{name} is {value}; choose a number from {least:g} to {most:g}.")
    if recipe.guided_from >= recipe.guided_until:
        raise InvalidRecipe(
            f"Guidance from noise level {recipe.guided_from:g} to {recipe.guided_until:g} is none at all; "
            "guided_from must be less than guided_until."
        )


def _check_together(recipe: Recipe) -> None:
    if recipe.sine_gamma is not None and recipe.sampler is not Sampler.DDPM:
        raise InvalidRecipe("sine_gamma changes the mean of a DDPM step; DDIM has none. Choose the sampler ddpm.")
    if recipe.sampler is Sampler.DDIM and recipe.variance is not Variance.LEARNED:
        raise InvalidRecipe("DDIM draws no noise, so its variance cannot be chosen; leave variance as it is.")
    if recipe.guidance is Guidance.NONE and recipe.scale:
        raise InvalidRecipe(
            f"The scale is {recipe.scale:g}, but there is no guidance to scale; choose one, or scale 0."
        )
    if recipe.needs_classifier:
        return
    default = {field.name: field.default for field in fields(Recipe)}
    for name in _CLASSIFIER_ONLY:
        if getattr(recipe, name) != default[name]:
            raise InvalidRecipe(f'{name} belongs to classifier guidance, not to guidance "{recipe.guidance}".')


_KINDS: dict[str, type[StrEnum]] = {
    "guidance": Guidance,
    "reads": Reads,
    "stabiliser": Stabiliser,
    "preprocessing": Preprocessing,
    "sampler": Sampler,
    "variance": Variance,
}
_RANGES: tuple[tuple[str, float, float], ...] = (
    ("joint_temperature", 0, 100),
    ("conditional_temperature", 0, 100),
    ("softplus_beta", 0.01, 1000),
    ("sine_gamma", 0, 100),
    ("guided_from", 0, 1),
    ("guided_until", 0, 1),
    ("decay", 0, 0.99999),
    ("second_decay", 0, 0.99999),
)
_NUMBERS = ("scale", *(name for name, _, _ in _RANGES))
_OPTIONAL = ("softplus_beta", "sine_gamma")
_CLASSIFIER_ONLY = (
    "reads",
    "joint_temperature",
    "conditional_temperature",
    "softplus_beta",
    "sine_gamma",
    "normalised",
    "stabiliser",
    "preprocessing",
)
_READS_IN_WORDS = {Reads.X_T: "x_t", Reads.X_0: "x_0 through the denoiser", Reads.DETACHED_X_0: "detached x_0"}
_STABILISERS_IN_WORDS = {
    Stabiliser.EMA: "EMA",
    Stabiliser.ADAM: "ADAM",
    Stabiliser.ADAM_CORRECTED: "bias-corrected ADAM",
}

KAWAR = "Kawar, Ganz and Elad (2023)"
GRADCHECK = "GradCheck, Vaeth et al. (2024)"
NON_ROBUST = "Non-robust classifiers, Vaeth et al. (2025)"
ELUCD = "EluCD, Ma et al. (2023)"
NOISE_TRAINED, CLEAN_TRAINED = "trained on noised images", "trained on clean images"


def _guided(**settings: Any) -> Recipe:  # Any: a recipe's settings have many types
    return Recipe(guidance=Guidance.CLASSIFIER, **settings)


def _gradcheck(**settings: Any) -> Recipe:  # Any: as above
    return _guided(scale=0.04, normalised=True, variance=Variance.FIXED_SMALL, **settings)


def _non_robust(**settings: Any) -> Recipe:  # Any: as above
    return _guided(scale=1.0, variance=Variance.FIXED_SMALL, **settings)


def _elucd(**settings: Any) -> Recipe:  # Any: as above
    return _guided(scale=1.0, reads=Reads.DETACHED_X_0, **settings)


_EMA, _ADAM = Stabiliser.EMA, Stabiliser.ADAM
PRESETS: dict[str, Preset] = {
    preset.key: preset
    for preset in (
        Preset(key="unguided", name="Unguided", paper=KAWAR, recipe=Recipe()),
        Preset(
            key="vanilla",
            name="Vanilla classifier guidance",
            paper=KAWAR,
            recipe=_guided(scale=0.5),
            classifier=NOISE_TRAINED,
        ),
        Preset(
            key="robust",
            name="Robust classifier guidance",
            paper=KAWAR,
            recipe=_guided(scale=1.0),
            classifier="trained on noised images, adversarially",
        ),
        Preset(
            key="gradcheck-plain",
            name="No stabilisation",
            paper=GRADCHECK,
            recipe=_gradcheck(),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="gradcheck-x0",
            name="x0-prediction",
            paper=GRADCHECK,
            recipe=_gradcheck(reads=Reads.X_0),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="gradcheck-adam",
            name="ADAM",
            paper=GRADCHECK,
            recipe=_gradcheck(stabiliser=Stabiliser.ADAM_CORRECTED),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="gradcheck-x0-adam",
            name="x0-prediction and ADAM",
            paper=GRADCHECK,
            recipe=_gradcheck(reads=Reads.X_0, stabiliser=Stabiliser.ADAM_CORRECTED),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="non-robust-ema",
            name="EMA",
            paper=NON_ROBUST,
            recipe=_non_robust(stabiliser=_EMA),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="non-robust-adam",
            name="ADAM",
            paper=NON_ROBUST,
            recipe=_non_robust(stabiliser=_ADAM),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="non-robust-x0-ema",
            name="x0-prediction and EMA",
            paper=NON_ROBUST,
            recipe=_non_robust(reads=Reads.X_0, stabiliser=_EMA),
            classifier=CLEAN_TRAINED,
        ),
        Preset(
            key="attribute",
            name="Attribute by x0-prediction and EMA",
            paper=NON_ROBUST,
            # The logit of the wanted side alone, as on CelebA: t2 = 0 takes out its probability's other term.
            recipe=_non_robust(reads=Reads.X_0, stabiliser=_EMA, conditional_temperature=0.0),
            classifier="of attributes, trained on clean images",
        ),
        Preset(
            key="elucd",
            name="Off-the-shelf guidance",
            paper=ELUCD,
            recipe=_elucd(conditional_temperature=0.5, softplus_beta=3.0, sine_gamma=0.3),
            classifier="off the shelf, with ReLU",
        ),
        Preset(
            key="elucd-edm",
            name="Off-the-shelf guidance of EDM",
            paper=ELUCD,
            recipe=_elucd(conditional_temperature=0.5, softplus_beta=5.0, sampler=Sampler.DDIM),
            classifier="off the shelf, with ReLU",
        ),
        Preset(
            key="classifier-free",
            name="Classifier-free guidance",
            paper="Ho and Salimans (2022)",
            recipe=Recipe(guidance=Guidance.CLASSIFIER_FREE, scale=0.5),
        ),
    )
}
