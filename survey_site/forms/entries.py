"""The forms of an open study's doors: invitations, the platform's secret, another version of the consent text."""

from django import forms

from survey_site.entrance.invitations import LONGEST_NOTE, MOST_AT_ONCE, notes_in


class InvitationsForm(forms.Form):
    """How many codes, and whom they are for."""

    n = forms.IntegerField(required=False, min_value=1, max_value=MOST_AT_ONCE, label="How many")
    notes = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
        label="Notes",
        help_text="One a line, such as the row of a list; the first codes get them. Raters never see them. With notes "
        "and no number, each note gets a code.",
    )

    def clean_notes(self) -> list[str]:
        """Read the notes, one a line."""
        notes = notes_in(self.cleaned_data["notes"])
        for number, note in enumerate(notes, start=1):
            if len(note) > LONGEST_NOTE:
                raise forms.ValidationError(f"Note {number} has {len(note)} characters; {LONGEST_NOTE} are kept.")
        return notes

    def clean(self) -> dict[str, object]:
        """Ask for a number or notes."""
        cleaned = super().clean() or {}
        if "n" in cleaned and "notes" in cleaned:
            cleaned["n"] = cleaned["n"] or len(cleaned["notes"])
            if not cleaned["n"]:
                self.add_error("n", "Say how many invitations to make.")
        return cleaned


class PlatformSecretForm(forms.Form):
    """The secret that signs what the platform sends; written and never shown."""

    secret = forms.CharField(
        required=False,
        max_length=200,
        label="Secret of the platform's messages",
        # Never filled in again: who looks over a shoulder, or at the page's source, finds nothing.
        widget=forms.PasswordInput(attrs={"autocomplete": "off"}),
        help_text="The platform shows it where its messages (webhooks) are set up. Saved empty, none is kept.",
    )


class ConsentForm(forms.Form):
    """Another version of the consent text."""

    text = forms.CharField(
        max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 10}),
        label="New text",
        error_messages={"required": "Write what raters are to agree to."},
    )
