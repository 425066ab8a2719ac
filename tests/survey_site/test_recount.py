"""The recount command proves the counters, and mends them."""

import pytest
from django.core.management import CommandError, call_command

from survey_site.models import Comparison, Trial
from survey_site.voting.trials import lease_trials
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db


def test_right_counters_pass_the_check(capsys: pytest.CaptureFixture[str]) -> None:
    rate(make_rater(make_study(4)), times=2)
    call_command("recount", "--check")
    assert "All counters of 4 comparisons are right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "wrong",
    [{"n_votes": 2, "n_a_left": 2, "n_a_right": 0, "n_open": 0}, {"n_open": 1, "n_a_left": 1, "n_a_right": 0}],
)
def test_a_wrong_counter_fails_the_check_and_is_mended(
    wrong: dict[str, int], capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study(2)
    pair = study.comparisons.all()[0]
    Comparison.objects.filter(pk=pair.pk).update(**wrong)
    with pytest.raises(CommandError, match="1 comparisons have wrong counters"):
        call_command("recount", "--check")
    name, value = next(iter(wrong.items()))
    assert f"{pair}: {name} is {value}, should be 0" in capsys.readouterr().out
    call_command("recount", "--fix")
    call_command("recount", "--check")


def test_a_lapsed_trial_is_on_no_books() -> None:
    rater = make_rater(make_study(3))
    trial = lease_trials(rater).trials[0]
    Trial.objects.filter(pk=trial.pk).update(lapsed_at=trial.leased_at)
    assert [pair.pk for pair in Comparison.objects.miscounted()] == [trial.comparison_id]
    call_command("recount", "--fix")
    assert not Comparison.objects.miscounted().exists()
