"""The forms behind a new batch and an upload."""

from typing import Any, BinaryIO, cast

from django import forms
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Model

from generation.arms import recipe_of
from generation.batches import DEFAULT_STEPS, PAIRS_PER_CHUNK
from generation.diffusion.recipes import InvalidRecipe
from generation.models import Arm, Batch, Checkpoint
from generation.uploads import Upload
from survey_site.forms.arms import recipe_of_row
from survey_site.forms.methods import method_choices


class ArmsField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes no parameter at run time
    """Arms to tick, each with what it is: names alone may repeat."""

    widget = forms.CheckboxSelectMultiple

    def label_from_instance(self, obj: Model) -> str:
        """Name an arm and how it makes its images."""
        assert isinstance(obj, Arm)
        guide = f"{obj.classifier}: " if obj.classifier else ""
        return f"{obj.name} ({obj.denoiser}; {guide}{recipe_of(obj).describe()})"


class BatchForm(forms.Form):
    """What to make: classes, pairs, steps, and which of the known arms."""

    name = forms.CharField(max_length=100)
    arms = ArmsField(Arm.objects.none(), required=False, label="Arms you have")
    classes = forms.CharField(
        required=False,
        help_text="Numbers or names with commas between them, such as 0, 3, 5-9. "
        "0+3 asks for two classes in one image. Empty: all there are, one by one.",
    )
    seeds_per_class = forms.IntegerField(min_value=1, initial=10, label="Pairs per class")
    steps = forms.IntegerField(min_value=1, initial=DEFAULT_STEPS, label="Sampling steps")
    precision = forms.ChoiceField(
        choices=Batch.Precision.choices,
        required=False,
        help_text="bfloat16 is quicker on GPUs and recent CPUs, and changes pixels a little. All arms share it.",
    )
    first_seed = forms.IntegerField(min_value=0, initial=0, help_text="Another first seed makes other images.")
    pairs_per_chunk = forms.IntegerField(
        min_value=1,
        max_value=256,
        initial=PAIRS_PER_CHUNK,
        label="Pairs at once",
        help_text="All arms of so many pairs go through the network together. Less memory: fewer.",
    )

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        known = Arm.objects.filter(source=Arm.Source.GENERATED).select_related("denoiser", "classifier")
        cast(ArmsField, self.fields["arms"]).queryset = known


def _methods() -> list[Any]:  # Any: Django takes choices and groups of them
    return [("", "Plain guidance"), *method_choices()]


class NewArmForm(forms.Form):
    """An arm to make on the way; left as it is, none."""

    name = forms.CharField(max_length=60)
    denoiser = forms.ModelChoiceField(Checkpoint.objects.filter(role=Checkpoint.Role.DENOISER))
    classifier = forms.ModelChoiceField(
        Checkpoint.objects.filter(role=Checkpoint.Role.CLASSIFIER),
        required=False,
        empty_label="No guidance",
        label="Guided by",
    )
    preset = forms.ChoiceField(choices=_methods, required=False, label="Method")
    scale = forms.FloatField(required=False, min_value=0, label="Scale", help_text="Empty: the method's own.")

    def clean(self) -> dict[str, Any]:
        """Make the recipe of the method and the scale."""
        data = self.cleaned_data
        if not self.errors and data.get("name"):
            try:
                data["recipe"] = recipe_of_row(
                    preset=data["preset"], scale=data["scale"], guided=data["classifier"] is not None
                )
            except InvalidRecipe as error:
                self.add_error("scale", str(error))
        return data


NewArmFormSet = forms.formset_factory(NewArmForm, extra=2, max_num=8)


class FilesInput(forms.ClearableFileInput):
    """A file input for several files at once."""

    allow_multiple_selected = True


class FilesField(forms.FileField):
    """Several files; clean returns the list."""

    widget = FilesInput

    def clean(self, data: Any, initial: Any = None) -> "list[UploadedFile[Any]]":
        """Clean file by file."""
        files = data if isinstance(data, list) else [data]
        return [cast("UploadedFile[Any]", super(FilesField, self).clean(file, initial)) for file in files]


class UploadForm(forms.Form):
    """Images made elsewhere."""

    name = forms.CharField(max_length=100)
    images = FilesField(
        label="Files",
        help_text="One .zip, or one .npz an arm, named after its arm. Drop them here, or click to choose.",
    )
    arms = forms.CharField(
        required=False,
        label="Arms to expect",
        help_text="Optional, with commas between them. An image of any other arm is then refused.",
    )
    class_texts = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Class names",
        help_text="For .npz only: the texts of labels 0, 1, 2, ..., one a line. Empty: class 0, class 1, ...",
    )

    def uploads(self) -> list[Upload]:
        """Return the files as the verb wants them."""
        files: list[UploadedFile[Any]] = self.cleaned_data["images"]
        return [Upload(file.name or "upload", cast(BinaryIO, file.file)) for file in files]

    def expected_arms(self) -> list[str]:
        """Return the names of the arms the researcher expects."""
        return [name.strip() for name in self.cleaned_data["arms"].split(",") if name.strip()]
