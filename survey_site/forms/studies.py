"""The form behind a new study."""

from typing import Any

from django import forms
from django.db.models import Model

from generation.models import Arm, Batch
from survey_site.models import DEFAULT_QUESTION

# Past this a comparison's vote count says nothing that a smaller one does not.
MOST_VOTES = 10_000


class ArmsOfBatchesField(forms.ModelMultipleChoiceField):  # type: ignore[type-arg]  # takes no parameter at run time
    """Arms of several batches, which may bear the same names: each says where it is from."""

    def label_from_instance(self, obj: Model) -> str:
        """Name the arm and its batches."""
        assert isinstance(obj, Arm)
        return f"{obj.name} ({', '.join(batch.name for batch in obj.batches.all())})"


class StudyForm(forms.Form):
    """A title, a question, the batch to ask about, and how many votes are wanted."""

    title = forms.CharField(max_length=120, help_text="For you and your colleagues; raters do not see it.")
    question = forms.CharField(max_length=300, initial=DEFAULT_QUESTION, help_text="Asked above every pair.")
    batch = forms.ModelChoiceField(
        Batch.objects.none(), empty_label="Choose a batch", help_text="Its images are paired by class and seed."
    )
    arms = ArmsOfBatchesField(
        Arm.objects.none(),
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text="Compare only these arms of the batch. Tick none to compare all of them.",
    )
    votes_wanted = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=MOST_VOTES,
        label="Votes per comparison",
        help_text="Leave empty to let every rater see every comparison.",
    )
    opens_when_ready = forms.BooleanField(required=False, help_text="Open by itself when all images are there.")

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        usable = (Batch.Status.QUEUED, Batch.Status.RUNNING, Batch.Status.COMPLETE)
        batches = Batch.objects.exclude(source=Batch.Source.IMPORTED).filter(status__in=usable)
        self._field("batch").queryset = batches
        self._field("arms").queryset = Arm.objects.filter(batches__in=batches).distinct().prefetch_related("batches")

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
