"""Two workers on one batch make what one makes."""

from pathlib import Path

import pytest

from tests.services.test_killed_worker import (
    A_BATCH,
    AN_UNDISTURBED_BATCH,
    SET_UP,
    WORKER,
    Site,
    images_of,
    wait_until,
)

FEW_STEPS = SET_UP + 'wanted["steps"] = 20\n'


@pytest.mark.services
def test_two_workers_share_a_batch_and_make_the_bytes_of_one(tmp_path: Path) -> None:
    site = Site(tmp_path)
    site.run(FEW_STEPS + AN_UNDISTURBED_BATCH)
    with site.celery(*WORKER, "--hostname=one@%h"), site.celery(*WORKER, "--hostname=two@%h"):
        # Both are there before the batch is, else the first could make it all.
        wait_until(lambda: (tmp_path / "worker.log").read_text().count(" ready.") == 2, seconds=120)
        site.run(FEW_STEPS + A_BATCH)
        finished = "SELECT 1 FROM generation_batch WHERE name = 'disturbed' AND status = 'complete'"
        wait_until(lambda: site.rows(finished), seconds=120)
    assert images_of(site, "disturbed") == images_of(site, "undisturbed")
    assert len(images_of(site, "disturbed")) == 12
    chunks = site.rows(
        "SELECT c.claimed_by, c.attempts FROM generation_chunk c JOIN generation_batch b ON b.id = c.batch_id "
        "WHERE b.name = 'disturbed'"
    )
    # Every chunk was begun once, and neither worker made them all.
    assert [attempts for _, attempts in chunks] == [1, 1, 1]
    assert len({claim.rpartition(":")[0] for claim, _ in chunks}) == 2
