"""The forms behind a draft's design: all its sections together, a file, another study to copy from."""

from collections.abc import Mapping
from typing import Any

from django import forms

from survey_site.design.design_files import read_design
from survey_site.design.design_sentences import Problem
from survey_site.design.designs import PREFERENCE, Design, InvalidDesign
from survey_site.drafts.design_words import OUTCOMES, counted
from survey_site.forms.design_rows import (
    EndingForm,
    ItemFormSet,
    QuestionFormSet,
    item_rows,
    question_rows,
    with_keys,
)
from survey_site.forms.design_sections import ChecksForm, EntryForm, OrderForm, PageForm, SectionForm, WelcomeForm
from survey_site.models import Study


class DesignForms:
    """Every setting of a design, section by section; the design itself checks the whole, so that page and file agree.

    Gold pairs are chosen on a page of their own: they stay as they are stored.
    """

    def __init__(self, study: Study, data: Mapping[str, Any] | None = None) -> None:
        design = study.how
        arms = sorted(study.arms.values_list("name", flat=True))
        stored = design.as_json()
        self.gold = stored["checks"]["gold"]
        self.entry = EntryForm(data, prefix="entry", initial=stored["entry"])
        self.welcome = WelcomeForm(data, prefix="welcome", initial=stored["welcome"])
        order = {**stored["order"], "votes_wanted": study.votes_wanted}
        self.order = OrderForm(data, prefix="order", initial=order, arms=arms)
        self.checks = ChecksForm(data, prefix="checks", initial=stored["checks"])
        self.page = PageForm(data, prefix="page", initial=stored["page"])
        self.endings = {
            outcome: EndingForm(data, prefix=f"ending-{outcome}", initial=stored["entry"]["endings"].get(outcome))
            for outcome in OUTCOMES
        }
        self.items = ItemFormSet(data, prefix="items", initial=item_rows(design.welcome.questionnaire))
        self.questions = QuestionFormSet(data, prefix="questions", initial=question_rows(design.page.questions))
        self.design: Design | None = None if data is not None else design
        """What was read: as stored, or as sent once `is_valid` said so; None for what cannot be read."""
        self.votes_wanted = study.votes_wanted

    @property
    def sections(self) -> dict[str, SectionForm]:
        """The five sections by their names in the design."""
        return {
            "entry": self.entry,
            "welcome": self.welcome,
            "order": self.order,
            "checks": self.checks,
            "page": self.page,
        }

    @property
    def named_endings(self) -> list[tuple[str, EndingForm]]:
        """The endings with the outcomes' names for reading."""
        return [(OUTCOMES[outcome], form) for outcome, form in self.endings.items()]

    def is_valid(self) -> bool:
        """Read the design; what it refuses is said at the field it is about."""
        parts: list[Any] = [*self.sections.values(), *self.endings.values(), self.items, self.questions]
        # Every part is looked at, not only those up to the first with an error.
        if False in {part.is_valid() for part in parts} or not self._has_room_for_practice():
            return False
        try:
            self.design = Design.of(self._document())
        except InvalidDesign as error:
            self._blame(error.problem)
            return False
        self.votes_wanted = self.order.cleaned_data["votes_wanted"]
        return True

    @property
    def faulty(self) -> set[str]:
        """The names of the sections with something to correct."""
        # Forms' errors and lists of them: all that is asked is whether there are any.
        further: dict[str, Any] = {
            "entry": [form.errors for form in self.endings.values()],
            "welcome": [*self.items.errors, self.items.non_form_errors()],
            "page": [*self.questions.errors, self.questions.non_form_errors()],
        }
        return {name for name, form in self.sections.items() if form.errors or any(further.get(name, []))}

    @property
    def has_endings(self) -> bool:
        """Tell whether any code or address is set, or is to be corrected."""
        return any(form.errors or form["code"].value() or form["url"].value() for form in self.endings.values())

    @property
    def n_for_practice(self) -> int:
        """How many of the gold pairs are for practice."""
        return sum(pair["for_practice"] for pair in self.gold)

    def _document(self) -> dict[str, Any]:
        document = {name: section.document() for name, section in self.sections.items()}
        endings = {outcome.value: form.cleaned_data for outcome, form in self.endings.items()}
        document["entry"]["endings"] = {name: said for name, said in endings.items() if any(said.values())}
        document["welcome"]["questionnaire"] = with_keys([form.row() for form in self._rows(self.items)])
        rows = [form.row() for form in self._rows(self.questions)]
        document["page"]["questions"] = with_keys(rows, taken=[PREFERENCE])
        document["checks"]["gold"] = self.gold
        return document

    def _has_room_for_practice(self) -> bool:
        n, chosen = self.welcome.cleaned_data["practice"] or 0, self.n_for_practice
        if n < chosen:
            pairs = f"{counted(chosen, 'gold pair')} {'is' if chosen == 1 else 'are'} chosen for practice"
            self.welcome.add_error("practice", f"{pairs}: ask for as many, or more.")
        return n >= chosen

    # Formsets have no type of their own at run time.
    def _rows(self, formset: Any) -> list[Any]:
        return [form for form in formset if form.is_there]

    def _blame(self, problem: Problem) -> None:
        """Put a sentence at the field that it is about, or at the top of its section or row."""
        form, name = self._place(problem)
        sentence = f"{problem.sentence[:1].upper()}{problem.sentence[1:]}."
        form.add_error(name if name in form.fields else None, sentence)

    def _place(self, problem: Problem) -> tuple[forms.Form, str]:
        section, setting, *rest = [str(part) for part in problem.where] + ["", ""]
        rows = {"questionnaire": self.items, "questions": self.questions}.get(setting)
        if rows is not None and rest[0].isdigit():
            return self._rows(rows)[int(rest[0])], rest[1] if len(rest) > 1 and rest[1] else "options"
        if setting == "endings" and rest[0]:
            return next(form for outcome, form in self.endings.items() if outcome == rest[0]), rest[1]
        return self.sections.get(section, self.welcome), setting


class DesignFileForm(forms.Form):
    """A design as a TOML or JSON file."""

    file = forms.FileField(label="Design as a file", widget=forms.FileInput(attrs={"accept": ".toml,.json"}))

    def clean_file(self) -> Design:
        """Read the design of the file."""
        file = self.cleaned_data["file"]
        try:
            return read_design(file.read(), name=file.name)
        except InvalidDesign as error:
            raise forms.ValidationError(f"{error}.") from error


class CopyForm(forms.Form):
    """Another study whose design is taken over."""

    source = forms.ModelChoiceField(Study.objects.all(), empty_label="Choose a study", label="Another study")
