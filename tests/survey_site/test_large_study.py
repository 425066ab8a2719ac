"""The hundred-thousandth comparison and the millionth vote cost what the first ones cost."""

import json

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from survey_site.models import Study, Vote
from tests.factories import make_study
from tests.large import COMPARISONS, RATERS, VOTES_EACH, make_large_study

pytestmark = pytest.mark.django_db

MOST_QUERIES = 8
# Transactions and savepoints are opened and closed, not asked.
BRACKETS = ("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE")


def queries_of_cycles(study: Study, *, cycles: int) -> list[int]:
    """Enter as a browser does and count the queries of each vote-and-next request."""
    client = Client()
    client.post(f"/rate/{study.slug}/enter/")
    queue = client.get(f"/api/v1/studies/{study.slug}/trials/").json()
    counts = []
    for _ in range(cycles):
        trial = queue["trials"][0]
        body = json.dumps({"choice": "left", "response_ms": 900, "key": trial["key"]})
        with CaptureQueriesContext(connection) as captured:
            reply = client.post(f"/api/v1/trials/{trial['code']}/vote/", body, content_type="application/json")
        assert reply.status_code == 200, reply.content
        queue = reply.json()
        assert len(queue["trials"]) == 3
        counts.append(sum(not query["sql"].startswith(BRACKETS) for query in captured.captured_queries))
    return counts


def test_a_cycle_takes_eight_queries_at_most_and_as_many_in_a_very_large_study() -> None:
    small = queries_of_cycles(make_study(12), cycles=5)
    large = make_large_study()
    assert (large.comparisons.count(), Vote.objects.count()) == (COMPARISONS, 5 + RATERS * VOTES_EACH)
    assert max(small) <= MOST_QUERIES
    assert max(queries_of_cycles(large, cycles=5)) <= max(small)
