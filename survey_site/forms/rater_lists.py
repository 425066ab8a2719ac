"""Which raters to list, as the address says it."""

from django import forms


class RatersForm(forms.Form):
    """All raters or the flagged ones, and which page; what cannot be read is as if it were not there."""

    flagged = forms.BooleanField(required=False)
    page_number = forms.IntegerField(required=False, min_value=1, max_value=1_000_000)

    @property
    def only_flagged(self) -> bool:
        """Tell whether only flagged raters are asked for."""
        self.is_valid()
        return bool(self.cleaned_data.get("flagged"))

    @property
    def page(self) -> int:
        """The page, from 1."""
        self.is_valid()
        return self.cleaned_data.get("page_number") or 1
