"""The form behind one gold pair: two images by their keys, the right answer, why it is right."""

from typing import Any

from django import forms

from survey_site.design.designs import GoldPair

MOST = 1_000_000


class GoldPairForm(forms.Form):
    """Two images and the answer that is right; `pair` of a valid form is the gold pair."""

    image_a = forms.IntegerField(min_value=1, max_value=MOST, label="First image", help_text="Its class is the label.")
    image_b = forms.IntegerField(min_value=1, max_value=MOST, label="Second image")
    expected = forms.ChoiceField(
        choices=[("a", "The first image"), ("b", "The second image"), ("tie", "Same")],
        initial="a",
        widget=forms.RadioSelect,
        label="The right answer",
    )
    for_practice = forms.BooleanField(
        required=False,
        label="For practice",
        help_text="Shown before the first pair, with the right answer told. Otherwise it is an attention check.",
    )
    explanation = forms.CharField(
        required=False, max_length=300, label="Why", help_text="Told after practice, such as: the second is no ball."
    )

    @property
    def pair(self) -> GoldPair:
        """The gold pair; for a valid form."""
        return GoldPair(**self.cleaned_data)


class PicturesForm(forms.Form):
    """Which pictures to look at, and which two are taken so far; all of it stands in the address."""

    image_a = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    image_b = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    page = forms.IntegerField(required=False, min_value=1, max_value=MOST)
    label = forms.ChoiceField(required=False, label="Class")

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, classes: list[tuple[str, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        label = self.fields["label"]
        assert isinstance(label, forms.ChoiceField)
        label.choices = [("", "All classes"), *classes]

    def chosen(self, name: str) -> int | None:
        """Return a whole number of the address, None where it is missing or wrong."""
        self.is_valid()
        value: int | None = self.cleaned_data.get(name)
        return value
