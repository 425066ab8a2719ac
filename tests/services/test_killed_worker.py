"""Workers that end in the middle of a batch: the next one finishes it, to the same bytes."""

import hashlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

SET_UP = """
from pathlib import Path
from django.core.management import call_command
from tests.generation.factories import make_arms, make_batch, make_every_chunk
from generation.runner import make_chunk

call_command("migrate", verbosity=0)
arms = make_arms(Path(settings.VAR_DIR))
wanted = {"class_indices": [0, 1, 2], "seeds_per_class": 2, "steps": 200, "pairs_per_chunk": 2}
"""
A_BATCH = 'make_batch(arms, name="disturbed", **wanted)\n'
AN_UNDISTURBED_BATCH = 'make_every_chunk(make_batch(arms, name="undisturbed", **wanted), make_chunk)\n'
WORKER = ("worker", "--pool=solo", "--loglevel=INFO", "--without-gossip", "--without-mingle")


class Site:
    """An installation of its own in a temporary folder, looked at from outside."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.env = {
            **os.environ,
            "TWINSEED_VAR": str(folder),
            "TWINSEED_CHUNK_LEASE": "2",
            "TWINSEED_SWEEP": "1",
            "TWINSEED_TORCH_THREADS": "1",
        }
        for name in ("DATABASE_URL", "TWINSEED_BROKER"):
            self.env.pop(name, None)

    def run(self, code: str) -> None:
        start = "import django; django.setup(); from django.conf import settings\n"
        env = {**self.env, "DJANGO_SETTINGS_MODULE": "survey_site.settings"}
        subprocess.run([sys.executable, "-c", start + code], env=env, cwd=ROOT, check=True, timeout=120)

    def rows(self, query: str, *values: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.folder / "twinseed.sqlite3", timeout=20)) as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def celery(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        command = [sys.executable, "-m", "celery", "-A", "survey_site", *words]
        with (self.folder / f"{words[0]}.log").open("ab") as log:
            process = subprocess.Popen(command, env=self.env, cwd=ROOT, stdout=log, stderr=log)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def wait_until(happened: Callable[[], object], *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def images_of(site: Site, batch: str) -> dict[tuple[Any, ...], str]:
    rows = site.rows(
        "SELECT i.arm_id, i.class_index, i.seed, i.sha256 FROM generation_image i "
        "JOIN generation_batch b ON b.id = i.batch_id WHERE b.name = ? AND i.name != ''",
        batch,
    )
    assert len({row[:3] for row in rows}) == len(rows)
    return {row[:3]: row[3] for row in rows}


@pytest.mark.services
def test_a_killed_workers_batch_is_finished_to_the_same_bytes(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(SET_UP + AN_UNDISTURBED_BATCH + A_BATCH)

    with site.celery(*WORKER) as first:
        # One chunk is made, and the next is on its way.
        wait_until(
            lambda: (
                images_of(site, "disturbed")
                and site.rows("SELECT 1 FROM generation_chunk WHERE done_at IS NULL AND steps_done > 0")
            ),
            seconds=60,
        )
        first.send_signal(signal.SIGKILL)
        first.wait()
    made_before = images_of(site, "disturbed")
    assert 0 < len(made_before) < 12

    with site.celery(*WORKER), site.celery("beat"):
        finished = "SELECT 1 FROM generation_batch WHERE name = 'disturbed' AND status = 'complete'"
        wait_until(lambda: site.rows(finished), seconds=60)

    assert images_of(site, "disturbed") == images_of(site, "undisturbed")
    assert len(images_of(site, "disturbed")) == 12
    attempts = site.rows(
        "SELECT c.attempts FROM generation_chunk c JOIN generation_batch b ON b.id = c.batch_id "
        "WHERE b.name = 'disturbed' ORDER BY c.attempts"
    )
    assert attempts == [(1,), (1,), (2,)]
    stored = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (tmp_path / "media/images").iterdir()
    }
    named = site.rows("SELECT name, sha256 FROM generation_image")
    assert {Path(name).name: sha256 for name, sha256 in named} == stored


@pytest.mark.services
def test_a_stopped_worker_gives_its_chunk_back_at_once(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(SET_UP + A_BATCH)
    with site.celery(*WORKER) as worker:
        wait_until(lambda: site.rows("SELECT 1 FROM generation_chunk WHERE steps_done > 0"), seconds=60)
        worker.send_signal(signal.SIGTERM)
        # Less than the lease, which is what a killed worker's chunk would have to wait for.
        assert worker.wait(timeout=10) == 0
    assert site.rows("SELECT count(*) FROM generation_chunk WHERE claimed_by != '' AND done_at IS NULL") == [(0,)]
    assert site.rows("SELECT 1 FROM generation_chunk WHERE done_at IS NULL AND attempts = 1")
