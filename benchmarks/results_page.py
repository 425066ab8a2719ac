"""How long the results page of a very large study takes, and how much memory: `python -m benchmarks.results_page`.

It fills a fresh database with a study of a million votes (10,000 comparisons, 5,000 raters), starts the web server as
the Procfile does, with one worker, and asks for the page: first with a server that has drawn nothing yet, then with
nothing kept, then again with the report kept. Beside it, in the same run: how long the database alone takes to count
the same votes by comparison and outcome.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, OpenerDirector, build_opener

ROOT = Path(__file__).resolve().parent.parent
ACCOUNT = {"username": "reader", "password": "a password of the benchmark"}
COUNT = """SELECT t.comparison_id, v.choice, t.swapped, count(*) FROM survey_vote v
           JOIN survey_trial t ON t.id = v.trial_id WHERE t.kind = 'normal' GROUP BY 1, 2, 3"""
FILL = """
from django.contrib.auth.models import User
from benchmarks.large_study import fill_study
User.objects.create_user(**{account!r})
study = fill_study(slug="large", comparisons={comparisons}, raters={raters}, votes_each={votes_each})
"""
TIME_COUNT = """
import time
from django.db import connection
with connection.cursor() as cursor:
    took = []
    for _ in range(3):
        start = time.perf_counter()
        cursor.execute({count!r})
        cursor.fetchall()
        took.append(time.perf_counter() - start)
print(min(took))
"""


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--comparisons", type=int, default=10_000)
    parser.add_argument("--raters", type=int, default=5_000)
    parser.add_argument("--votes-each", type=int, default=200)
    parser.add_argument("--database-url", default="", help="An empty PostgreSQL database; SQLite without it.")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="twinseed-page-"))
    env = {**os.environ, "TWINSEED_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "survey_site.settings"}
    env.pop("DATABASE_URL", None)
    if options.database_url:
        env["DATABASE_URL"] = options.database_url
    try:
        _measure(options, folder=folder, env=env)
    finally:
        shutil.rmtree(folder)


def _measure(options: argparse.Namespace, *, folder: Path, env: dict[str, str]) -> None:
    _manage(env, "migrate", "--verbosity=0")
    _manage(env, "collectstatic", "--noinput", "--verbosity=0")
    sizes = {name: getattr(options, name) for name in ("comparisons", "raters", "votes_each")}
    _python(env, FILL.format(account=ACCOUNT, **sizes))
    count = float(_python(env, TIME_COUNT.format(count=COUNT)))
    with _server(env) as (url, pid):
        reader = _signed_in(url)
        before = _memory(pid, "VmRSS")
        rows = [("first page of a fresh server", _seconds(reader, url))]
        for _ in range(3):
            shutil.rmtree(folder / "cache")
            rows.append(("nothing kept", _seconds(reader, url)))
        rows.append(("report kept", _seconds(reader, url)))
        extra = _memory(pid, "VmHWM") - before
    kind = "PostgreSQL" if options.database_url else "SQLite"
    print(f"{kind}: {options.raters * options.votes_each:,} votes; the database's own count takes {count:.2f} s\n")
    print("| results page | seconds | times the count |\n|---|---:|---:|")
    for name, seconds in rows:
        print(f"| {name} | {seconds:.2f} | {seconds / count:.2f} |")
    print(f"\nMemory of the web process at its highest, above what it held before: {extra:.0f} MB.")


def _seconds(reader: OpenerDirector, url: str) -> float:
    start = time.perf_counter()
    page = reader.open(f"{url}/studies/large/results/").read().decode()
    taken = time.perf_counter() - start
    if "points of net preference" not in page:
        raise SystemExit("The page has no headline; nothing was measured.")
    return taken


def _signed_in(url: str) -> OpenerDirector:
    reader = build_opener(HTTPCookieProcessor(CookieJar()))
    form = reader.open(f"{url}/sign-in/").read().decode()
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', form)
    if token is None:
        raise SystemExit("The sign-in page has no form.")
    reader.open(f"{url}/sign-in/", urlencode({**ACCOUNT, "csrfmiddlewaretoken": token[1]}).encode())
    return reader


@contextmanager
def _server(env: dict[str, str]) -> Iterator[tuple[str, int]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-m", "gunicorn", "survey_site.wsgi", "--workers=1", "--threads=4", f"--bind={address}"]
    server = subprocess.Popen([*command, "--timeout=120"], cwd=ROOT, env=env, stderr=subprocess.DEVNULL)
    try:
        _wait(f"http://{address}/sign-in/")
        children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
        yield f"http://{address}", int(children[0])
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(url: str) -> None:
    for _ in range(300):
        try:
            build_opener().open(url).read()
            return
        except URLError:
            time.sleep(0.1)
    raise SystemExit("The web server did not start.")


def _memory(pid: int, figure: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{figure}:")[1].split()[0]) / 1000


def _manage(env: dict[str, str], *words: str) -> None:
    subprocess.run([sys.executable, "manage.py", *words], cwd=ROOT, env=env, check=True)


def _python(env: dict[str, str], code: str) -> str:
    command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    return subprocess.run(command, cwd=ROOT, env=env, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
