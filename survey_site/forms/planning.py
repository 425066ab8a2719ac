"""The form behind the planning page: a wish in points and per cent, and where the variances come from."""

import shlex
from collections.abc import Iterator
from typing import Any, cast

from django import forms

from analysis.precision import PAPER_LIKE, Components
from analysis.records import Unavailable
from analysis.wishes import InvalidDesign, Purpose, Wish, Workload
from survey_site.models import Study
from survey_site.pilots import components_of_study, possible_pilots

# Where the field of an entry is called differently.
FIELD_OF = {"workload": "judged", "same_share": "same"}
IN_PER_CENT = ("power", "alpha", "same")
PURPOSES = {
    Purpose.MEAN: "The mean",
    Purpose.TABLE: "Threshold table too",
}
USUAL = {"difference": "8", "power": "80", "alpha": "5", "pairs": "200", "purpose": Purpose.MEAN.value}


class NumberField(forms.FloatField):
    """A number that complains with what was typed and what to type instead."""

    # Django's field takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *, example: str, **kwargs: Any) -> None:
        sentence = f"This is no number; write one such as {example}."
        errors = {"invalid": sentence, "required": f"Give a number such as {example}."}
        super().__init__(widget=forms.TextInput({"inputmode": "decimal"}), error_messages=errors, **kwargs)


class WholeNumberField(forms.IntegerField):
    """A whole number that complains likewise."""

    # As above.
    def __init__(self, *, example: str, **kwargs: Any) -> None:
        sentence = f"This is no whole number; write one such as {example}."
        errors = {"invalid": sentence, "required": f"Give a whole number such as {example}."}
        super().__init__(widget=forms.TextInput({"inputmode": "numeric"}), error_messages=errors, **kwargs)


class PlanningForm(forms.Form):
    """What is wanted of the next study. Sent by GET, so that an answer has an address; what is left out is usual."""

    difference = NumberField(
        example="8", label="Difference, points", help_text="To find. 44 % against 36 % of the votes are 8 points."
    )
    power = NumberField(example="80", label="Power, %", help_text="How surely it is to be found.")
    alpha = NumberField(example="5", label="Level, %", help_text="Of significance, two-sided.")
    pairs = WholeNumberField(example="200", label="Pairs", help_text="Of two arms; with more arms, of each two.")
    raters = WholeNumberField(example="25", required=False, label="Raters", help_text="Empty: how many are needed?")
    judged = forms.CharField(
        required=False,
        max_length=20,
        label="Pairs a rater judges",
        help_text="A number or a share such as 50 %. Empty: all.",
    )
    same = NumberField(
        example="27",
        required=False,
        label="Same, %",
        help_text="Of all votes, for the threshold table. Empty: as in the source.",
    )
    purpose = forms.ChoiceField(
        choices=[(purpose.value, words) for purpose, words in PURPOSES.items()], label="Purpose"
    )
    pilot = forms.ChoiceField(
        required=False,
        label="Variances from",
        help_text="Your own pilot knows your images and raters better than the defaults.",
        error_messages={"invalid_choice": "“%(value)s” is no study with votes; choose one of the list."},
    )

    def __init__(self, sent: dict[str, str]) -> None:
        super().__init__({**USUAL, **sent})
        self.components: Components = PAPER_LIKE
        self.wish: Wish | None = None
        pilots = [(study.slug, _name(study)) for study in possible_pilots()]
        cast(forms.ChoiceField, self.fields["pilot"]).choices = [("", "Defaults: as in the main paper"), *pilots]

    def clean(self) -> dict[str, Any]:
        """Make the wish and fetch the components, each refusal at its field."""
        cleaned = super().clean() or {}
        self._make_wish(cleaned)
        if cleaned.get("pilot"):
            self._learn_from(Study.objects.get(slug=cleaned["pilot"]))
        return cleaned

    @property
    def command(self) -> str:
        """The command line that gives the same answer."""
        given = {name: _plain(value) for name, value in self.cleaned_data.items() if value not in (None, "")}
        for name in IN_PER_CENT:
            given |= {name: f"{given[name]}%"} if name in given else {}
        table = ["--table"] if given.pop("purpose") == Purpose.TABLE else []
        return shlex.join(["manage.py", "plan_study", *_options(given), *table])

    def _make_wish(self, cleaned: dict[str, Any]) -> None:
        """Make the wish; an entry that is refused is named and left out, so that all complaints come at once."""
        while True:
            try:
                self.wish = _wish(cleaned)
                return
            except InvalidDesign as error:
                # add_error takes the entry out of the cleaned ones: each round has one entry less.
                self.add_error(FIELD_OF.get(error.entry, error.entry), str(error))

    def _learn_from(self, study: Study) -> None:
        components = components_of_study(study)
        if isinstance(components, Unavailable):
            self.add_error("pilot", f"This study cannot be the pilot: {components.detail}.")
        else:
            self.components = components


def _wish(cleaned: dict[str, Any]) -> Wish:
    """Return the wish of the entries that are there; others are usual."""
    usual = Wish()
    shares = {name: cleaned[name] / 100 for name in ("difference", *IN_PER_CENT) if cleaned.get(name) is not None}
    return Wish(
        difference=shares.get("difference", usual.difference),
        power=shares.get("power", usual.power),
        alpha=shares.get("alpha", usual.alpha),
        pairs=cleaned.get("pairs", usual.pairs),
        raters=cleaned.get("raters"),
        workload=Workload.read(cleaned.get("judged", "")),
        same_share=shares.get("same"),
        purpose=Purpose(cleaned.get("purpose", usual.purpose)),
    )


def _name(study: Study) -> str:
    votes = study.n_votes  # type: ignore[attr-defined]  # annotated
    return f"{study.title} ({votes:,} vote{'' if votes == 1 else 's'}{', simulated' if study.is_simulated else ''})"


def _options(given: dict[str, str]) -> Iterator[str]:
    for name, value in given.items():
        yield from (f"--{name}", value)


def _plain(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
