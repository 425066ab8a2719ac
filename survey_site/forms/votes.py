"""The form behind a vote; the API checks with the same one."""

from django import forms

from survey_site.models import Vote

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

    @property
    def complaint(self) -> str:
        """Return everything that is wrong, in sentences."""
        return " ".join(str(message) for messages in self.errors.values() for message in messages)
