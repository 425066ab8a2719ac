"""What the survey promises on SQLite it keeps on PostgreSQL: the same tests, run there."""

import os
import subprocess
import sys
from collections.abc import Callable

import pytest

from tests.live import ROOT

pytestmark = pytest.mark.services

CORE = (
    "studies",
    "trials",
    "recount",
    "api",
    "vote_logs",
    "simulations",
    "plans",
    "withdrawals",
    "study_copies",
    "sequences",
    "votes",
    "vote_machine",
    "raters",
    "consents",
    "pairings",
    "active_arms",
    "answer_logs",
    "check_pairs",
    "checks",
    "exports",
    "rater_lists",
    "study_doors",
    "gold_pairs",
)


def test_the_surveys_core_keeps_its_promises_on_postgresql(new_database: Callable[[str], str | None]) -> None:
    url = new_database("postgresql")
    assert url is not None
    files = [f"tests/survey_site/test_{name}.py" for name in CORE]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
