"""A blind study raises no alarm, every planted leak does, and the study does not notice."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import combinations

import pytest
from django.core.management import CommandError, call_command
from django.db.models.signals import pre_save
from pytest_django import Settings

from generation.images import MadeWith, save_images
from survey_site.blinding.audit_statistics import TOGETHER
from survey_site.blinding.audits import Audit, CannotAudit, audit_blinding
from survey_site.design.designs import Design
from survey_site.models import Study, Trial
from survey_site.studies import create_study, open_study
from tests.factories import drawn_ball, make_batch, make_study_with_files
from tests.survey_site import planted_leaks

pytestmark = pytest.mark.django_db

N_PAIRS = 20
# An image's surroundings change with its tag, and whichever image stands first in a page is fetched first.
CONSEQUENCES = ("Around the image", "Time of the first answer", "Time of later answers")
ROUNDS = 9_999


def audit(study: Study, **options: int) -> Audit:
    """Audit as a researcher does, with fewer rounds where the p-values do not matter."""
    return audit_blinding(study, **{"rounds": ROUNDS, **options})


def alarms(of: Audit) -> list[str]:
    """Return the names of what told the arms apart, but for everything together."""
    return [finding.name for pairing in of.pairings for finding in pairing.alarms if finding.name != TOGETHER]


def test_a_blind_study_raises_no_alarm_though_its_files_differ() -> None:
    study = make_study_with_files(N_PAIRS)
    assert all(pair.image_a.n_bytes < pair.image_b.n_bytes for pair in study.comparisons.all())
    audited = audit(study)
    (pairing,) = audited.pairings
    assert not audited.is_alarm
    assert pairing.n_pairs == N_PAIRS
    assert pairing.power.can_alarm
    assert "tells nothing that its pixels do not" in pairing.explained[0]
    same = {finding.name for finding in pairing.findings if finding.auc is None}
    assert {
        "Length in bytes",
        "Kind of file",
        "Encoder of the file",
        "Header Content-Length",
        "Order in the page",
    } <= same


@pytest.mark.parametrize(
    ("leaks", "caught"),
    [
        (
            ["FileETag", "FileDate", "NamedDownload"],
            ["Header Content-Disposition", "Header ETag", "Header Last-Modified"],
        ),
        (["Unpadded"], ["Header Content-Length", "Length in bytes"]),
        (["VersionedAddress", "SwappedInApi"], ["Address of the image", "Answer of the API", "Tag of the image"]),
        (["MarkedTag"], ["Tag of the image"]),
        (["OrderedByArm"], ["Order in the page"]),
    ],
)
def test_planted_leaks_are_caught_and_named(settings: Settings, leaks: list[str], caught: list[str]) -> None:
    study = make_study_with_files(N_PAIRS)
    settings.MIDDLEWARE = [f"tests.survey_site.planted_leaks.{leak}" for leak in leaks] + settings.MIDDLEWARE
    assert set(caught) <= set(alarms(audit(study))) <= {*caught, *CONSEQUENCES}


def test_an_arm_whose_images_come_more_slowly_is_caught(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    study = make_study_with_files(N_PAIRS)
    settings.MIDDLEWARE = ["tests.survey_site.planted_leaks.SlowArm", *settings.MIDDLEWARE]
    clock = planted_leaks.UnsteadyClock()
    monkeypatch.setattr("survey_site.blinding.audit_plays.perf_counter", clock.read)
    monkeypatch.setattr(planted_leaks.SlowArm, "clock", clock, raising=False)
    assert sorted(alarms(audit(study))) == ["Time of later answers", "Time of the first answer"]


def test_a_text_in_one_arms_files_is_caught() -> None:
    study = make_study_with_files(N_PAIRS)
    planted_leaks.write_text_into_files(study)
    audited = audit(study)
    assert "Texts in the file" in alarms(audited)
    assert "are not what this site's encoder makes" in audited.pairings[0].explained[0]


def test_another_encoder_is_caught() -> None:
    study = make_study_with_files(N_PAIRS)
    planted_leaks.encode_otherwise(study)
    assert "Encoder of the file" in alarms(audit(study))


def test_an_arm_that_always_stands_on_the_left_is_caught() -> None:
    study = make_study_with_files(N_PAIRS)
    with always_on_the_left():
        assert "Side" in alarms(audit(study))


@contextmanager
def always_on_the_left() -> Iterator[None]:
    """Let every trial be saved with image a on the left."""

    def not_swapped(sender: type[Trial], instance: Trial, **_signal: object) -> None:
        instance.swapped = False

    pre_save.connect(not_swapped, sender=Trial)
    yield
    pre_save.disconnect(not_swapped, sender=Trial)


def test_of_three_arms_every_two_are_held_against_each_other() -> None:
    batch = make_batch(3, arms=("robust", "vanilla", "scaled"), made=False)
    save_images(
        [(image, drawn_ball(image.seed, noise=float(image.arm_id))) for image in batch.images.all()],
        made_with=MadeWith(),
    )
    study = open_study(
        create_study(owner=None, title="three", arms=list(batch.arms.all()), batches=[batch], votes_wanted=None)
    )
    audited = audit(study, rounds=99)
    assert [pairing.arms for pairing in audited.pairings] == list(combinations(("robust", "scaled", "vanilla"), 2))
    assert [pairing.n_pairs for pairing in audited.pairings] == [3, 3, 3]


def test_a_few_pairs_can_find_nothing_and_the_audit_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study_with_files(4)
    assert not audit(study, rounds=99).pairings[0].power.can_alarm
    call_command("audit_blinding", study.slug, "--rounds", "99")
    assert "4 pairs are too few to find anything" in capsys.readouterr().out


def test_a_study_with_checks_a_platform_and_questions_is_played_as_well() -> None:
    study = make_study_with_files(4)
    design = {
        "entry": {"way": "platform", "platform": "prolific", "raters_wanted": 1},
        "welcome": {"consent": "I agree.", "practice": 1, "questionnaire": [{"key": "age", "text": "Age?"}]},
        "checks": {"per_block": 2},
        "order": {"trials_per_rater": 2, "break_after": 1},
        "page": {"strength": True, "questions": [{"key": "alignment", "text": "Which fits the words?"}]},
    }
    Study.objects.filter(pk=study.pk).update(design=Design.of(design).as_json())
    assert audit(Study.objects.get(), rounds=99).n_pairs == 4


def test_what_cannot_be_audited_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    draft = create_study(owner=None, title="draft", arms=[], batches=[])
    with pytest.raises(CannotAudit, match="arm"):
        audit(draft)
    for slug, sentence in ((draft.slug, "cannot be audited"), ("nowhere", "There is no study 'nowhere'")):
        with pytest.raises(CommandError, match=sentence) as error:
            call_command("audit_blinding", slug)
        assert error.value.returncode == 2


def test_the_command_prints_a_table_and_exits_with_0_for_a_blind_study(capsys: pytest.CaptureFixture[str]) -> None:
    study = make_study_with_files(4)
    call_command("audit_blinding", study.slug, "--rounds", "99", "--seed", "3")
    printed = capsys.readouterr().out
    assert "robust against vanilla: 4 pairs" in printed
    assert "Length in bytes" in printed
    assert "No alarm" in printed


def test_the_command_exits_with_1_on_an_alarm_and_names_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    study = make_study_with_files(N_PAIRS)
    settings.MIDDLEWARE = ["tests.survey_site.planted_leaks.StorageHeader", *settings.MIDDLEWARE]
    with pytest.raises(CommandError, match="Header X-Served-By") as error:
        call_command("audit_blinding", study.slug, "--json")
    assert error.value.returncode == 1
    told = json.loads(capsys.readouterr().out)
    assert told["alarm"] is True
    assert "Header X-Served-By" in told["alarms"]["robust / vanilla"]


def test_an_audit_that_saw_nothing_does_not_say_that_all_is_well() -> None:
    with pytest.raises(CannotAudit, match="Give it more seconds"):
        audit_blinding(make_study_with_files(2), rounds=99, seconds=0.0)
