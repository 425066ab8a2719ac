"""How a study asks: who may rate, in which order, with which checks and words. Fixed when the study opens.

A design is a small document like the analysis plan. It is read from JSON, checked as a whole, and never changes
afterwards. What it leaves out is the default: an open link, every comparison, no checks, one question.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from survey_site.design.design_sentences import Problem, problem_of

PREFERENCE = "preference"
"""The key of the study's own question, the one that the analysis is about."""

Whole = Annotated[int, Field(ge=1, le=1_000_000)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, max_length=300)]
Words = Annotated[str, StringConstraints(strip_whitespace=True, max_length=20_000)]
KEY, PARAMETER = r"^[a-z][a-z0-9_]{0,29}$", r"^[A-Za-z][A-Za-z0-9_-]{0,39}$"
ADDRESS, CODE = r"^(https://\S+)?$", r"^[A-Za-z0-9_-]{0,60}$"
PATTERNS = {
    KEY: "must begin with a small letter and go on with small letters, digits and _, at most 30 in all",
    PARAMETER: "must begin with a letter and go on with letters, digits, - and _, at most 40 in all",
    ADDRESS: "must begin with https:// and hold no spaces",
    CODE: "must be of letters, digits, - and _, at most 60",
}
Key = Annotated[str, StringConstraints(pattern=KEY)]
Parameter = Annotated[str, StringConstraints(pattern=PARAMETER)]
# A rater's browser is sent there, or to nothing.
Address = Annotated[str, StringConstraints(pattern=ADDRESS, max_length=500)]


class InvalidDesign(ValueError):
    """The design cannot be followed; the message says where and why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class Outcome(StrEnum):
    """How a rater's part ended."""

    COMPLETE = "complete"
    SCREENED_OUT = "screened_out"
    QUOTA_FULL = "quota_full"
    NO_CONSENT = "no_consent"
    RETURNED = "returned"
    """The platform said that the rater gave the place back."""
    TIMED_OUT = "timed_out"
    """The platform said that the rater's time is over."""


class Pairing(StrEnum):
    """Which two arms meet, where a study has more than two."""

    ALL = "all"
    """Every two arms, for every class and seed."""
    BASELINE = "baseline"
    """One arm against each of the others."""
    BLOCK = "block"
    """A balanced incomplete block: every class and seed shows some pairs of arms, and all pairs equally often."""


class Sampling(StrEnum):
    """Which comparison is next among those that are free."""

    LEAST_JUDGED = "least_judged"
    ACTIVE = "active"
    """Two arms by expected information gain (ASAP), with uniform exploration; for four arms and more."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Ending(_Part):
    """What a rater is given at the end. url: where to go on, with {code} in it where the code belongs."""

    code: Annotated[str, StringConstraints(pattern=CODE)] = ""
    url: Address = ""


class Entry(_Part):
    """Who may rate, and what they are told when they end."""

    way: Literal["open", "invited", "platform"] = "open"
    platform: Literal["", "prolific", "mturk", "connect", "other"] = ""
    # Of another platform: the names of the URL parameters that carry the person and, if any, the submission.
    person_parameter: Parameter | Literal[""] = ""
    submission_parameter: Parameter | Literal[""] = ""
    keeps_platform_ids: bool = False
    """Store the plain id as well; otherwise only its keyed hash is kept."""
    raters_wanted: Whole | None = None
    """Raters who may start; those who ended without completing give their place back."""
    endings: dict[Outcome, Ending] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _names_its_platform(self) -> Entry:
        if (self.way == "platform") != bool(self.platform):
            raise ValueError('name a platform if the way is "platform", and only then')
        if self.platform == "other" and not self.person_parameter:
            raise ValueError("name the URL parameter in which the platform sends the person's id (person_parameter)")
        return self


class Option(_Part):
    """One answer of a questionnaire. quota: raters who may give it and go on; empty for any number."""

    text: Annotated[Line, Field(min_length=1)]
    screens_out: bool = False
    quota: Whole | None = None


class Item(_Part):
    """One question of the questionnaire; without options, a line of text is asked for."""

    key: Key
    text: Annotated[Line, Field(min_length=1)]
    options: tuple[Option, ...] = Field(default=(), max_length=40)
    required: bool = True

    @model_validator(mode="after")
    def _has_distinct_options(self) -> Item:
        texts = [option.text for option in self.options]
        if len(set(texts)) < len(texts):
            raise ValueError("two options read the same; change one")
        return self


class Welcome(_Part):
    """What raters read and are asked before the first pair. consent: the first version of its text."""

    consent: Words = ""
    instructions: Words = ""
    questionnaire: tuple[Item, ...] = Field(default=(), max_length=30)
    practice: Annotated[int, Field(ge=0, le=20)] = 0
    """Practice trials, with the right answer told after each."""
    thanks: Words = ""


class Order(_Part):
    """How many comparisons a rater sees, when there is a break, how many votes a comparison takes."""

    trials_per_rater: Whole | None = None
    break_after: Whole | None = None
    votes_min: Whole | None = None
    """Below this a comparison counts as not judged enough; the study's page shows how many are."""
    votes_max: Whole | None = None
    """Late votes count up to here. Empty: twice the votes wanted."""
    pairing: Pairing = Pairing.ALL
    baseline: Line = ""
    """The arm that meets each of the others."""
    pairs_per_stimulus: Whole | None = None
    """Of a block: pairs of arms that one class and seed shows. Empty: every arm once."""
    sampling: Sampling = Sampling.LEAST_JUDGED
    exploration: Share = 0.2
    """Of active sampling: the share of uniformly drawn trials."""

    @model_validator(mode="after")
    def _names_its_baseline(self) -> Order:
        if (self.pairing is Pairing.BASELINE) != bool(self.baseline):
            raise ValueError('name the baseline arm if the pairing is "baseline", and only then')
        if self.votes_min and self.votes_max and self.votes_min > self.votes_max:
            raise ValueError("votes_min is larger than votes_max; swap them")
        return self


