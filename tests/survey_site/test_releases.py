import pytest
from django.core.management import call_command
from django.utils import timezone

from survey_site.design.designs import Outcome
from survey_site.entrance.platforms import Person
from survey_site.entrance.raters import enter_study
from survey_site.models import Trial
from survey_site.voting.releases import end_part, part_of, release_trials
from survey_site.voting.trials import lease_trials, record_vote
from tests.factories import make_rater, make_study

pytestmark = pytest.mark.django_db


def test_open_trials_lapse_and_answered_ones_stay() -> None:
    rater = make_rater(make_study())
    queue = lease_trials(rater)
    record_vote(queue.trials[0], "left")
    n_open = rater.trials.open().count()
    assert n_open > 0
    assert release_trials(rater) == n_open
    assert rater.trials.open().count() == 0
    assert not rater.trials.get(pk=queue.trials[0].pk).lapsed_at
    call_command("recount", "--check")


def test_releasing_twice_releases_once() -> None:
    rater = make_rater(make_study())
    lease_trials(rater)
    assert release_trials(rater) > 0
    lapsed = list(Trial.objects.values_list("pk", "lapsed_at"))
    assert release_trials(rater) == 0
    assert list(Trial.objects.values_list("pk", "lapsed_at")) == lapsed


def test_other_raters_keep_theirs() -> None:
    study = make_study()
    leaving, staying = make_rater(study), make_rater(study)
    lease_trials(leaving)
    held = len(lease_trials(staying).trials)
    release_trials(leaving)
    assert staying.trials.open().count() == held


def test_nobody_we_know_ends_nothing() -> None:
    assert end_part(make_study(), Person("prolific", "5f", submission_id="e9"), outcome=Outcome.RETURNED) is None


def test_a_withdrawn_rater_is_nobody_we_know() -> None:
    study = make_study()
    person = Person("prolific", "5f", submission_id="e9")
    rater = enter_study(study, person=person)
    assert part_of(study, person) == rater
    study.raters.filter(pk=rater.pk).update(withdrawn_at=timezone.now())
    assert part_of(study, person) is None


def test_the_same_ids_of_another_platform_are_somebody_else() -> None:
    study = make_study()
    enter_study(study, person=Person("prolific", "5f", submission_id="e9"))
    assert part_of(study, Person("connect", "5f", submission_id="e9")) is None
