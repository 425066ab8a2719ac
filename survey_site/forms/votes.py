"""The form behind a vote; the API checks with the same one."""

from django import forms

from survey_site.models import Strength, Vote
from survey_site.votes import Sent, VoteDetails

DAY_MS = 24 * 60 * 60 * 1000


class VoteForm(forms.Form):
    """A choice, the time it took where a browser could measure it, and the sender's idempotency key."""

    choice = forms.ChoiceField(
        choices=Vote.Choice,
        error_messages={
            "required": "No answer came with this request. Choose left, same or right.",
            "invalid_choice": "“%(value)s” is not an answer. Choose left, same or right.",
        },
    )
    response_ms = forms.IntegerField(
        required=False,
        min_value=0,
        max_value=DAY_MS,
        error_messages=dict.fromkeys(
            ("invalid", "min_value", "max_value"),
            f"The response time must be a whole number of milliseconds from 0 to {DAY_MS} (a day), or left out.",
        ),
    )
    key = forms.UUIDField(required=False, error_messages={"invalid": "The key must be a UUID, or left out."})

    strength = forms.TypedChoiceField(choices=Strength, coerce=int, empty_value=None, required=False)
    reason = forms.CharField(required=False)
    hidden_ms = forms.IntegerField(required=False, min_value=0, max_value=DAY_MS)
    zoom_ms = forms.IntegerField(required=False, min_value=0, max_value=DAY_MS)
    pressed_with = forms.ChoiceField(choices=[("", ""), *Vote.Press.choices], required=False)
    takes_back = forms.BooleanField(required=False)

    @property
    def details(self) -> VoteDetails:
        """Return what came with the choice. Answers to further questions are fields named `others.KEY`."""
        said = self.cleaned_data
        return VoteDetails(
            strength=said["strength"],
            reason=said["reason"],
            hidden_ms=said["hidden_ms"],
            zoom_ms=said["zoom_ms"],
            pressed_with=said["pressed_with"],
            others=self._others(),
            takes_back=said["takes_back"],
        )

    @property
    def sent(self) -> Sent:
        """Return the vote as it was sent."""
        said = self.cleaned_data
        return Sent(said["choice"], said["response_ms"], said["key"], self.details)

    def _others(self) -> dict[str, str]:
        said = self.data.get("others", {})
        in_form = {name.removeprefix("others."): self.data[name] for name in self.data if name.startswith("others.")}
        return {**(said if isinstance(said, dict) else {}), **in_form}

    @property
    def complaint(self) -> str:
        """Return everything that is wrong, in sentences."""
        return " ".join(str(message) for messages in self.errors.values() for message in messages)
