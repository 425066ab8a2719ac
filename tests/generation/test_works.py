"""Works: the same promises as chunks, on a kind that does next to nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.conf import settings
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks

from generation import holds, laboratory
from generation.holds import Hold, LostWork, Report, WorkImpossible, hold_work, take_unqueued_works
from generation.models import Work
from generation.works import (
    MissingResult,
    NothingToRepeat,
    WorkFinished,
    cancel_work,
    create_work,
    read_file,
    repeat_work,
)

pytestmark = pytest.mark.django_db


def a_work() -> Work:
    return create_work(owner=None, kind="figure", title="A figure", options={"of": "gradients"})


def do(work: Work, doing: laboratory.Doing, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Do the work, its kind being `doing`."""
    monkeypatch.setitem(laboratory.KINDS, "figure", doing)
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    return work


def draw(hold: Hold, report: Report) -> None:
    report(1, 2, "drawing")
    hold.keep_file("figure.svg", b"<svg/>", content_type="image/svg+xml")
    report(2, 2)
    hold.finish(note="drawn")


def test_a_done_work_has_its_files_and_its_note(monkeypatch: pytest.MonkeyPatch) -> None:
    work = do(a_work(), draw, monkeypatch)
    assert (work.status, work.note, work.problem) == (Work.Status.DONE, "drawn", "")
    assert work.share == 1
    assert read_file(work, "figure.svg") == (b"<svg/>", "image/svg+xml")
    with pytest.raises(MissingResult, match="has no file"):
        read_file(work, "other.svg")


def test_a_work_is_queued_when_its_row_is_committed(
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    with django_capture_on_commit_callbacks() as callbacks:
        a_work()
    assert len(callbacks) == 1


def test_what_is_impossible_fails_with_its_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(hold: Hold, report: Report) -> None:
        raise WorkImpossible("The reference folder is empty; name another.")

    work = do(a_work(), refuse, monkeypatch)
    assert (work.status, work.problem) == (Work.Status.FAILED, "The reference folder is empty; name another.")


def test_an_error_fails_the_work_with_a_sentence_and_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def stumble(hold: Hold, report: Report) -> None:
        raise ZeroDivisionError("division by zero")

    work = do(a_work(), stumble, monkeypatch)
    assert work.status == Work.Status.FAILED
    assert work.problem == "It failed with ZeroDivisionError: division by zero. The worker's log has the details."


def test_cancelling_ends_the_work_at_its_next_report(monkeypatch: pytest.MonkeyPatch) -> None:
    def cancelled(hold: Hold, report: Report) -> None:
        cancel_work(hold.work)
        report(2, 2)
        raise AssertionError("a cancelled work went on")

    work = do(a_work(), cancelled, monkeypatch)
    assert (work.status, work.problem) == (Work.Status.CANCELLED, "")
    with pytest.raises(WorkFinished, match="is finished already"):
        cancel_work(work)
    repeat_work(work)
    assert do(work, draw, monkeypatch).status == Work.Status.DONE
    with pytest.raises(NothingToRepeat, match="has not stopped"):
        repeat_work(work)


def test_a_work_that_is_held_is_not_held_twice() -> None:
    work = a_work()
    hold_work(work.pk)
    with pytest.raises(LostWork, match="is held, or finished"):
        hold_work(work.pk)


def test_a_dead_workers_work_is_queued_again_and_the_dead_worker_writes_nothing() -> None:
    work = a_work()
    dead = hold_work(work.pk)
    now = timezone.now() + timedelta(hours=1)
    assert list(take_unqueued_works(now=now)) == [work.pk]
    alive = hold_work(work.pk)
    with pytest.raises(LostWork):
        dead.finish()
    dead.fail("too late")
    alive.finish(note="done")
    work.refresh_from_db()
    assert (work.status, work.note, work.problem) == (Work.Status.DONE, "done", "")


def test_a_work_that_keeps_killing_workers_is_given_up() -> None:
    work = a_work()
    for _ in range(holds.DEATHS_ALLOWED):
        hold_work(work.pk)
        Work.objects.filter(pk=work.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    assert list(take_unqueued_works(now=timezone.now())) == []
    work.refresh_from_db()
    assert work.status == Work.Status.FAILED
    assert "the worker died each time" in work.problem


def test_a_lost_message_is_sent_again() -> None:
    work = a_work()
    assert list(take_unqueued_works(now=timezone.now())) == []
    assert list(take_unqueued_works(now=timezone.now() + timedelta(hours=1))) == [work.pk]


def test_a_worker_that_shuts_down_gives_the_work_back(monkeypatch: pytest.MonkeyPatch) -> None:
    work = a_work()
    monkeypatch.setitem(laboratory.KINDS, "figure", draw)
    laboratory.do_work(work.pk, stop_wanted=lambda: True)
    work.refresh_from_db()
    assert (work.status, work.attempts) == (Work.Status.QUEUED, 0)
    assert list(take_unqueued_works(now=timezone.now() + timedelta(seconds=1))) == [work.pk]


def test_a_replaced_file_is_deleted_and_a_lost_hold_keeps_none() -> None:
    work = a_work()
    hold = hold_work(work.pk)
    for data in (b"first", b"second"):
        hold.keep_file("a.txt", data, content_type="text/plain")
        work.refresh_from_db()
        stored = [file["stored"] for file in work.files]
    assert read_file(work, "a.txt")[0] == b"second"
    folder = Path(settings.MEDIA_ROOT) / "works"
    assert [path.name for path in folder.iterdir()] == [Path(stored[0]).name]
    cancel_work(work)
    with pytest.raises(LostWork):
        hold.keep_file("b.txt", b"too late", content_type="text/plain")
    assert len(list(folder.iterdir())) == 1


def test_a_work_may_be_silent_for_longer_than_a_chunk() -> None:
    work = a_work()
    hold_work(work.pk)
    now = timezone.now() + timedelta(seconds=2 * settings.CHUNK_LEASE_SECONDS)
    assert list(take_unqueued_works(now=now)) == []
    work.refresh_from_db()
    assert work.status == Work.Status.RUNNING
