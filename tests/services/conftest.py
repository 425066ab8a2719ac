"""A PostgreSQL of our own for the tests that need one."""

from collections.abc import Callable, Iterator
from urllib.parse import quote
from uuid import uuid4

import psycopg
import pytest

from tests.services.postgres import Cluster


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """Start a private cluster, and take it down at the end."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def new_database(request: pytest.FixtureRequest) -> Callable[[str], str | None]:
    """Return a function from a database's kind to the DATABASE_URL of a fresh one (None: SQLite's default)."""

    def create(kind: str) -> str | None:
        if kind == "sqlite":
            return None
        cluster: Cluster = request.getfixturevalue("postgres")
        name = f"twinseed_{uuid4().hex[:8]}"
        with psycopg.connect(host=str(cluster.folder), user="postgres", dbname="postgres", autocommit=True) as server:
            server.execute(f"CREATE DATABASE {name}")
        return f"postgres://postgres@{quote(str(cluster.folder), safe='')}/{name}"

    return create
