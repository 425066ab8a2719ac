"""The forms behind a draft's analysis plan: its entries, the size that rho follows from, and a file."""

from collections.abc import Mapping
from typing import Any

from django import forms

from analysis.plan import InvalidPlan, Plan
from analysis.precision import Design
from analysis.rater_filters import FILTERS
from survey_site.plans import CORRECTIONS, HEADLINES, LONGEST_QUESTION, STOPPING_RULES

LARGEST_PLAN_FILE = 64 * 1024
IN_FAMILIES = ("arms", "classes")
IN_STOPPING = ("rule", "alpha", "first_look_after_raters", "rho", "looks", "planned_raters")


class PlanForm(forms.Form):
    """Every entry of a plan; the plan itself checks them, so that a page and a file have one rule."""

    question = forms.CharField(max_length=LONGEST_QUESTION, help_text="Asked above every pair.")
    headline = forms.ChoiceField(
        choices=[(member.value, words) for member, words in HEADLINES.items()],
        widget=forms.RadioSelect,
        help_text="The one test whose p-value is the study's answer.",
    )
    thresholds = forms.CharField(
        max_length=200, help_text="Of the threshold table, in per cent from 50 to below 100, with commas between them."
    )
    filters = forms.MultipleChoiceField(
        required=False,
        choices=[(name, f"{name}: {rule.sentence}") for name, rule in FILTERS.items()],
        widget=forms.CheckboxSelectMultiple,
        label="Raters to leave out",
        help_text="A rater whom any ticked rule flags is left out. Tick none to keep everybody; the results page "
        "shows what each rule would change either way.",
    )
    arms = forms.ChoiceField(
        choices=[(member.value, words) for member, words in CORRECTIONS.items()],
        widget=forms.RadioSelect,
        label="Differences between arms",
        help_text="How the p-values of all pairs of arms are corrected. Few, and claims: Holm is usual.",
    )
    classes = forms.ChoiceField(
        choices=[(member.value, words) for member, words in CORRECTIONS.items()],
        widget=forms.RadioSelect,
        label="Differences between classes",
        help_text="How the p-values of all classes are corrected. Many, to explore: Benjamini-Hochberg is usual.",
    )
    rule = forms.ChoiceField(
        choices=[(member.value, words) for member, words in STOPPING_RULES.items()],
        widget=forms.RadioSelect,
        label="When do you stop?",
        help_text="Who looks after every rater without such a rule, and stops when p is below 0.05, finds a difference "
        "that is not there in 9 to 24 of 100 studies.",
    )
    planned_raters = forms.IntegerField(required=False, help_text="How many raters you plan to ask.")
    alpha = forms.FloatField(label="Significance level", help_text="Over all looks together; 0.05 is usual.")
    first_look_after_raters = forms.IntegerField(
        label="First look after so many raters", help_text="With fewer the variance is not known; 10 is usual."
    )
    looks = forms.IntegerField(label="Planned looks", help_text="How many, evenly spaced over the planned raters.")
    rho = forms.FloatField(
        label="rho",
        help_text="Tunes the boundary to the size of the study: the information (1 / variance) that the planned votes "
        "bring, divided by 7.9. Any value is valid; a fitting one finds a difference sooner.",
    )

    @classmethod
    def of(cls, plan: Plan, data: Mapping[str, Any] | None = None) -> "PlanForm":
        """Return the form filled with a plan, and bound to what was sent, if anything was."""
        document = plan.as_json()
        tables = {**plan.as_json(), **_table(document, "families"), **_table(document, "stopping")}
        return cls(data, initial={**tables, "thresholds": ", ".join(plan.thresholds)})

    def clean(self) -> dict[str, Any]:
        """Read the plan; what it refuses is said at the field it is about."""
        cleaned = super().clean() or {}
        if not self.errors:
            try:
                cleaned["plan"] = Plan.of(self._document(cleaned))
            except InvalidPlan as error:
                field, sentence = _blamed(error)
                self.add_error(field if field in self.fields else None, sentence)
        return cleaned

    def _document(self, cleaned: dict[str, Any]) -> dict[str, object]:
        thresholds = [word.strip() for word in cleaned["thresholds"].replace("%", "").split(",")]
        plain = {name: cleaned[name] for name in ("question", "headline", "filters")}
        stopping = {name: cleaned[name] for name in IN_STOPPING if cleaned[name] is not None}
        families = {name: cleaned[name] for name in IN_FAMILIES}
        return {**plain, "thresholds": [t for t in thresholds if t], "families": families, "stopping": stopping}


class SizeForm(forms.Form):
    """The size that a study is planned for; `design` is what its information follows from."""

    planned_raters = forms.IntegerField(
        min_value=2,
        max_value=100_000,
        error_messages={"required": "Say how many raters you plan to ask; rho follows from their number."},
    )
    pairs = forms.IntegerField(
        min_value=2, max_value=1_000_000, label="Pairs for every two arms", help_text="Classes times seeds."
    )
    votes_per_pair = forms.IntegerField(
        required=False, min_value=1, max_value=100_000, help_text="Empty: every rater judges every pair."
    )

    @property
    def design(self) -> Design:
        """The planned design; for a valid form."""
        raters, pairs = self.cleaned_data["planned_raters"], self.cleaned_data["pairs"]
        each = min(self.cleaned_data["votes_per_pair"] or raters, raters)
        return Design(raters=raters, pairs=pairs, votes=pairs * each)


class PlanFileForm(forms.Form):
    """A plan as a TOML file."""

    file = forms.FileField(label="Plan as TOML", widget=forms.FileInput(attrs={"accept": ".toml"}))

    def clean_file(self) -> Plan:
        """Read the plan of the file."""
        file = self.cleaned_data["file"]
        if file.size > LARGEST_PLAN_FILE:
            raise forms.ValidationError(f"The file has {file.size} bytes; a plan has a few hundred. Choose the plan.")
        try:
            return Plan.from_toml(file.read().decode("utf-8-sig"))
        except UnicodeDecodeError as error:
            raise forms.ValidationError("The file is not UTF-8 text; save it as UTF-8.") from error
        except InvalidPlan as error:
            raise forms.ValidationError(f"{error}.") from error


def _table(document: Mapping[str, object], name: str) -> dict[str, object]:
    table = document[name]
    assert isinstance(table, dict)
    return table


def _blamed(error: InvalidPlan) -> tuple[str, str]:
    entry, _, sentence = str(error).partition(": ")
    return entry.rpartition(".")[2], f"{sentence[:1].upper()}{sentence[1:]}."
