"""The form with which a rater withdraws: the code, then one more press."""

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from survey_site.models import Rater, Study
from survey_site.voting.withdrawals import UnknownWithdrawalCode, rater_by_withdrawal_code

# Twelve letters, with room for what people put between them.
LONGEST = 60


class WithdrawalForm(forms.Form):
    """A withdrawal code as people type it. Valid, it knows the `rater`."""

    code = forms.CharField(
        label=gettext_lazy("Your withdrawal code"),
        max_length=LONGEST,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "none", "spellcheck": "false", "dir": "ltr"}
        ),
    )
    confirmed = forms.BooleanField(required=False, widget=forms.HiddenInput)

    rater: Rater

    def __init__(self, study: Study, data: dict[str, str] | None = None) -> None:
        super().__init__(data)
        self.study = study
        self.fields["code"].error_messages = {
            "required": _("Type the code that was shown to you, then press the button again."),
            "max_length": _("This is longer than a code. It has twelve letters and digits."),
        }

    def clean_code(self) -> str:
        """Find the rater."""
        code = str(self.cleaned_data["code"])
        try:
            self.rater = rater_by_withdrawal_code(self.study, code)
        except UnknownWithdrawalCode as error:
            raise forms.ValidationError(str(error)) from error
        return code
