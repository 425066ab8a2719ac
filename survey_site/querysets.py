"""Questions about many rows, each with a name."""

from datetime import datetime
from typing import TYPE_CHECKING

from django.db import models
from django.db.models import Case, Count, Exists, F, FilteredRelation, OuterRef, Q, Subquery, Sum, Value, When
from django.db.models.functions import Cast, Coalesce

from generation.models import Image
from survey_site.design.designs import PREFERENCE

if TYPE_CHECKING:
    from survey_site.models import Comparison, Rater, Study, Trial, Vote


class StudyQuerySet(models.QuerySet["Study"]):
    """Questions about studies."""

    def waiting_to_open(self) -> "StudyQuerySet":
        """Keep the drafts that open by themselves and lack no image."""
        missing = Image.objects.filter(batch__studies=OuterRef("pk"), arm__studies=OuterRef("pk"), name="")
        return self.filter(status="draft", opens_when_ready=True).exclude(Exists(missing))


class ComparisonQuerySet(models.QuerySet["Comparison"]):
    """Questions about comparisons."""

    def normal(self) -> "ComparisonQuerySet":
        """Keep the comparisons that the study is about."""
        return self.filter(kind="normal")

    def for_practice(self) -> "ComparisonQuerySet":
        """Keep the practice comparisons, in the order in which raters get them, with what a page shows of them."""
        return self.filter(kind="practice").select_related("image_a__batch", "image_b").order_by("position")

    def under_target(self) -> "ComparisonQuerySet":
        """Keep those that want more votes than they have or may get from open trials."""
        return self.filter(Q(votes_wanted__isnull=True) | Q(votes_wanted__gt=F("n_votes") + F("n_open")))

    def unseen_by(self, rater: "Rater") -> "ComparisonQuerySet":
        """Keep the normal comparisons of the rater's study that never were a trial of this rater."""
        seen = rater.trials.filter(kind="normal").order_by().values("comparison")
        return self.normal().filter(study=rater.study_id).exclude(pk__in=seen)

    def unanswered_by(self, rater: "Rater") -> "ComparisonQuerySet":
        """Keep the normal comparisons of the rater's study that this rater has not voted on."""
        voted = rater.trials.filter(kind="normal", votes__isnull=False).order_by().values("comparison")
        return self.normal().filter(study=rater.study_id).exclude(pk__in=voted)

    def least_judged_first(self, *, below: int | None = None) -> "ComparisonQuerySet":
        """Order by votes and open trials together, as the index `comparisons_by_load` does.

        below: of no comparison more votes are wanted, so that the index can leave out those that have them.
        """
        loaded = self.alias(load=F("n_votes") + F("n_open"))
        return (loaded if below is None else loaded.filter(load__lt=below)).order_by("load", "position")

    def with_n_held(self, study_id: int) -> "ComparisonQuerySet":
        """Annotate `n_held`, the same for all: how many normal trials of the study anybody holds."""
        held = self.model.objects.filter(study=study_id, n_open__gt=0).order_by().values("study")
        n_held = held.annotate(n=Sum("n_open")).values("n")
        return self.annotate(n_held=Coalesce(Subquery(n_held), Value(0)))

    def recounted(self) -> "ComparisonQuerySet":
        """Annotate each counter's true value, `true_<counter>`, from the trials and votes themselves."""
        normal = Q(trials__kind="normal")
        voted = normal & Q(trials__votes__isnull=False)
        is_open = normal & Q(trials__votes__isnull=True, trials__lapsed_at__isnull=True)
        a_left = Q(trials__swapped=False)
        return self.annotate(
            true_n_votes=Count("trials", filter=voted, distinct=True),
            true_n_open=Count("trials", filter=is_open, distinct=True),
            true_n_a_left=Count("trials", filter=(voted | is_open) & a_left, distinct=True),
            true_n_a_right=Count("trials", filter=(voted | is_open) & ~a_left, distinct=True),
        )

    def miscounted(self) -> "ComparisonQuerySet":
        """Keep those with a counter that differs from its recount."""
        return self.recounted().exclude(
            n_votes=F("true_n_votes"),
            n_open=F("true_n_open"),
            n_a_left=F("true_n_a_left"),
            n_a_right=F("true_n_a_right"),
        )


class TrialQuerySet(models.QuerySet["Trial"]):
    """Questions about trials."""

    def unanswered(self) -> "TrialQuerySet":
        """Keep the trials without a vote, lapsed or not."""
        return self.filter(votes__isnull=True)

    def open(self) -> "TrialQuerySet":
        """Keep the trials that a rater may have on the screen: no vote, not lapsed."""
        return self.unanswered().filter(lapsed_at__isnull=True)

    def expired_at(self, now: datetime) -> "TrialQuerySet":
        """Keep the open normal trials whose lease has run out."""
        return self.open().filter(kind="normal", expires_at__lt=now)

    def with_answers(self) -> "TrialQuerySet":
        """Join each trial's answers to the study's own question, `answers`, in the order of their arrival.

        A trial without an answer has one row, one that was taken back has several. `code_text` is the code as the
        database writes it.
        """
        answers = FilteredRelation("votes", condition=Q(votes__question=PREFERENCE))
        joined = self.annotate(answers=answers, code_text=Cast("code", models.CharField()))
        return joined.order_by("position", "answers")

    def with_images(self) -> "TrialQuerySet":
        """Fetch what a page shows of a trial along with it."""
        return self.select_related("comparison__image_a__batch", "comparison__image_b")


class VoteQuerySet(models.QuerySet["Vote"]):
    """Questions about votes."""

    def with_outcome(self) -> "VoteQuerySet":
        """Annotate `outcome` (a, b or tie): the one translation from the screen's sides to the arms."""
        a_left = Q(choice="left", trial__swapped=False) | Q(choice="right", trial__swapped=True)
        return self.annotate(
            outcome=Case(When(choice="same", then=Value("tie")), When(a_left, then=Value("a")), default=Value("b"))
        )

    def preferences(self) -> "VoteQuerySet":
        """Keep the answers to the study's own question."""
        # Nearly all votes are: the index on questions would lead SQLite past every vote of every study.
        return self.alias(asked=Coalesce("question", Value(""))).filter(asked=PREFERENCE)

    def late(self) -> "VoteQuerySet":
        """Keep the votes that came after their trial's lease was given to others."""
        return self.filter(trial__lapsed_at__lte=F("created_at"))

    def gold(self) -> "VoteQuerySet":
        """Keep the answers to comparisons whose right answer is known; identical images are such ones."""
        return self.filter(trial__kind="gold").exclude(trial__comparison__kind="normal")

    def replacing(self) -> "VoteQuerySet":
        """Keep the votes that take another's place."""
        return self.filter(replaces__isnull=False)

    def standing(self) -> "VoteQuerySet":
        """Keep the votes that count: those that no later vote replaces."""
        return self.filter(replaced_by__isnull=True)
