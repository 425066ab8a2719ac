"""What the survey app remembers: studies, comparisons, raters, trials and votes.

A trial here is one comparison shown to one rater; it has nothing to do with clinical trials.
"""

import secrets
import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.urls import reverse
from django.utils import timezone

from analysis.plan import Plan
from analysis.records import Json
from generation.models import Arm, Batch, Image
from survey_site.design.designs import PREFERENCE, Design, Outcome
from survey_site.querysets import ComparisonQuerySet, StudyQuerySet, TrialQuerySet, VoteQuerySet

# Letters and digits that nobody takes for one another.
CLEAR_LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"
DEFAULT_QUESTION = "Which image is more realistic, and more aligned to the description?"


def default_plan() -> dict[str, Json]:
    """Return the analysis plan of a new study, as the analysis writes it."""
    return Plan().as_json()


def default_design() -> dict[str, Json]:
    """Return the design of a new study: an open link, every comparison, no checks."""
    return Design().as_json()


def new_secret() -> str:
    """Draw the key from which a study derives what must be unpredictable and repeatable."""
    return secrets.token_hex(32)


def new_withdrawal_code() -> str:
    """Draw the code with which a rater can withdraw; twelve letters that can be dictated."""
    return "".join(secrets.choice(CLEAR_LETTERS) for _ in range(12))


def new_order_key() -> int:
    """Draw the key of one rater's own order of comparisons."""
    return secrets.randbits(62)


