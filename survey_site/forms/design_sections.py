"""The sections of a design as forms: who may rate, what comes first, order and votes, checks, the page."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.core.validators import RegexValidator

from survey_site.design.designs import PARAMETER, PATTERNS
from survey_site.drafts.design_words import CHECK_KINDS, LANGUAGES, PAIRINGS, PLATFORMS, SAMPLINGS, WAYS
from survey_site.forms.studies import MOST_VOTES

MOST = 1_000_000
is_parameter = RegexValidator(PARAMETER, f"It {PATTERNS[PARAMETER]}.")


class SectionForm(forms.Form):
    """One section; its fields are named as the design's settings."""

    def document(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return the settings as a design writes them; an empty field takes its default. For a valid form."""
        return {name: value for name, value in self.cleaned_data.items() if value is not None}


def whole(label: str, help_text: str, *, least: int = 1, most: int = MOST) -> forms.IntegerField:
    """Return a field for a whole number that may stay empty."""
    return forms.IntegerField(required=False, min_value=least, max_value=most, label=label, help_text=help_text)


def share(label: str, help_text: str) -> forms.FloatField:
    """Return a field for a number from 0 to 1."""
    step = forms.NumberInput(attrs={"step": "any"})
    return forms.FloatField(required=False, min_value=0, max_value=1, label=label, help_text=help_text, widget=step)


def words(label: str, help_text: str, *, rows: int = 6) -> forms.CharField:
    """Return a field for paragraphs."""
    area = forms.Textarea(attrs={"rows": rows})
    return forms.CharField(required=False, max_length=20_000, label=label, help_text=help_text, widget=area)


class EntryForm(SectionForm):
    """Who may rate."""

    way = forms.ChoiceField(choices=list(WAYS.items()), widget=forms.RadioSelect, label="Who may rate?")
    platform = forms.ChoiceField(
        required=False, choices=[("", "Choose a platform"), *PLATFORMS.items()], label="Platform"
    )
    person_parameter = forms.CharField(
        required=False,
        validators=[is_parameter],
        label="URL parameter with the person's id",
        help_text="Such as worker, if the platform sends raters to ...?worker=A17.",
    )
    submission_parameter = forms.CharField(
        required=False,
        validators=[is_parameter],
        label="URL parameter with the submission's id",
        help_text="Leave empty if the platform has none.",
    )
    keeps_platform_ids = forms.BooleanField(
        required=False,
        label="Keep the platform's plain ids too",
        help_text="To pay by a list. Without it only a keyed hash is kept, which cannot be turned back; your consent "
        "text should say which of the two you do.",
    )
    raters_wanted = whole("Raters wanted", "Who ends without completing gives the place back. Empty: as many as come.")

    def clean(self) -> dict[str, Any]:
        """Ask for what the chosen way needs; what another way would need is left out."""
        cleaned = super().clean() or {}
        if cleaned.get("way") != "platform":
            return {**cleaned, "platform": "", "person_parameter": "", "submission_parameter": ""}
        if not cleaned.get("platform"):
            self.add_error("platform", "Choose the platform that sends the raters.")
        if cleaned.get("platform") != "other":
            return {**cleaned, "person_parameter": "", "submission_parameter": ""}
        if not cleaned.get("person_parameter") and "person_parameter" not in self.errors:
            self.add_error("person_parameter", "Name the parameter, or everybody would be the same person.")
        return cleaned


class WelcomeForm(SectionForm):
    """What raters read before the first pair; the questionnaire has rows of its own."""

    consent = words(
        "Consent text",
        "Shown before anything is asked; raters agree to go on. An empty line begins a paragraph. Empty: no such page.",
        rows=8,
    )
    instructions = words(
        "Instructions",
        "Added to ours, on a page with an example pair. Without them and without practice there is no such page.",
    )
    practice = whole(
        "Practice trials",
        "Gold pairs with the right answer told after each; they count nowhere.",
        least=0,
        most=20,
    )
    thanks = words("Thanks at the end", "Added to ours; such as whom to write to.", rows=3)


class OrderForm(SectionForm):
    """How many comparisons a rater sees, and how many votes a comparison takes."""

    votes_wanted = whole("Votes wanted per comparison", "Empty: every rater may see every comparison.", most=MOST_VOTES)
    trials_per_rater = whole("Comparisons per rater", "Checks come on top. Empty: all of them.")
    break_after = whole("Break after", "So many comparisons; then a page says to rest. Empty: no breaks.")
    votes_min = whole("Votes at least", "The study's page counts the comparisons that have fewer.", most=MOST_VOTES)
    votes_max = whole(
        "Votes at most", "Late votes count up to here. Empty: twice the votes wanted.", most=2 * MOST_VOTES
    )
    pairing = forms.ChoiceField(
        choices=[(member.value, text) for member, text in PAIRINGS.items()],
        widget=forms.RadioSelect,
        label="Which arms meet?",
    )
    baseline = forms.ChoiceField(required=False, label="Baseline arm", help_text="It meets each of the others.")
    pairs_per_stimulus = whole("Pairs of arms for each class and seed", "Empty: so many that every arm shows once.")
    sampling = forms.ChoiceField(
        choices=[(member.value, text) for member, text in SAMPLINGS.items()],
        widget=forms.RadioSelect,
        label="Which comparison is next?",
    )
    exploration = share("Share drawn uniformly", "Of active sampling; 0.2 is 20 %.")

    # Django's form takes a dozen loosely typed arguments; they are handed on.
    def __init__(self, *args: Any, arms: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        baseline = self.fields["baseline"]
        assert isinstance(baseline, forms.ChoiceField)
        baseline.choices = [("", "Choose an arm"), *((name, name) for name in arms)]

    def clean(self) -> dict[str, Any]:
        """Hold the three numbers of votes in order, and ask for a baseline where one is needed."""
        cleaned = super().clean() or {}
        least, target, most = (cleaned.get(name) for name in ("votes_min", "votes_wanted", "votes_max"))
        if least and (top := target or most) and least > top:
            self.add_error("votes_min", f"{least} is more than the {top} that a comparison gets; ask for fewer.")
        if most and target and most < target:
            self.add_error("votes_max", f"{most} is less than the {target} wanted; allow as many, or leave it empty.")
        if cleaned.get("pairing") != "baseline":
            return {**cleaned, "baseline": ""}
        if not cleaned.get("baseline") and "baseline" not in self.errors:
            self.add_error("baseline", "Choose the arm that meets each of the others.")
        return cleaned

    def document(self) -> dict[str, Any]:
        """Leave out the votes wanted, which are the study's own."""
        return {name: value for name, value in super().document().items() if name != "votes_wanted"}


class ChecksForm(SectionForm):
    """Attention checks; the gold pairs are chosen from pictures."""

    per_block = whole("Checks in each block", "0 for none; 1 of 10 trials is usual.", least=0, most=50)
    block = whole("Trials in a block", "Never the first two of a block, never two in a row.", least=4, most=200)
    kinds = forms.MultipleChoiceField(
        required=False,
        choices=list(CHECK_KINDS.items()),
        widget=forms.CheckboxSelectMultiple,
        label="Kinds",
        help_text="They take turns. Nothing on the page tells a check from another trial.",
    )
    identical = whole("Identical pairs built", "An image beside itself.", least=0, most=1000)
    mismatched = whole(
        "Gold pairs built", "An image of the class beside one of another class, of the same arm.", least=0, most=1000
    )
    least_right = share("Flag below: right answers", "Share of gold and identical pairs; 0.7 is 70 %.")
    least_repeated = share("Flag below: repeated alike", "Share of repeats answered as the first time.")
    fast_ms = whole("Fast answer, ms", "An answer below this is counted as fast.", least=0, most=60_000)

    def clean(self) -> dict[str, Any]:
        """Ask for kinds where checks are wanted, and for blocks that hold them."""
        cleaned = super().clean() or {}
        n, block = cleaned.get("per_block") or 0, cleaned.get("block") or 10
        if n and not cleaned.get("kinds"):
            self.add_error("kinds", "Tick at least one kind, or set the checks to 0.")
        if n > (block - 1) // 2:
            self.add_error("per_block", f"At most {(block - 1) // 2} fit into a block of {block} trials.")
        return cleaned


class PageForm(SectionForm):
    """What the page looks like and asks for; further questions have rows of their own."""

    scaling = forms.ChoiceField(
        choices=[
            ("auto", "Small images pixelated, others smooth"),
            ("pixelated", "Always pixelated: every pixel a square"),
            ("smooth", "Always smooth"),
        ],
        label="Enlarged images",
        help_text="Small: up to 128 px.",
    )
    frame = forms.ChoiceField(
        choices=[("auto", "As the rater's device is set"), ("light", "Light"), ("dark", "Dark")],
        label="Frame",
        help_text="The bars around the pair; the ground behind the images is always the same grey.",
    )
    language = forms.ChoiceField(
        required=False,
        choices=list(LANGUAGES.items()),
        label="Language",
        help_text="Of buttons and sentences; your own texts stay as you wrote them.",
    )
    strength = forms.BooleanField(
        required=False, label="Ask how clear a preference is", help_text="Left and Right come as much and slightly."
    )
    reason = forms.BooleanField(
        required=False, label="Offer a line for a reason", help_text="It may stay empty; it costs raters' time."
    )
    takes_back = forms.BooleanField(
        required=False,
        label="Let raters take back their last answer",
        help_text="The later answer counts, the earlier stays on record.",
    )
