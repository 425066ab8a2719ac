"""The form behind a new study."""

from typing import Any

from django import forms

from generation.models import Arm, Batch
from survey_site.models import DEFAULT_QUESTION, Study


class StudyForm(forms.ModelForm):  # type: ignore[type-arg]  # takes no parameter at run time
    """A title, a question, the batch to ask about, and how many votes are wanted."""

    batch = forms.ModelChoiceField(
        Batch.objects.none(), empty_label="Choose a batch", help_text="Its images are paired by class and seed."
    )
    arms = forms.ModelMultipleChoiceField(
        Arm.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Compare only these arms of the batch. Tick none to compare all of them.",
    )

    class Meta:
        model = Study
        fields = ("title", "question", "votes_wanted", "opens_when_ready")
        help_texts = {  # noqa: RUF012 - a Django form's Meta is never changed
            "title": "For you and your colleagues; raters do not see it.",
            "question": "Asked above every pair.",
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = (Batch.Status.QUEUED, Batch.Status.RUNNING, Batch.Status.COMPLETE)
        batches = Batch.objects.exclude(source=Batch.Source.IMPORTED).filter(status__in=usable)
        self._field("batch").queryset = batches
        self._field("arms").queryset = Arm.objects.filter(batches__in=batches).distinct()
        self.fields["question"].initial = DEFAULT_QUESTION

    def clean(self) -> dict[str, Any]:
        """Refuse arms of another batch and fewer than two."""
        cleaned = super().clean() or {}
        batch, arms = cleaned.get("batch"), cleaned.get("arms")
        if batch is None:
            return cleaned
        cleaned["arms"] = list(arms or batch.arms.all())
        foreign = [arm.name for arm in cleaned["arms"] if not batch.arms.contains(arm)]
        if foreign:
            self.add_error("arms", f"{', '.join(foreign)} is not an arm of {batch}; choose arms of this batch.")
        elif len(cleaned["arms"]) < 2:
            self.add_error("arms", "A comparison needs two arms; tick another one, or none to compare all.")
        return cleaned

    def _field(self, name: str) -> "forms.ModelChoiceField[Any]":
        field = self.fields[name]
        assert isinstance(field, forms.ModelChoiceField)
        return field
