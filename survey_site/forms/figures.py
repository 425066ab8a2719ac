"""Forms of figures, made of what each kind of figure takes."""

from collections.abc import Callable, Mapping
from typing import Any

from django import forms

from generation.figure_kinds import FigureKind, Option, Shows, Takes
from generation.models import Batch, Checkpoint
from generation.sweeps import metrics_of
from survey_site.forms.checkpoints import facts_in_words
from survey_site.forms.numbers import NumbersField

# More classes than this are a list to scroll in, not boxes to tick.
MOST_BOXES = 30
MOST_BATCHES = 50
FieldArguments = dict[str, Any]  # Any: a form field's arguments have many types


class FigureForm(forms.Form):
    """What a figure is drawn of. Its fields are those that its kind takes."""

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, kind: FigureKind, batch: Batch | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Folders of the worker's machine are for commands only.
        for option in (option for option in kind.options if option.takes is not Takes.FOLDER):
            label_and_help = {"label": option.title, "help_text": option.help, "required": False}
            field = _FIELDS[option.takes](option, batch, label_and_help)
            if field is not None:
                self.fields[option.key] = field

    def options(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return what was chosen as the verb wants it; what was left empty stays out."""
        chosen = {name: self._value(name) for name in self.fields}
        return {name: value for name, value in chosen.items() if value not in (None, "", [])}

    def _value(self, name: str) -> Any:  # Any: as above
        value = self.cleaned_data[name]
        field = self.fields[name]
        if isinstance(field, forms.MultipleChoiceField):
            return [int(key) for key in value]
        if isinstance(field, KeyField):
            return int(value) if value else None
        return value


class KeyField(forms.ChoiceField):
    """One row to choose, by its key."""


def _arms(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field | None:
    if batch is None:
        return None
    choices = [(arm.pk, arm.name) for arm in batch.arms.all()]
    if option.takes is Takes.ARM:
        return KeyField(choices=[("", "The first"), *choices], **said)
    return forms.MultipleChoiceField(choices=choices, widget=forms.CheckboxSelectMultiple, **said)


def _classes(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    if batch is None:
        return NumbersField(**said)
    choices = [(int(index), label) for index, label in batch.class_table.items()]
    return _boxes_or_list(choices, said)


def _classifiers(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    rows = Checkpoint.objects.filter(role=Checkpoint.Role.CLASSIFIER)
    return _boxes_or_list([(row.pk, f"{row.name} ({facts_in_words(row)})") for row in rows], said)


def _batches(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    others = Batch.objects.exclude(pk=batch.pk) if batch else Batch.objects.all()
    return _boxes_or_list([(other.pk, other.name) for other in others[:MOST_BATCHES]], said)


def _boxes_or_list(choices: list[tuple[int, str]], said: FieldArguments) -> forms.Field:
    few = len(choices) <= MOST_BOXES
    widget = forms.CheckboxSelectMultiple if few else forms.SelectMultiple
    return forms.MultipleChoiceField(choices=choices, widget=widget, **said)


def _numbers(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    default = option.default if isinstance(option.default, list | tuple) else ()
    return NumbersField(initial=", ".join(map(str, default)), **said)


def _count(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    least, most = int(option.least), int(option.most)
    return forms.IntegerField(min_value=least, max_value=most, initial=option.default, **said)


def _number(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    # Steps are a number or nothing, but never a fraction.
    if option.key == "steps":
        return _count(option, batch, said)
    return forms.FloatField(min_value=option.least, max_value=option.most, initial=option.default, **said)


def _choice(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    left_out = {Shows.FOLDER.value} | ({Shows.BATCH.value} if batch is None else set())
    choices = [(choice, _CHOICES.get(choice, choice)) for choice in option.choices if choice not in left_out]
    return forms.ChoiceField(choices=choices, initial=option.default, **said)


def _text(option: Option, batch: Batch | None, said: FieldArguments) -> forms.Field:
    if option.key == "metric" and batch is not None:
        return forms.ChoiceField(choices=[(name, name) for name in metrics_of(batch)], **said)
    return forms.CharField(initial=option.default, **said)


_CHOICES = {Shows.BATCH.value: "Images of the batch", Shows.SPORTBALLS.value: "SportBalls, drawn anew"}
_FIELDS: Mapping[Takes, Callable[[Option, Batch | None, FieldArguments], forms.Field | None]] = {
    Takes.ARMS: _arms,
    Takes.ARM: _arms,
    Takes.CLASSES: _classes,
    Takes.SEEDS: _numbers,
    Takes.CLASSIFIERS: _classifiers,
    Takes.BATCHES: _batches,
    Takes.TIMESTEPS: _numbers,
    Takes.COUNT: _count,
    Takes.NUMBER: _number,
    Takes.CHOICE: _choice,
    Takes.TEXT: _text,
}
