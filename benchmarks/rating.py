"""How many votes a second the site takes, and what one costs: `python -m benchmarks.rating [--postgresql]`.

A fresh database with an open study, the web server as the Procfile starts it (two gunicorn workers; sessions, CSRF and
durable commits on), and 1, 8 and 32 raters who vote without a pause. Beside it, in turns within the same run: a bare
Django view that INSERTs one row, on the same server program and the same kind of database. CPU time is that of the web
workers; a database server's own is extra and is said.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load_client import Load, play_raters, send_bare_votes
from tests.live import free_port
from tests.services.postgres import Cluster

ROOT = Path(__file__).resolve().parent.parent
TICKS = os.sysconf("SC_CLK_TCK")
LEAST_RATIO, MOST_P95_MS, MOST_CPU_MS = 0.12, 200, 6.0
BARE = {"DJANGO_SETTINGS_MODULE": "benchmarks.bare_settings"}
OPEN_STUDY = """
from tests.factories import make_study, make_study_with_files
make = make_study_with_files if {images} else make_study
make({comparisons}, slug="load")
"""
ANALYZE = """
from django.db import connection
with connection.cursor() as cursor:
    cursor.execute("ANALYZE")
"""
FILL = """
from benchmarks.large_study import fill_study
fill_study(slug="load", comparisons={comparisons}, raters={raters}, votes_each={votes_each}, status="open")
"""
# As measured for the peers' default installations on two cores; zero-think raters, votes a second at 32 of them.
PEERS = (("Label Studio 1.23, SQLite", 8.0), ("Label Studio 1.23, PostgreSQL", 17.4), ("Potato 2.12", 26.1))


@dataclass(frozen=True)
class Site:
    """A running server: where it listens, and the processes whose CPU time is counted."""

    port: int
    pid: int

    def cpu_seconds(self) -> float:
        """Return the CPU time that the workers have taken so far."""
        return sum(_cpu(int(pid)) for pid in _children(self.pid))

    def memory(self) -> float:
        """Return the resident memory of the workers together, in MB."""
        statuses = [Path(f"/proc/{pid}/status").read_text() for pid in _children(self.pid)]
        return sum(int(status.split("VmRSS:")[1].split()[0]) for status in statuses) / 1000


@dataclass(frozen=True)
class Row:
    """One number of raters: their load, what a vote took of the workers, and the bare view's load around it."""

    raters: int
    load: Load
    cpu_ms: float
    bare: float
    bare_cpu_ms: float
    memory: float

    @property
    def ratio(self) -> float:
        """Return votes a second over the bare view's INSERTs a second."""
        return self.load.per_second / self.bare


def main() -> None:
    """Measure, print one table, leave with status 1 where a limit is passed."""
    options = _options()
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="twinseed-rating-"))
        stack.callback(shutil.rmtree, folder)
        env = _env(folder, url=stack.enter_context(_cluster()) if options.postgresql else "")
        _prepare(env, options)
        rows = [_measured(env, options, raters=raters) for raters in options.raters]
    _print(rows, kind="PostgreSQL" if options.postgresql else "SQLite")
    if options.json:
        options.json.write_text(json.dumps([_figures(row) for row in rows], indent=1))
    sys.exit(any(_complaints(row) for row in rows))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--postgresql", action="store_true", help="A private PostgreSQL server instead of SQLite.")
    parser.add_argument("--raters", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=8, help="Of each measurement.")
    parser.add_argument("--comparisons", type=int, default=200, help="As many as the peers were measured with.")
    parser.add_argument("--votes", type=int, default=0, help="Votes that are in the database before.")
    parser.add_argument("--door", choices=("api", "page"), default="api")
    parser.add_argument("--images", action="store_true", help="Fetch both images of every pair too.")
    parser.add_argument("--json", type=Path, help="Write the figures there.")
    return parser.parse_args()