class GoldPair(_Part):
    """Two images by their keys and the answer that is right; `image_a`'s class is the label shown."""

    image_a: Whole
    image_b: Whole
    expected: Literal["a", "b", "tie"]
    explanation: Line = ""
    for_practice: bool = False


class Checks(_Part):
    """Attention checks: how many trials of each block of a rater's sequence, and of which kinds."""

    block: Annotated[int, Field(ge=4, le=200)] = 10
    per_block: Annotated[int, Field(ge=0, le=50)] = 0
    kinds: tuple[Literal["gold", "identical", "repeat"], ...] = ("gold", "identical", "repeat")
    identical: Annotated[int, Field(ge=0, le=1000)] = 10
    """Pairs of an image with itself that are built; Same is expected."""
    mismatched: Annotated[int, Field(ge=0, le=1000)] = 10
    """Gold pairs that are built: an image of the class beside one of another class, of the same arm."""
    gold: tuple[GoldPair, ...] = Field(default=(), max_length=1000)
    """Gold pairs that the researcher chose."""
    # A rater is flagged at these, and left out only by a filter of the analysis plan.
    least_right: Share = 0.7
    least_repeated: Share = 0.6
    fast_ms: Annotated[int, Field(ge=0, le=60_000)] = 300

    @model_validator(mode="after")
    def _fits_its_blocks(self) -> Checks:
        # Never the first two of a block, never two in a row.
        if self.per_block > (self.block - 2 + 1) // 2:
            raise ValueError(f"{self.per_block} checks do not fit into a block of {self.block}; ask for fewer")
        if len(set(self.kinds)) < len(self.kinds):
            raise ValueError("a kind of check stands there twice; name each once")
        if self.per_block and not self.kinds:
            raise ValueError("name at least one kind of check: gold, identical or repeat")
        return self


class Question(_Part):
    """One more question about each pair, answered like the first."""

    key: Key
    text: Annotated[Line, Field(min_length=1)]


class Page(_Part):
    """What the pages look like and ask for."""

    scaling: Literal["auto", "pixelated", "smooth"] = "auto"
    """auto: pixelated for images of up to 128 px."""
    frame: Literal["auto", "light", "dark"] = "auto"
    """The bars around the neutral grey. auto: as the rater's device is set."""
    language: Literal["", "en", "de", "ar"] = ""
    """Empty: the browser's, where Twinseed speaks it."""
    questions: tuple[Question, ...] = Field(default=(), max_length=5)
    strength: bool = False
    """Left and Right come as "much" and "slightly"."""
    reason: bool = False
    """A line for a reason, which may stay empty."""
    takes_back: bool = True
    """The last answer may be taken back."""

    @model_validator(mode="after")
    def _has_distinct_questions(self) -> Page:
        keys = [PREFERENCE, *(question.key for question in self.questions)]
        if len(set(keys)) < len(keys):
            raise ValueError(f'every question needs a key of its own, and "{PREFERENCE}" is the first question\'s')
        return self


class Design(_Part):
    """How a study asks."""

    entry: Entry = Entry()
    welcome: Welcome = Welcome()
    order: Order = Order()
    checks: Checks = Checks()
    page: Page = Page()

    @model_validator(mode="after")
    def _has_distinct_items(self) -> Design:
        keys = [item.key for item in self.welcome.questionnaire]
        if len(set(keys)) < len(keys):
            raise ValueError("welcome.questionnaire: two questions have the same key; change one")
        return self

    @classmethod
    def of(cls, said: Mapping[str, Any]) -> Design:  # Any: what JSON can hold
        """Read a design from JSON values. Raises `InvalidDesign` with the first thing that is wrong."""
        try:
            # TOML knows dates, JSON does not: as text they are checked like any other.
            text = json.dumps(said, default=str)
            if "\\u0000" in text:
                raise InvalidDesign(Problem((), "A text holds the character NUL, which cannot be kept; leave it out"))
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise InvalidDesign(problem_of(error, patterns=PATTERNS)) from error
        except InvalidDesign:
            raise
        except (RecursionError, ValueError) as error:
            raise InvalidDesign(Problem((), "The design is nested too deeply or holds an endless number")) from error

    def as_json(self) -> dict[str, Any]:  # Any: what JSON can hold
        """Return the design as JSON values, every setting named."""
        return self.model_dump(mode="json")

    @property
    def sha256(self) -> str:
        """Return the hash of the design's canonical JSON: equal if and only if the settings are."""
        return hashlib.sha256(json.dumps(self.as_json(), sort_keys=True, separators=(",", ":")).encode()).hexdigest()