class Study(models.Model):
    """A question, the arms to compare, batches, an analysis plan, a status."""

    class Status(models.TextChoices):
        DRAFT = "draft", "Draft"
        OPEN = "open", "Open"
        PAUSED = "paused", "Paused"
        CLOSED = "closed", "Closed"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="studies")
    title = models.CharField(max_length=120)
    slug = models.SlugField(max_length=60, unique=True)
    question = models.CharField(max_length=300, default=DEFAULT_QUESTION)
    status = models.CharField(max_length=10, choices=Status, default=Status.DRAFT)
    arms = models.ManyToManyField(Arm, related_name="studies")
    batches = models.ManyToManyField(Batch, related_name="studies")
    votes_wanted = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Votes wanted per comparison. Empty: every rater may see every comparison.",
    )
    plan = models.JSONField(default=default_plan, help_text="The analysis plan; frozen when the study opens.")
    plan_sha256 = models.CharField(
        max_length=64, blank=True, editable=False, help_text="Of the frozen plan. Empty: no plan preceded the votes."
    )
    design = models.JSONField(default=default_design, help_text="How the study asks; frozen when it opens.")
    design_sha256 = models.CharField(max_length=64, blank=True, editable=False, help_text="Of the frozen design.")
    platform_secret = models.CharField(
        max_length=200, blank=True, help_text="Signs what the crowd platform sends; shown by the platform."
    )
    is_simulated = models.BooleanField(default=False, help_text="Programs voted, not people. Said wherever it shows.")
    opens_when_ready = models.BooleanField(default=False, help_text="Open by itself when all images are there.")
    secret = models.CharField(max_length=64, default=new_secret, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    opened_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    objects = StudyQuerySet.as_manager()

    class Meta:
        ordering = ("-created_at", "-pk")
        verbose_name_plural = "studies"
        constraints = (
            models.CheckConstraint(
                name="study_closed_iff_dated", condition=Q(status="closed") ^ Q(closed_at__isnull=True)
            ),
            models.CheckConstraint(
                name="study_draft_iff_never_opened", condition=Q(status="draft") ^ Q(opened_at__isnull=False)
            ),
        )

    def __str__(self) -> str:
        return self.title

    @property
    def rating_path(self) -> str:
        """Return the path that raters are sent to."""
        return reverse("rate", args=[self.slug])

    @property
    def analysis_plan(self) -> Plan:
        """Return the plan as the analysis reads it; the question is the study's own."""
        return Plan.of({**self.plan, "question": self.question})

    @property
    def how(self) -> Design:
        """Return the design: how the study asks."""
        return Design.of(self.design)


class ConsentText(models.Model):
    """One version of what raters consent to. Append-only: a change is a new version."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="consent_texts")
    version = models.PositiveIntegerField(help_text="1, 2, 3, ...; the last one is shown to new raters.")
    text = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("study_id", "version")
        constraints = (models.UniqueConstraint(name="one_consent_text_a_version", fields=("study", "version")),)

    def __str__(self) -> str:
        return f"{self.study_id}: version {self.version}"


class Invitation(models.Model):
    """A code that lets one person into a study that is open to invited raters only."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="invitations")
    code = models.CharField(max_length=40, unique=True)
    note = models.CharField(max_length=100, blank=True, help_text="For the researcher, such as a row of a list.")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.note or f"invitation {self.pk}"


class Comparison(models.Model):
    """Two images of one class and seed from two arms, and the only counters in the house."""

    class Kind(models.TextChoices):
        NORMAL = "normal", "Normal"
        GOLD = "gold", "Gold"
        IDENTICAL = "identical", "Identical"
        PRACTICE = "practice", "Practice"

    class Expected(models.TextChoices):
        A = "a", "Image a"
        B = "b", "Image b"
        TIE = "tie", "Same"

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="comparisons")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.NORMAL)
    position = models.PositiveIntegerField(
        help_text="0, 1, 2, ... within the study and kind; raters' orders permute it."
    )
    pair_id = models.CharField(max_length=100, help_text="The pair's name in exports.")
    image_a = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="comparisons_as_a")
    image_b = models.ForeignKey(Image, on_delete=models.PROTECT, related_name="comparisons_as_b")
    expected = models.CharField(
        max_length=3, choices=Expected, blank=True, help_text="The right answer of a gold or identical comparison."
    )
    explanation = models.CharField(max_length=300, blank=True, help_text="Why it is right; told after practice.")
    votes_wanted = models.PositiveIntegerField(null=True)
    votes_max = models.PositiveIntegerField(
        null=True, help_text="Late votes count up to here; past it they are refused."
    )
    # Changed only in the transaction that writes the trial or vote; `recount` proves them.
    n_votes = models.PositiveIntegerField(default=0, help_text="Normal trials that have a vote.")
    n_open = models.PositiveIntegerField(default=0, help_text="Normal trials that may still get one.")
    n_a_left = models.PositiveIntegerField(
        default=0, help_text="Of those two together: shown with image a on the left."
    )
    n_a_right = models.PositiveIntegerField(default=0)

    objects = ComparisonQuerySet.as_manager()

    class Meta:
        ordering = ("study_id", "kind", "position")
        constraints = (
            models.UniqueConstraint(name="one_comparison_a_position", fields=("study", "kind", "position")),
            models.UniqueConstraint(name="one_comparison_a_pair_id", fields=("study", "pair_id")),
            models.UniqueConstraint(
                name="one_comparison_of_two_images", fields=("study", "kind", "image_a", "image_b")
            ),
            models.CheckConstraint(
                name="comparison_answer_iff_not_normal", condition=Q(kind="normal") ^ ~Q(expected="")
            ),
            models.CheckConstraint(
                name="comparison_sides_add_up",
                condition=Q(n_votes=F("n_a_left") + F("n_a_right") - F("n_open")),
            ),
            models.CheckConstraint(
                name="comparison_votes_bounded", condition=Q(votes_max__isnull=True) | Q(n_votes__lte=F("votes_max"))
            ),
        )
        indexes = (
            models.Index("study", "kind", F("n_votes") + F("n_open"), "position", name="comparisons_by_load"),
            models.Index(name="comparisons_with_leases", fields=("study",), condition=Q(n_open__gt=0)),
        )

    def __str__(self) -> str:
        return self.pair_id

    @property
    def class_label(self) -> str:
        """Return the text shown above the two images."""
        return self.image_a.batch.label_of(self.image_a.class_index)


