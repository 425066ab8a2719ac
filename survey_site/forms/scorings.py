"""The form of a scoring: what to measure of a batch, against what, by whose judgement."""

from pathlib import Path
from typing import Any, cast

from django import forms

from generation.diffusion.metrics import Metric
from generation.models import Batch, Checkpoint
from generation.scoring_options import reference_folder
from generation.scorings import TITLES
from survey_site.forms.checkpoints import CheckpointField
from survey_site.forms.numbers import NumbersField

MEANINGS = {
    Metric.FRECHET: "How far the images are from the reference as a whole. Called FID on Inception features only.",
    Metric.CONDITIONAL_FRECHET: "The same within every class, averaged over classes.",
    Metric.PRECISION: "The share of images that look like the reference.",
    Metric.RECALL: "The share of the reference that the images come close to.",
    Metric.TARGET_ACCURACY: "The share of images in which an independent judge sees the class that was asked for.",
    Metric.GUIDE_ACCURACY: "How often an arm's own classifier is right on noised reference images, by timestep.",
    Metric.GUIDE_ECE: "How far that classifier's confidence is from being right, by timestep.",
    Metric.GUIDE_ACCURACY_X_0: "The classifier's accuracy when it reads the denoiser's estimate instead.",
    Metric.GUIDE_ECE_X_0: "Its calibration error when it reads the denoiser's estimate instead.",
}
FEATURES = [
    ("pixels-8", "Pixels, 8 x 8"),
    ("pixels-16", "Pixels, 16 x 16"),
    ("pixels-32", "Pixels, 32 x 32"),
    ("judge", "The judge's last layer"),
]
MOST_REFERENCES = 200
WEIGHTS = (".pt", ".pth", ".safetensors")


class ScoringForm(forms.Form):
    """What to measure of a batch."""

    metrics = forms.MultipleChoiceField(
        choices=[(metric.value, title) for metric, title in TITLES.items()],
        initial=[Metric.FRECHET.value, Metric.PRECISION.value, Metric.RECALL.value],
        widget=forms.CheckboxSelectMultiple,
        label="Measure",
    )
    reference = forms.ChoiceField(
        required=False, help_text="What the images are compared with. Real images are the usual reference."
    )
    balls = forms.IntegerField(
        min_value=1, initial=1000, required=False, label="Number of balls", help_text="For SportBalls only."
    )
    features = forms.ChoiceField(help_text="What distances are measured on. Only equal features can be compared.")
    judge = CheckpointField(
        Checkpoint.objects.filter(role=Checkpoint.Role.CLASSIFIER, takes_timestep=False),
        required=False,
        empty_label="No judge",
        help_text="A classifier of clean images that guides none of the arms.",
    )
    per_class = forms.BooleanField(required=False, label="Also class by class")
    levels = NumbersField(
        label="Timesteps", help_text="At which guides are tried, 0 = least noise. Empty: eleven from 0 to 999."
    )
    guide_images = forms.IntegerField(
        min_value=1, initial=500, required=False, label="Images for guides", help_text="Taken from the reference."
    )

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cast(forms.ChoiceField, self.fields["reference"]).choices = _references()
        cast(forms.ChoiceField, self.fields["features"]).choices = [*FEATURES, *_feature_files()]

    def options(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return what was chosen as the verb wants it."""
        data = self.cleaned_data
        chosen = {
            "metrics": data["metrics"],
            "reference": _reference(data["reference"], balls=data["balls"]),
            "features": data["features"],
            "judge": data["judge"].pk if data["judge"] else None,
            "per_class": data["per_class"],
            "levels": data["levels"],
            "guide_images": data["guide_images"],
        }
        return {key: value for key, value in chosen.items() if value not in (None, [], {})}


def _references() -> list[Any]:  # Any: Django takes choices and groups of them
    arms = Batch.arms.through.objects.filter(batch__status=Batch.Status.COMPLETE)
    newest = arms.select_related("batch", "arm").order_by("-batch_id", "arm__name")[:MOST_REFERENCES]
    here = reference_folder()
    return [
        ("", "None"),
        ("sportballs", "SportBalls, drawn anew"),
        ("Reference folder", [(f"folder:{name}", name) for name in _inside(here, folders=True)]),
        ("Arrays", [(f"npz:{name}", name) for name in _inside(here, endings=(".npz",))]),
        ("Batches", [(f"arm:{row.batch_id}:{row.arm_id}", f"{row.batch}: {row.arm}") for row in newest]),
    ]


def _reference(text: str, *, balls: int | None) -> dict[str, Any] | None:  # Any: what JSON can hold
    kind, _, rest = text.partition(":")
    if kind == "arm":
        batch, _, arm = rest.partition(":")
        return {"kind": "batch_arm", "batch": int(batch), "arm": int(arm)}
    if kind == "sportballs":
        return {"kind": "sportballs", "n": balls or 1000}
    return {"kind": kind, "path": rest} if kind else None


def _feature_files() -> list[Any]:  # Any: as above
    here = reference_folder()
    names = Checkpoint.objects.filter(role=Checkpoint.Role.FEATURES).values_list("name", flat=True)
    registered = [(f"checkpoint:{name}", f"{name}, registered") for name in names]
    files = [(f"inception:{name}", f"Inception weights {name}") for name in _inside(here, endings=WEIGHTS)]
    models = [(f"model:{name}", f"Image model {name}") for name in _inside(here, folders=True, mark="config.json")]
    return registered + files + models


def _inside(folder: Path, *, endings: tuple[str, ...] = (), folders: bool = False, mark: str = "") -> list[str]:
    if not folder.is_dir():
        return []
    return sorted(
        path.name
        for path in folder.iterdir()
        if (folders and path.is_dir() and (path / mark).exists()) or (path.is_file() and path.suffix in endings)
    )
