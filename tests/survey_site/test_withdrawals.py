"""A rater who withdraws leaves nothing behind but a count, and the others fill the places."""

from uuid import uuid4

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db.models import Max
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from survey_site.bundles import bundled_study
from survey_site.logs.exports import vote_rows
from survey_site.logs.vote_logs import votes_of
from survey_site.models import Answer, Comparison, ConsentText, Invitation, Rater, Study, Trial, Vote
from survey_site.results import study_report
from survey_site.studies import close_study
from survey_site.voting.trials import UnknownTrial, lease_trials, record_vote
from survey_site.voting.withdrawals import UnknownWithdrawalCode, rater_by_withdrawal_code, withdraw, withdrawn_tally
from tests.factories import make_rater, make_study, rate

pytestmark = pytest.mark.django_db

CODE = "abcdefghjkmn"


def known_rater(study: Study, *, code: str = CODE) -> Rater:
    """Let in a rater about whom everything is known that can be."""
    rater = make_rater(study)
    rater.withdrawal_code, rater.external_id, rater.platform_id = code, "worker 7", "W123"
    rater.platform, rater.person_hash, rater.submission_hash = "prolific", "1" * 64, "2" * 64
    rater.invitation = Invitation.objects.create(study=study, code=uuid4().hex, note="row 12")
    rater.consent = ConsentText.objects.create(study=study, version=1, text="I agree.")
    rater.consented_at = rater.instructed_at = timezone.now()
    rater.save()
    Answer.objects.create(rater=rater, item="age", text="30 to 39")
    return rater


def test_withdrawing_erases_everything_but_the_fact() -> None:
    study = make_study(4)
    rater = known_rater(study)
    rate(rater, times=2)
    before = {rater.code, rater.order_key, rater.created_at}
    withdraw(rater)
    rater = Rater.objects.get(pk=rater.pk)
    assert not Trial.objects.exists()
    assert not Vote.objects.exists()
    assert not Answer.objects.exists()
    blank = ("external_id", "platform", "person_hash", "submission_hash", "platform_id", "outcome", "withdrawal_code")
    assert not any(getattr(rater, name) for name in blank)
    assert not any((rater.invitation, rater.consent, rater.consented_at, rater.instructed_at, rater.ended_at))
    assert not before & {rater.code, rater.order_key, rater.created_at}
    assert rater.withdrawn_at is not None


def test_the_tally_of_withdrawals_stays() -> None:
    study = make_study(2)
    stays, leaves = make_rater(study), make_rater(study)
    rate(stays), rate(leaves)
    withdraw(leaves)
    withdraw(leaves)
    assert (withdrawn_tally(study).withdrawn, withdrawn_tally(study).raters) == (1, 2)


def test_a_chain_of_votes_that_were_taken_back_goes_as_a_whole() -> None:
    study = make_study(2)
    rater = make_rater(study)
    rate(rater, times=1)
    first = Vote.objects.get()
    second = Vote.objects.create(trial=first.trial, choice="right", replaces=first)
    Vote.objects.create(trial=first.trial, choice="same", replaces=second)
    Vote.objects.create(trial=first.trial, choice="left", question="alignment")
    withdraw(rater)
    assert not Vote.objects.exists()
    call_command("recount", "--check")


def test_the_counters_are_right_after_each_kind_of_trial_is_erased() -> None:
    study = make_study(8, votes_wanted=3)
    leaves, stays = make_rater(study), make_rater(study)
    rate(stays, times=5)
    rate(leaves, times=3)
    lapsed = leaves.trials.open().latest("position")
    Trial.objects.filter(pk=lapsed.pk).update(lapsed_at=timezone.now())
    call_command("recount", "--fix")
    leaves.trials.create(
        comparison=lapsed.comparison, kind="repeat", position=99, swapped=False, expires_at=timezone.now()
    )
    withdraw(leaves)
    call_command("recount", "--check")
    assert {trial.rater for trial in Trial.objects.all()} == {stays}
    assert Vote.objects.count() == 5


def test_another_rater_fills_the_place_of_one_who_withdrew() -> None:
    study = make_study(2, votes_wanted=1)
    leaves, comes = make_rater(study), make_rater(study)
    rate(leaves)
    assert not lease_trials(comes).trials
    withdraw(leaves)
    rate(comes)
    assert comes.trials.filter(votes__isnull=False).count() == 2