class Rater(models.Model):
    """An anonymous person in one study."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="raters")
    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    external_id = models.CharField(max_length=100, blank=True, help_text="The rater's name in an imported vote table.")
    order_key = models.BigIntegerField(default=new_order_key, editable=False)
    created_at = models.DateTimeField(default=timezone.now)
    # --- who sent the rater; hashes are keyed by the study's secret, so that no two studies can be joined ---
    platform = models.CharField(max_length=20, blank=True)
    person_hash = models.CharField(max_length=64, blank=True, editable=False)
    submission_hash = models.CharField(max_length=64, blank=True, editable=False)
    platform_id = models.CharField(max_length=200, blank=True, help_text="The plain id, only if the study says so.")
    invitation = models.OneToOneField(Invitation, on_delete=models.SET_NULL, null=True, related_name="rater")
    # --- how far the rater came ---
    consent = models.ForeignKey(ConsentText, on_delete=models.PROTECT, null=True, related_name="raters")
    consented_at = models.DateTimeField(null=True)
    instructed_at = models.DateTimeField(null=True, help_text="When the rater left the instructions.")
    outcome = models.CharField(max_length=12, choices=[(o.value, o.value) for o in Outcome], blank=True)
    ended_at = models.DateTimeField(null=True)
    # --- the right to leave ---
    withdrawal_code = models.CharField(max_length=12, blank=True, editable=False)
    withdrawn_at = models.DateTimeField(null=True, help_text="Everything else about the rater is erased then.")

    class Meta:
        ordering = ("study_id", "pk")
        indexes = (
            models.Index(
                name="raters_by_submission", fields=("study", "submission_hash"), condition=~Q(submission_hash="")
            ),
        )
        constraints = (
            models.UniqueConstraint(
                name="one_rater_a_person", fields=("study", "person_hash"), condition=~Q(person_hash="")
            ),
            models.UniqueConstraint(
                name="one_rater_a_withdrawal_code", fields=("withdrawal_code",), condition=~Q(withdrawal_code="")
            ),
            models.CheckConstraint(name="rater_ended_iff_dated", condition=Q(outcome="") ^ Q(ended_at__isnull=False)),
            models.CheckConstraint(
                name="rater_consent_iff_dated", condition=Q(consent__isnull=True) ^ Q(consented_at__isnull=False)
            ),
            models.UniqueConstraint(
                name="one_rater_an_external_id", fields=("study", "external_id"), condition=~Q(external_id="")
            ),
        )

    def __str__(self) -> str:
        return self.external_id or str(self.code)


class Answer(models.Model):
    """A rater's answer to one question of the questionnaire."""

    rater = models.ForeignKey(Rater, on_delete=models.CASCADE, related_name="answers")
    item = models.SlugField(max_length=30, db_index=False, help_text="The item's key in the design.")
    text = models.CharField(max_length=300)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(name="one_answer_an_item", fields=("rater", "item")),)

    def __str__(self) -> str:
        return f"{self.item}: {self.text}"


class Trial(models.Model):
    """One comparison shown to one rater. Its sides never change; later marks are a longer lease and `lapsed_at`."""

    class Kind(models.TextChoices):
        NORMAL = "normal", "Normal"
        GOLD = "gold", "Gold"
        REPEAT = "repeat", "Repeat"
        PRACTICE = "practice", "Practice"

    code = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    # The index is that of `one_trial_a_position`.
    rater = models.ForeignKey(Rater, on_delete=models.CASCADE, related_name="trials", db_index=False)
    comparison = models.ForeignKey(Comparison, on_delete=models.CASCADE, related_name="trials")
    kind = models.CharField(max_length=10, choices=Kind, default=Kind.NORMAL)
    repeat_no = models.PositiveSmallIntegerField(default=0)
    position = models.PositiveIntegerField(help_text="0, 1, 2, ... in this rater's sequence.")
    swapped = models.BooleanField(help_text="True: image b stands on the left.")
    leased_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    lapsed_at = models.DateTimeField(null=True)
    propensity = models.FloatField(
        null=True, help_text="The probability with which active sampling drew these two arms; empty elsewhere."
    )

    objects = TrialQuerySet.as_manager()

    class Meta:
        ordering = ("rater_id", "position")
        constraints = (
            models.UniqueConstraint(name="one_trial_of_a_kind", fields=("rater", "comparison", "kind", "repeat_no")),
            models.UniqueConstraint(name="one_trial_a_position", fields=("rater", "position")),
        )

    def __str__(self) -> str:
        return str(self.code)

    @property
    def left_image(self) -> Image:
        """Return the image on the rater's left."""
        return self.comparison.image_b if self.swapped else self.comparison.image_a

    @property
    def right_image(self) -> Image:
        """Return the image on the rater's right."""
        return self.comparison.image_a if self.swapped else self.comparison.image_b


