"""Servers that are killed between a vote's commit and its answer, and in the middle of everything (T10)."""

import http.client
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.live import LiveSite
from tests.services.http_rater import PATIENCE_SECONDS, HttpRater
from tests.services.test_concurrent_raters import COUNT

pytestmark = pytest.mark.services

N_RATERS, N_PAIRS, VOTES_WANTED = 6, 12, 4
LOST = (URLError, http.client.HTTPException, ConnectionError, TimeoutError)


class DyingSite(LiveSite):
    """A site whose workers die after a vote is committed and before it is answered, now and then."""

    application = "tests.services.dying_wsgi"

    def __init__(self, folder: Path, *, database_url: str | None = None) -> None:
        super().__init__(folder, database_url=database_url)
        # A worker that takes a dead one's place is there at once.
        self.env["GUNICORN_CMD_ARGS"] = "--preload"


class PatientRater(HttpRater):
    """Sends again what got no answer, with the same key, as the page does."""

    n_lost = 0

    def _open(self, url: str, body: bytes | None = None, **options: str) -> bytes:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return super()._open(url, body, **options)
            except LOST as error:
                # A refusal is an answer.
                if (isinstance(error, URLError) and getattr(error, "code", 0)) or time.monotonic() > deadline:
                    raise
                self.n_lost += 1
                time.sleep(0.1)


def kill_workers(site: LiveSite, *, until: threading.Event) -> None:
    rng = random.Random(1)
    while not until.wait(rng.uniform(2, 4)):
        found = subprocess.run(["pgrep", "-P", str(site.server.pid)], capture_output=True, text=True, check=False)
        if workers := found.stdout.split():
            try:
                os.kill(int(rng.choice(workers)), signal.SIGKILL)
            except ProcessLookupError:
                continue


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_no_vote_is_lost_or_counted_twice_when_servers_are_killed(
    kind: str, new_database: Callable[[str], str | None], tmp_path: Path
) -> None:
    with DyingSite(tmp_path, database_url=new_database(kind)) as site:
        slug = site.study(n_pairs=N_PAIRS, votes_wanted=VOTES_WANTED)
        raters = [PatientRater(site.url, slug, seed=seed) for seed in range(N_RATERS)]
        done = threading.Event()
        killer = threading.Thread(target=kill_workers, args=(site,), kwargs={"until": done})
        killer.start()
        try:
            with ThreadPoolExecutor(N_RATERS) as people:
                list(people.map(lambda rater: rater.rate_to_the_end(share_twice=0.0), raters))
        finally:
            done.set()
            killer.join()
        counts = site.python(COUNT)
        assert site.manage("recount", "--check").startswith(f"All counters of {N_PAIRS} comparisons are right")
    assert sum(rater.n_lost for rater in raters) > 0, "some answers must have been lost on their way"
    assert counts["votes_a_pair"] == [VOTES_WANTED] * N_PAIRS
    assert counts["votes"] == counts["voted_trials"] == N_PAIRS * VOTES_WANTED
    assert counts["most_by_one_rater_on_a_pair"] == 1
    assert counts["open"] == 0
