"""The repeated parts of a design as rows of forms: questions of the questionnaire, further questions, endings."""

import re
from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.text import slugify

from survey_site.design.designs import ADDRESS, CODE, KEY, PATTERNS, PREFERENCE, Item, Question
from survey_site.forms.option_lines import InvalidOptions, option_lines, read_options

EXAMPLE = "18 or older\nunder 18 | screens out\nrather not say | at most 20"
is_key = RegexValidator(KEY, f"It {PATTERNS[KEY]}.")


class QuestionForm(forms.Form):
    """One further question about each pair. A row without a text is no question."""

    text = forms.CharField(required=False, max_length=300, label="Question")
    key = forms.CharField(
        required=False, validators=[is_key], label="Name in exports", help_text="Empty: made from the question."
    )

    def row(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return the row as a design writes it. For a valid row with a text."""
        return {"text": self.cleaned_data["text"], "key": self.cleaned_data["key"]}

    @property
    def is_there(self) -> bool:
        """Tell whether a valid row says anything and is not to be removed."""
        return bool(self.cleaned_data.get("text")) and not self.cleaned_data.get("DELETE")


class ItemForm(QuestionForm):
    """One question of the questionnaire."""

    options = forms.CharField(
        required=False,
        label="Options, one a line",
        widget=forms.Textarea(attrs={"rows": 4, "placeholder": EXAMPLE}),
        help_text="After a bar: screens out, or at most 50. Without options raters type a line.",
    )
    required = forms.BooleanField(required=False, initial=True, label="Must be answered")
    field_order = ("text", "options", "key", "required")

    def clean(self) -> dict[str, Any]:
        """Read the options; options without a question are a question forgotten."""
        cleaned = super().clean() or {}
        if cleaned.get("options") and not cleaned.get("text") and not cleaned.get("DELETE"):
            self.add_error("text", "What is asked? Type the question to these options, or empty them.")
        try:
            cleaned["read_options"] = read_options(cleaned.get("options") or "")
        except InvalidOptions as error:
            self.add_error("options", str(error))
        return cleaned

    def row(self) -> dict[str, Any]:
        """Return the row as a design writes it."""
        options = self.cleaned_data["read_options"]
        return {**super().row(), "options": options, "required": self.cleaned_data["required"]}


class EndingForm(forms.Form):
    """What raters with one outcome are given at the end."""

    code = forms.CharField(required=False, validators=[RegexValidator(CODE, f"It {PATTERNS[CODE]}.")], label="Code")
    url = forms.CharField(
        required=False,
        max_length=500,
        validators=[RegexValidator(ADDRESS, f"It {PATTERNS[ADDRESS]}.")],
        label="Address to go on to",
    )


class DistinctRows(forms.BaseFormSet):  # type: ignore[type-arg]  # takes no parameter at run time
    """Rows of which no two have the same name in exports."""

    taken: tuple[str, ...] = ()

    # Django hands over a form and its number, and the number may be missing.
    def add_fields(self, form: forms.Form, index: int | None) -> None:
        """Call the mark that removes a row by what it does."""
        super().add_fields(form, index)
        form.fields["DELETE"].label = "Remove this question"

    def clean(self) -> None:
        """Say it at the later of two rows with one name."""
        seen = set(self.taken)
        for form in self.forms:
            key = form.cleaned_data.get("key") if form.is_valid() and form.is_there else ""
            if key and key in seen:
                form.add_error("key", "Another question has this name; change one, or leave it empty.")
            seen.add(key or "")


class DistinctQuestions(DistinctRows):
    """Further questions; the first question's name is taken."""

    taken = (PREFERENCE,)


ItemFormSet = forms.formset_factory(
    ItemForm, formset=DistinctRows, extra=2, max_num=30, absolute_max=60, can_delete=True
)
QuestionFormSet = forms.formset_factory(
    QuestionForm, formset=DistinctQuestions, extra=1, max_num=5, absolute_max=20, can_delete=True
)


def item_rows(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Return questions of the questionnaire as their rows begin."""
    return [
        {"text": item.text, "key": item.key, "options": option_lines(item.options), "required": item.required}
        for item in items
    ]


def question_rows(questions: Sequence[Question]) -> list[dict[str, Any]]:
    """Return further questions as their rows begin."""
    return [{"text": question.text, "key": question.key} for question in questions]


def with_keys(rows: Sequence[dict[str, Any]], *, taken: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Return the rows with a key each: their own, or one made from the text that no other row has."""
    keys = [*taken, *(row["key"] for row in rows if row["key"])]
    named = []
    for number, row in enumerate(rows, start=1):
        key = row["key"]
        if not key:
            key = _free(_key_of(row["text"]) or f"question_{number}", taken=keys)
            keys.append(key)
        named.append({**row, "key": key})
    return named


def _key_of(text: str) -> str:
    words = slugify(text).replace("-", "_")
    return re.sub(r"^[^a-z]+", "", words)[:24].strip("_")


def _free(key: str, *, taken: Sequence[str]) -> str:
    return next(name for name in (key, *(f"{key}_{n}" for n in range(2, len(taken) + 3))) if name not in taken)