class Strength(models.IntegerChoices):
    """How clear a preference for a side is."""

    SLIGHTLY = 1, "Slightly"
    MUCH = 2, "Much"


class Vote(models.Model):
    """The one answer to a trial. Append-only: taking back is a later vote that names the one it replaces."""

    class Choice(models.TextChoices):
        LEFT = "left", "Left"
        RIGHT = "right", "Right"
        SAME = "same", "Same"

    class Outcome(models.TextChoices):
        A = "a", "Image a"
        B = "b", "Image b"
        TIE = "tie", "Tie"

    class Press(models.TextChoices):
        KEY = "key", "Key"
        MOUSE = "mouse", "Mouse"
        TOUCH = "touch", "Touch"
        PEN = "pen", "Pen"

    trial = models.ForeignKey(Trial, on_delete=models.CASCADE, related_name="votes")
    # No index of its own: nearly all votes have the same question, and it would lead a planner past every one of them.
    question = models.SlugField(max_length=30, default=PREFERENCE, db_index=False)
    choice = models.CharField(max_length=5, choices=Choice)
    strength = models.PositiveSmallIntegerField(
        null=True, choices=Strength, help_text="Of a side, where the study asks for it."
    )
    reason = models.CharField(max_length=500, blank=True)
    response_ms = models.PositiveIntegerField(
        null=True, help_text="From both images painted to the press; empty without JavaScript."
    )
    hidden_ms = models.PositiveIntegerField(
        null=True, help_text="Of these, how long the page was hidden; the rater was elsewhere."
    )
    zoom_ms = models.PositiveIntegerField(null=True, help_text="How long both images were enlarged.")
    pressed_with = models.CharField(max_length=8, choices=Press, blank=True)
    key = models.UUIDField(unique=True, null=True, help_text="The sender's idempotency key.")
    replaces = models.OneToOneField("self", on_delete=models.CASCADE, null=True, related_name="replaced_by")
    created_at = models.DateTimeField(default=timezone.now)

    objects = VoteQuerySet.as_manager()

    class Meta:
        ordering = ("pk",)
        constraints = (
            models.UniqueConstraint(
                name="one_first_vote_a_trial",
                fields=("trial", "question"),
                condition=Q(replaces__isnull=True),
            ),
            models.CheckConstraint(name="vote_choice_is_known", condition=Q(choice__in=("left", "right", "same"))),
            models.CheckConstraint(
                name="vote_strength_is_of_a_side", condition=Q(strength__isnull=True) | ~Q(choice="same")
            ),
        )

    def __str__(self) -> str:
        return f"{self.trial_id}: {self.choice}"


class PlatformEvent(models.Model):
    """A message of a crowd platform that was dealt with; the same one sent again changes nothing."""

    study = models.ForeignKey(Study, on_delete=models.CASCADE, related_name="platform_events")
    event_id = models.CharField(max_length=200)
    kind = models.CharField(max_length=60)
    received_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("pk",)
        constraints = (models.UniqueConstraint(name="one_event_an_id", fields=("study", "event_id")),)

    def __str__(self) -> str:
        return f"{self.kind} {self.event_id}"
