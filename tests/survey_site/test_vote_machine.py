"""Raters join, vote, vote twice, leave, come back, take back and withdraw in any order: what always holds."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from django.db import transaction
from django.db.models import Count, F, Q
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from survey_site.design.designs import Outcome
from survey_site.entrance.raters import end_rater
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.voting.releases import release_trials
from survey_site.voting.trials import (
    EnoughVotes,
    NotTakenBack,
    RaterEnded,
    VoteDetails,
    lease_trials,
    queue_of,
    record_vote,
)
from survey_site.voting.withdrawals import withdraw
from tests.factories import make_rater, make_study

pytestmark = pytest.mark.django_db

CHOICES = st.sampled_from(["left", "right", "same"])
MOST_RATERS = 4
DESIGNS: list[dict[str, object]] = [
    {},
    {"order": {"trials_per_rater": 3}},
    {"checks": {"block": 4, "per_block": 1, "identical": 2, "mismatched": 2}},
]


class Machine(RuleBasedStateMachine):
    """A study of a few pairs with two votes wanted each, and up to four raters."""

    study: Study

    def __init__(self) -> None:
        super().__init__()
        # Each example is a transaction of its own, taken back at its end.
        self.atomic = transaction.atomic()
        self.atomic.__enter__()
        self.raters: list[Rater] = []
        self.sent: list[tuple[Trial, str, UUID]] = []
        self.n_late = 0
        self.n_withdrawn = 0

    def teardown(self) -> None:
        transaction.set_rollback(True)
        self.atomic.__exit__(None, None, None)

    @initialize(design=st.sampled_from(DESIGNS), votes_wanted=st.sampled_from([1, 2, None]))
    def open_a_study(self, design: dict[str, object], votes_wanted: int | None) -> None:
        self.study = make_study(6, votes_wanted=votes_wanted, design=design)

    def rater(self, number: int) -> Rater:
        return Rater.objects.get(pk=self.raters[number % len(self.raters)].pk)

    @precondition(lambda self: len(self.raters) < MOST_RATERS)
    @rule()
    def join(self) -> None:
        rater = make_rater(self.study)
        if not rater.outcome:
            self.raters.append(rater)
            lease_trials(rater)

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99))
    def come_back(self, number: int) -> None:
        rater = self.rater(number)
        before = {trial.code: trial.swapped for trial in queue_of(rater).trials}
        if rater.withdrawn_at is None and rater.outcome in ("", "complete"):
            after = {trial.code: trial.swapped for trial in lease_trials(rater).trials}
            assert before.items() <= after.items()

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99), ahead=st.integers(0, 2), choice=CHOICES)
    def vote(self, number: int, ahead: int, choice: str) -> None:
        trials = queue_of(self.rater(number)).trials
        if trials:
            self._vote(trials[ahead % len(trials)], choice)

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99), choice=CHOICES)
    def vote_late(self, number: int, choice: str) -> None:
        rater = self.rater(number)
        lapsed = rater.trials.filter(votes__isnull=True, lapsed_at__isnull=False).first()
        if lapsed is None:
            return
        before = counters_of(lapsed)
        try:
            self._vote(lapsed, choice)
        except EnoughVotes:
            assert counters_of(lapsed) == before
        except RaterEnded:
            assert rater.outcome == "timed_out"
        else:
            self.n_late += 1

    def _vote(self, trial: Trial, choice: str) -> None:
        key = uuid4()
        record_vote(trial, choice, key=key)
        self.sent.append((trial, choice, key))

    @precondition(lambda self: self.sent)
    @rule(number=st.integers(0, 99))
    def send_again(self, number: int) -> None:
        trial, choice, key = self.sent[number % len(self.sent)]
        if Trial.objects.filter(pk=trial.pk).exists():
            before = Vote.objects.count(), Trial.objects.count()
            assert record_vote(trial, choice, key=key).trial_id == trial.pk
            assert (Vote.objects.count(), Trial.objects.count()) == before

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99), choice=CHOICES)
    def take_back(self, number: int, choice: str) -> None:
        rater = self.rater(number)
        last = queue_of(rater).last
        if last is None or rater.outcome == "timed_out":
            return
        before = counters_of(last)
        record_vote(last, choice, key=uuid4(), details=VoteDetails(takes_back=True))
        assert counters_of(last) == before

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99), choice=CHOICES)
    def take_back_too_late(self, number: int, choice: str) -> None:
        rater = self.rater(number)
        last = queue_of(rater).last
        older = rater.trials.filter(votes__isnull=False).exclude(pk=last.pk if last else None).first()
        if older is not None:
            with pytest.raises((NotTakenBack, RaterEnded)):
                record_vote(older, choice, key=uuid4(), details=VoteDetails(takes_back=True))

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99))
    def let_leases_run_out(self, number: int) -> None:
        held = self.rater(number).trials.open()
        held.update(expires_at=timezone.now() - timedelta(minutes=1))

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99))
    def time_out(self, number: int) -> None:
        rater = self.rater(number)
        if rater.outcome == "" and rater.withdrawn_at is None:
            release_trials(end_rater(rater, Outcome.TIMED_OUT))

    @precondition(lambda self: self.raters)
    @rule(number=st.integers(0, 99))
    def leave_with_everything(self, number: int) -> None:
        withdraw(self.raters.pop(number % len(self.raters)))
        self.n_withdrawn += 1

    @invariant()
    def counters_equal_a_recount(self) -> None:
        assert not Comparison.objects.miscounted().exists()

    @invariant()
    def standing_votes_are_what_is_counted(self) -> None:
        normal = Vote.objects.standing().filter(trial__kind="normal", question="preference")
        assert normal.count() == sum(Comparison.objects.values_list("n_votes", flat=True))

    @invariant()
    def nobody_sees_a_comparison_twice(self) -> None:
        normal = Trial.objects.filter(kind="normal").order_by().values("rater", "comparison")
        assert not normal.annotate(n=Count("pk")).filter(n__gt=1).exists()

    @invariant()
    def every_trial_has_one_answer_that_stands(self) -> None:
        standing = Count("votes", filter=Q(votes__replaced_by__isnull=True, votes__isnull=False))
        assert not Trial.objects.annotate(n=standing).filter(n__gt=1).exists()

    @invariant()
    def no_more_is_leased_than_wanted(self) -> None:
        over = Comparison.objects.filter(votes_wanted__lt=F("n_votes") + F("n_open"))
        n_over = sum(row.n_votes + row.n_open - row.votes_wanted for row in over)
        assert n_over <= self.n_late

    @invariant()
    def sides_are_balanced_where_nobody_left(self) -> None:
        if not self.n_withdrawn and not Trial.objects.filter(lapsed_at__isnull=False).exists():
            tilts = [abs(pair.n_a_left - pair.n_a_right) for pair in Comparison.objects.all()]
            assert max(tilts, default=0) <= 1

    @invariant()
    def a_rater_gets_no_more_than_the_design_says(self) -> None:
        wanted = self.study.how.order.trials_per_rater if self.raters else None
        if wanted is not None:
            for rater in self.raters:
                held_or_answered = Q(votes__isnull=False) | Q(lapsed_at__isnull=True)
                n = rater.trials.filter(held_or_answered, kind="normal").distinct().count()
                assert n <= wanted + self.n_late

    @invariant()
    def whoever_is_complete_holds_nothing(self) -> None:
        complete = Trial.objects.open().filter(rater__outcome="complete")
        assert not complete.exists()


def counters_of(trial: Trial) -> tuple[int, ...]:
    return Comparison.objects.values_list("n_votes", "n_open", "n_a_left", "n_a_right").get(pk=trial.comparison_id)


def test_whatever_raters_do_in_whatever_order_the_books_are_right() -> None:
    run_state_machine_as_test(
        Machine,
        settings=settings(
            max_examples=15, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