def test_withdrawing_works_after_the_study_has_closed() -> None:
    study = make_study(2)
    rater = make_rater(study)
    rate(rater)
    close_study(study)
    withdraw(rater)
    assert not Vote.objects.exists()
    assert Comparison.objects.aggregate(most=Max("n_votes"))["most"] == 0


def test_a_vote_that_comes_after_its_rater_withdrew_is_refused() -> None:
    rater = make_rater(make_study(3))
    trial = lease_trials(rater).trials[0]
    withdraw(rater)
    with pytest.raises(UnknownTrial):
        record_vote(trial, "left", key=uuid4())
    assert not Trial.objects.exists()


@pytest.mark.parametrize("is_closed", [False, True])
def test_report_export_and_bundle_no_longer_hold_the_rater(is_closed: bool) -> None:
    study = make_study(4)
    stays, leaves = make_rater(study), make_rater(study)
    rate(stays), rate(leaves, "right")
    if is_closed:
        study = close_study(study)
    assert study_report(study).votes == 8
    withdraw(leaves)
    assert study_report(study).votes == 4
    assert votes_of(study).rater_names == (stays.code.hex,)
    assert {row[2] for row in vote_rows(study)} == {"rater_id", stays.code.hex}
    bundle = bundled_study(study)
    assert set(bundle.votes.rater_id) == {stays.code.hex}
    assert bundle.facts["raters_withdrawn"] == 1


def test_a_kept_report_changes_even_where_the_rater_had_only_answered_checks() -> None:
    study = make_study(3)
    stays, leaves = make_rater(study), make_rater(study)
    rate(stays)
    gold = study.comparisons.create(
        kind="gold",
        position=0,
        pair_id="gold-0",
        expected="a",
        image_a=study.comparisons.all()[0].image_a,
        image_b=study.comparisons.all()[1].image_a,
    )
    trial = leaves.trials.create(comparison=gold, kind="gold", position=0, swapped=False, expires_at=timezone.now())
    Vote.objects.create(trial=trial, choice="right")
    study = close_study(study)
    before = study_report(study)
    withdraw(leaves)
    assert study_report(study) is not before
    assert study_report(study).as_json() != before.as_json()


def test_results_and_study_page_tell_how_many_withdrew(client: Client) -> None:
    study = make_study(2)
    stays, leaves = make_rater(study), make_rater(study)
    rate(stays), rate(leaves)
    client.force_login(User.objects.create(username="researcher"))
    pages = [reverse(name, args=[study.slug]) for name in ("study", "results")]
    assert not any("withdrew" in client.get(page).content.decode() for page in pages)
    withdraw(leaves)
    for page in pages:
        assert "1 rater withdrew; their votes are erased." in client.get(page).content.decode()


def test_case_blanks_and_dashes_of_a_typed_code_are_forgiven() -> None:
    study = make_study(2)
    rater = known_rater(study)
    for typed in (CODE, " ABCD efgh-JKMN\n", "abcd.efgh.jkmn"):
        assert rater_by_withdrawal_code(study, typed) == rater
    assert rater_by_withdrawal_code(None, CODE) == rater


def test_a_code_finds_nobody_where_it_is_wrong_empty_used_or_of_another_study() -> None:
    study, other = make_study(2), make_study(2)
    rater = known_rater(study)
    for place, code in ((study, "abcdefghjkmm"), (study, ""), (study, " - "), (other, CODE)):
        with pytest.raises(UnknownWithdrawalCode, match="Nothing in this study"):
            rater_by_withdrawal_code(place, code)
    withdraw(rater)
    for code in (CODE, ""):
        with pytest.raises(UnknownWithdrawalCode):
            rater_by_withdrawal_code(study, code)


def test_every_rater_who_enters_gets_a_code_of_their_own() -> None:
    study = make_study(2)
    codes = [make_rater(study).withdrawal_code for _ in range(20)]
    assert len(set(codes)) == 20
    assert {len(code) for code in codes} == {12}


def test_the_command_erases_and_says_how_many_have_gone(capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study(2)
    rate(known_rater(study))
    call_command("withdraw", study.slug, "--code", "ABCD EFGH JKMN")
    assert "1 of 1 raters of this study have withdrawn" in capsys.readouterr().out
    with pytest.raises(CommandError, match="Nothing in this study belongs to this code"):
        call_command("withdraw", study.slug, "--code", CODE)
    with pytest.raises(CommandError, match="There is no study 'nowhere'"):
        call_command("withdraw", "nowhere", "--code", CODE)
