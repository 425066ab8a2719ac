"""The forms behind long work that belongs to no batch."""

from typing import Any

from django import forms

from generation.checkpoint_files import registrable
from generation.intake import NAME_LENGTH


class RegistrationForm(forms.Form):
    """Which of the installation's weights to register, and under what name."""

    path = forms.ChoiceField(label="File or folder")
    name = forms.CharField(
        required=False, max_length=NAME_LENGTH, help_text="What it is called here. Empty: as the file is called."
    )

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.files_there = registrable()
        self.fields["path"].choices = [(path, path) for path in self.files_there]  # type: ignore[attr-defined]
