"""An audit plays with a copy of a study in memory: the study, its database and its raters do not notice."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from pytest_django import Settings

from generation.models import Image
from survey_site.blinding.audits import audit_blinding
from survey_site.models import Comparison, Rater, Study, Trial, Vote
from survey_site.studies import close_study, create_study, pause_study
from tests.factories import make_rater, make_study_with_files, rate

pytestmark = pytest.mark.django_db


def test_an_audit_changes_nothing_and_counts_nothing() -> None:
    study = make_study_with_files(4)
    rate(make_rater(study), times=2)
    before = [list(model.objects.order_by("pk").values()) for model in (Study, Comparison, Rater, Trial, Vote, Image)]
    with CaptureQueriesContext(connection) as queries:
        audit_blinding(study, rounds=99)
    assert all(query["sql"].startswith("SELECT") for query in queries)
    assert before == [
        list(model.objects.order_by("pk").values()) for model in (Study, Comparison, Rater, Trial, Vote, Image)
    ]


def test_people_rate_on_after_an_audit_in_the_same_process() -> None:
    make_study_with_files(3)
    study = make_study_with_files(5)
    rate(make_rater(study), times=1)
    audit_blinding(study, rounds=99)
    rater = make_rater(study)
    rate(rater)
    assert set(rater.trials.values_list("comparison", flat=True)) == set(study.comparisons.values_list("pk", flat=True))


def test_a_failed_audit_leaves_the_thread_with_its_own_database(settings: Settings) -> None:
    study = make_study_with_files(2)
    settings.MIDDLEWARE = ["tests.survey_site.planted_leaks.Breaks", *settings.MIDDLEWARE]
    with pytest.raises(RuntimeError, match="planted"):
        audit_blinding(study, rounds=99)
    assert Study.objects.get() == study


@pytest.mark.parametrize("act", ["draft", "paused", "closed", "rated"])
def test_studies_are_audited_before_while_and_after_people_rate(act: str) -> None:
    study = make_study_with_files(3, votes_wanted=1)
    if act == "draft":
        arms, batches = list(study.arms.all()), list(study.batches.all())
        study = create_study(owner=None, title="again", arms=arms, batches=batches)
    if act == "rated":
        rate(make_rater(study))
    if act in {"paused", "closed"}:
        study = (pause_study if act == "paused" else close_study)(study)
    assert audit_blinding(study, rounds=99).n_pairs == 3
    assert Study.objects.get(pk=study.pk).status == study.status
