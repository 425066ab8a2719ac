"""The form behind a vote; the API checks with the same one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.utils.translation import gettext_lazy as _

from survey_site.models import Strength, Vote
from survey_site.voting.votes import Sent, VoteDetails

if TYPE_CHECKING:
    # The stubs' name for what gettext_lazy returns.
    from django.utils.functional import _StrPromise

DAY_MS = 24 * 60 * 60 * 1000
OTHERS = "others."
NO_ANSWER = _("No answer came with this request. Choose left, same or right.")
NO_SUCH_ANSWER = _("“%(value)s” is not an answer. Choose left, same or right.")
NO_DURATION = _("A duration must be a whole number of milliseconds from 0 to 86400000 (a day), or left out.")
NO_TIME = _("The response time must be a whole number of milliseconds from 0 to 86400000 (a day), or left out.")


def _milliseconds(complaint: _StrPromise) -> forms.IntegerField:
    messages = dict.fromkeys(("invalid", "min_value", "max_value"), complaint)
    return forms.IntegerField(required=False, min_value=0, max_value=DAY_MS, error_messages=messages)


class VoteForm(forms.Form):
    """A choice, the time it took where a browser could measure it, and the sender's idempotency key.

    Answers to further questions are fields named `others.KEY`; a program may say `others` as one object.
    """

    choice = forms.ChoiceField(
        choices=Vote.Choice.choices, error_messages={"required": NO_ANSWER, "invalid_choice": NO_SUCH_ANSWER}
    )
    response_ms = _milliseconds(NO_TIME)
    hidden_ms = _milliseconds(NO_DURATION)
    zoom_ms = _milliseconds(NO_DURATION)
    key = forms.UUIDField(required=False, error_messages={"invalid": _("The key must be a UUID, or left out.")})
    strength = forms.TypedChoiceField(
        choices=Strength.choices,
        coerce=int,
        empty_value=None,
        required=False,
        error_messages={"invalid_choice": _("The strength must be 1 (slightly) or 2 (much), or left out.")},
    )
    reason = forms.CharField(required=False)
    pressed_with = forms.ChoiceField(
        choices=Vote.Press.choices,
        required=False,
        error_messages={"invalid_choice": _("What was pressed with is key, mouse, touch or pen, or left out.")},
    )
    takes_back = forms.BooleanField(required=False)

    def clean(self) -> dict[str, Any]:  # Any: what the fields make of the data
        """Gather the answers to further questions."""
        said = self.data.get("others") or {}
        named = {name.removeprefix(OTHERS): self.data[name] for name in self.data if name.startswith(OTHERS)}
        others = {**said, **named} if isinstance(said, dict) else {"": said}
        for answer in others.values():
            if answer not in list(Vote.Choice.values):
                self.add_error(None, NO_SUCH_ANSWER % {"value": answer})
        return {**self.cleaned_data, "others": others}

    @property
    def details(self) -> VoteDetails:
        """Return what came with the choice."""
        said = self.cleaned_data
        return VoteDetails(
            strength=said["strength"],
            reason=said["reason"],
            hidden_ms=said["hidden_ms"],
            zoom_ms=said["zoom_ms"],
            pressed_with=said["pressed_with"],
            others=said["others"],
            takes_back=said["takes_back"],
        )

    @property
    def sent(self) -> Sent:
        """Return the vote as it was sent."""
        said = self.cleaned_data
        return Sent(said["choice"], said["response_ms"], said["key"], self.details)

    @property
    def complaint(self) -> str:
        """Return everything that is wrong, in sentences."""
        return " ".join(str(message) for messages in self.errors.values() for message in messages)
