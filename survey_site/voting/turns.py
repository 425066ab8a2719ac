"""Writers' turns on SQLite: who comes first writes first.

SQLite lets one transaction write at a time, and one that comes in between sleeps and looks again, ever longer: of
thirty raters who vote at once a few wait for a second. A lock on a file wakes the next one as soon as it is free.
Other databases lock rows, and need no turns.
"""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from django.db import OperationalError, connection, transaction

T = TypeVar("T")
# PostgreSQL: serialization_failure, deadlock_detected. Nothing was kept, and the same again may go well.
WORTH_A_RETRY = frozenset({"40001", "40P01"})
RETRIES = 2


def settled(act: Callable[[], T]) -> T:
    """Do an act in a transaction of its own, in turn; once more, and once more, where PostgreSQL asks for it."""
    for _attempt in range(RETRIES):
        try:
            with writing():
                return act()
        except OperationalError as error:
            if connection.in_atomic_block or getattr(error.__cause__, "sqlstate", "") not in WORTH_A_RETRY:
                raise
    with writing():
        return act()


@contextmanager
def writing() -> Iterator[None]:
    """Open a transaction that is going to write, after those of other raters' requests that came before."""
    with _turn(), transaction.atomic():
        yield


@contextmanager
def _turn() -> Iterator[None]:
    name = str(connection.settings_dict["NAME"])
    # A transaction that is part of another has its turn already; a database in memory has no neighbours.
    if connection.vendor != "sqlite" or connection.in_atomic_block or not Path(name).is_file():
        yield
        return
    with Path(f"{name}-turns").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
