"""The forms before the first pair: yes or no to the consent text, and the study's questionnaire."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from survey_site.design.designs import Item

# More than these are no longer taken in at a glance: they go into a list that opens.
MOST_RADIO_BUTTONS = 8
LONGEST_ANSWER = 300
# What people write, and lists of a researcher's words, read in their own direction on a page of any.
OWN_DIRECTION = {"dir": "auto"}


class ConsentForm(forms.Form):
    """Yes or no, and the version of the text that was read."""

    agrees = forms.TypedChoiceField(
        choices=(("yes", "yes"), ("no", "no")),
        coerce=lambda said: said == "yes",
        error_messages=dict.fromkeys(("required", "invalid_choice"), gettext_lazy("Please choose one of the two.")),
    )
    version = forms.IntegerField(
        error_messages=dict.fromkeys(("required", "invalid"), gettext_lazy("Please read the text again."))
    )

    @property
    def complaint(self) -> str:
        """Return everything that is wrong, in sentences."""
        return " ".join(str(message) for messages in self.errors.values() for message in messages)


class QuestionnaireForm(forms.Form):
    """The study's questions about the rater, one field an item."""

    # A study may call an item like a field of the page's own.
    prefix = "answer"

    def __init__(self, *args: Any, items: Sequence[Item], **options: Any) -> None:  # Any: what Django's form takes
        super().__init__(*args, **options)
        self.items = items
        for item in items:
            self.fields[item.key] = _field(item)

    @property
    def answers(self) -> dict[str, str]:
        """Return the answers by the items' keys; of a valid form."""
        return {item.key: self.cleaned_data[item.key] for item in self.items}


def _field(item: Item) -> forms.Field:
    label = item.text if item.required else _("{question} (optional)").format(question=item.text)
    if not item.options:
        required = {"required": _("Please answer this question.")}
        return forms.CharField(
            label=label,
            required=item.required,
            max_length=LONGEST_ANSWER,
            error_messages=required,
            label_suffix="",
            widget=forms.TextInput(attrs=OWN_DIRECTION),
        )
    chosen = [(option.text, option.text) for option in item.options]
    is_long = len(chosen) > MOST_RADIO_BUTTONS
    if is_long or not item.required:
        chosen.insert(0, ("", _("Please choose") if item.required else _("No answer")))
    return forms.ChoiceField(
        label=label,
        required=item.required,
        choices=chosen,
        widget=forms.Select(attrs=OWN_DIRECTION) if is_long else forms.RadioSelect,
        error_messages=dict.fromkeys(("required", "invalid_choice"), _("Please choose one of the answers.")),
        label_suffix="",
    )
