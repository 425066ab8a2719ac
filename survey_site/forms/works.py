"""The forms behind long work that belongs to no batch."""

from typing import Any

from django import forms

from generation.checkpoint_files import registrable
from generation.diffusion.plans import Attack
from generation.intake import NAME_LENGTH
from generation.models import Checkpoint

TOLD = (
    "noise_trained",
    "adversarial",
    "image_size",
    "schedule",
    "timesteps",
    "heads",
    "head_width",
    "attention_order",
    "null_class",
    "prompt",
)


class RegistrationForm(forms.Form):
    """Which of the installation's weights to register, and under what name."""

    path = forms.ChoiceField(label="File or folder")
    name = forms.CharField(
        required=False, max_length=NAME_LENGTH, help_text="What it is called here. Empty: as the file is called."
    )

    role = forms.ChoiceField(
        choices=[("", "Whatever it is"), *Checkpoint.Role.choices],
        required=False,
        help_text="Anything else is refused.",
    )
    labels = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Class labels",
        help_text="One a line, class 0 first. Published state dicts have none: empty means class 0, class 1, ...",
    )
    labels_from = forms.ModelChoiceField(
        Checkpoint.objects.exclude(class_labels=[]),
        required=False,
        label="Or the labels of",
        empty_label="No other checkpoint",
    )
    noise_trained = forms.NullBooleanField(
        required=False,
        label="Trained on noised images",
        help_text="Of a classifier. Unknown: as published files of its shape were.",
    )
    adversarial = forms.CharField(
        required=False,
        label="Adversarial training",
        help_text="NORM:EPS:STEPS:STEP, such as l2:0.5:7:0.083 for the robust classifier of Kawar et al.",
    )
    image_size = forms.IntegerField(required=False, min_value=1, label="Image size, px")
    schedule = forms.CharField(required=False, help_text="linear or cosine, where the weights don't tell.")
    timesteps = forms.IntegerField(required=False, min_value=1, help_text="The length of the chain, mostly 1000.")
    heads = forms.IntegerField(required=False, min_value=1, label="Attention heads at every level")
    head_width = forms.IntegerField(required=False, min_value=1, label="Or channels of a head")
    attention_order = forms.ChoiceField(
        choices=[("", "As recognised"), ("legacy", "Legacy"), ("new", "New")],
        required=False,
        label="Order of queries, keys and values",
    )
    null_class = forms.IntegerField(required=False, min_value=0, label="Class for 'no class'")
    prompt = forms.CharField(required=False, help_text="The sentence that CLIP reads a label in, with {} in its place.")

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.files_there = registrable()
        self.fields["path"].choices = [(path, path) for path in self.files_there]  # type: ignore[attr-defined]

    def clean_adversarial(self) -> dict[str, str | float | int] | None:
        """Read the attack."""
        text = str(self.cleaned_data["adversarial"]).strip()
        try:
            return Attack.parse(text).facts() if text else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error

    def clean_labels(self) -> list[str]:
        """Read the labels, one a line."""
        lines = [line.strip() for line in str(self.cleaned_data["labels"]).strip().splitlines()]
        if "" in lines:
            raise forms.ValidationError(f"Line {lines.index('') + 1} is empty; write one label a line.")
        return lines

    def said(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return what is said of the weights, as the verb wants it."""
        data = self.cleaned_data
        other = data["labels_from"]
        labels = data["labels"] or (list(other.class_labels) if other else [])
        told = {"class_labels": labels, **{name: data[name] for name in TOLD}}
        return {name: value for name, value in told.items() if value not in (None, "", [])}
