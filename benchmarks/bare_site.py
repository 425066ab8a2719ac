"""The least that a vote can cost in Django: a view that INSERTs one row and commits. To measure beside, not to use.

No session, no CSRF, no middleware, no choosing. The database and its durability are those of the real site.
Run as a command, it makes the table.
"""

from __future__ import annotations

import uuid

from django.core.wsgi import get_wsgi_application
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import path

TABLE = "bare_vote"
REPLY = b"{}"


def vote(request: HttpRequest) -> HttpResponse:
    """Write one row with a unique key; autocommit makes it durable before the answer."""
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {TABLE} (key, choice) VALUES (%s, %s)", [uuid.uuid4().hex, "left"])
    # With a length, the connection can be kept.
    return HttpResponse(REPLY, content_type="application/json", headers={"Content-Length": str(len(REPLY))})


urlpatterns = [path("vote/", vote)]
application = get_wsgi_application()

if __name__ == "__main__":
    with connection.cursor() as first:
        first.execute(f"CREATE TABLE IF NOT EXISTS {TABLE} (id integer, key varchar(32) UNIQUE, choice varchar(5))")