def _env(folder: Path, *, url: str) -> dict[str, str]:
    own = {"TWINSEED_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "survey_site.settings"}
    # These raters are faster than people and share one address: limits are counted, as on any site, and never met.
    names = ("ENTRIES_PER_HOUR", "VOTES_PER_MINUTE", "ADDRESS_VOTES_PER_MINUTE")
    names += ("IMAGES_PER_MINUTE", "ADDRESS_IMAGES_PER_MINUTE")
    limits = {f"TWINSEED_{name}": "1000000000" for name in names}
    kept = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return {**kept, **own, **limits, **({"DATABASE_URL": url} if url else {})}


@contextmanager
def _cluster() -> Iterator[str]:
    with Cluster() as cluster:
        yield f"postgres://postgres@{str(cluster.folder).replace('/', '%2F')}/postgres"


def _prepare(env: dict[str, str], options: argparse.Namespace) -> None:
    for command in (["migrate", "--verbosity=0"], ["collectstatic", "--noinput", "--verbosity=0"]):
        subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, env=env, check=True)
    each = min(200, options.comparisons)
    code = OPEN_STUDY.format(images=options.images, comparisons=options.comparisons)
    if options.votes:
        code = FILL.format(comparisons=options.comparisons, raters=options.votes // each, votes_each=each)
    _python(env, code)


def _python(env: dict[str, str], code: str) -> None:
    subprocess.run([sys.executable, "-c", f"import django; django.setup()\n{code}"], cwd=ROOT, env=env, check=True)


def _measured(env: dict[str, str], options: argparse.Namespace, *, raters: int) -> Row:
    """Take turns: the bare view, the site, the bare view again."""
    with _served("benchmarks.bare_site", env={**env, **BARE}) as bare:
        first, cpu_before = _bare(bare, raters=raters, seconds=options.seconds / 2)
    with _served("survey_site.wsgi", env=env) as site:
        # The first requests import and compile; people meet a server that is warm.
        play_raters(site.port, "load", raters=4, seconds=1)
        if "DATABASE_URL" in env:
            # What the server does by itself a minute after the first rows came in.
            _python(env, ANALYZE)
        before = site.cpu_seconds()
        load = play_raters(
            site.port, "load", raters=raters, seconds=options.seconds, door=options.door, images=options.images
        )
        cpu, memory = site.cpu_seconds() - before, site.memory()
    with _served("benchmarks.bare_site", env={**env, **BARE}) as bare:
        second, cpu_after = _bare(bare, raters=raters, seconds=options.seconds / 2)
    return Row(
        raters,
        load,
        cpu_ms=1000 * cpu / len(load.seconds),
        bare=(first + second) / 2,
        bare_cpu_ms=(cpu_before + cpu_after) / 2,
        memory=memory,
    )


def _bare(site: Site, *, raters: int, seconds: float) -> tuple[float, float]:
    before = site.cpu_seconds()
    load = send_bare_votes(site.port, senders=raters, seconds=seconds)
    assert not load.errors, f"{load.errors} bare INSERTs failed"
    return load.per_second, 1000 * (site.cpu_seconds() - before) / len(load.seconds)


@contextmanager
def _served(module: str, *, env: dict[str, str]) -> Iterator[Site]:
    if module == "benchmarks.bare_site":
        subprocess.run([sys.executable, "-m", module], cwd=ROOT, env=env, check=True)
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", f"{module}:application", "--workers=2", "--threads=4"]
    server = subprocess.Popen([*command, f"--bind=127.0.0.1:{port}", "--log-level=warning"], cwd=ROOT, env=env)
    try:
        _wait(server.pid)
        yield Site(port, server.pid)
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(pid: int) -> None:
    for _ in range(300):
        if len(_children(pid)) == 2:
            # Both are there; each still loads the application, and connections wait in the listening socket.
            return
        time.sleep(0.1)
    raise SystemExit("The web server did not start.")


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()


def _cpu(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _complaints(row: Row) -> list[str]:
    found = {
        f"{row.load.errors} votes failed": row.load.errors > 0,
        f"{row.ratio:.2f} of the bare view is below {LEAST_RATIO}": row.ratio < LEAST_RATIO,
        f"p95 of {row.load.quantile(0.95):.0f} ms is above {MOST_P95_MS}": row.load.quantile(0.95) > MOST_P95_MS,
        f"{row.cpu_ms:.1f} CPU ms a vote are above {MOST_CPU_MS}": row.cpu_ms > MOST_CPU_MS,
    }
    return [sentence for sentence, holds in found.items() if holds]


def _figures(row: Row) -> dict[str, float]:
    quantiles = {f"p{round(100 * share)}_ms": row.load.quantile(share) for share in (0.5, 0.95, 0.99)}
    return {
        "raters": row.raters,
        "votes_per_second": row.load.per_second,
        "errors": row.load.errors,
        "images": row.load.images,
        **quantiles,
        "cpu_ms": row.cpu_ms,
        "bare_per_second": row.bare,
        "bare_cpu_ms": row.bare_cpu_ms,
        "ratio": row.ratio,
        "memory_mb": row.memory,
    }


def _print(rows: list[Row], *, kind: str) -> None:
    print(f"\n{kind}, two gunicorn workers of four threads\n")
    print("| raters | votes/s | errors | p50 | p95 | p99 ms | CPU ms a vote | bare view/s | ratio | memory MB |")
    print("|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|")
    for row in rows:
        times = " | ".join(f"{row.load.quantile(share):.0f}" for share in (0.5, 0.95, 0.99))
        print(
            f"| {row.raters} | {row.load.per_second:.0f} | {row.load.errors} | {times} | {row.cpu_ms:.1f} "
            f"| {row.bare:.0f} ({row.bare_cpu_ms:.2f} CPU ms) | {row.ratio:.2f} | {row.memory:.0f} |"
        )
    most = rows[-1].load.per_second
    print("\nPeers, measured elsewhere on two cores (votes/s at 32 raters), and how many times as many came here:")
    print("; ".join(f"{name} {votes:.1f} ({most / votes:.0f} times)" for name, votes in PEERS))
    for row in rows:
        print("".join(f"\nLIMIT PASSED at {row.raters} raters: {sentence}" for sentence in _complaints(row)), end="")


if __name__ == "__main__":
    main()
