"""What keeps Twinseed from starting is one sentence that says what to do."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def manage(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_a_port_in_use_is_one_sentence_with_another_port() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = manage("preflight", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert f"make run PORT={port + 1}" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_free_port_is_fine() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert manage("preflight", "--port", str(port)).returncode == 0


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    done = manage("check", TWINSEED_VAR=str(tmp_path / "file" / "var"))
    assert done.returncode == 1
    assert done.stderr.startswith("Twinseed cannot start: Cannot create")
    assert "set TWINSEED_VAR to a folder of yours" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("name", "value"),
    [("TWINSEED_TORCH_THREADS", "many"), ("TWINSEED_CHUNK_LEASE", "0"), ("DJANGO_DEBUG", "perhaps")],
)
def test_a_setting_that_makes_no_sense_is_named(name: str, value: str) -> None:
    done = manage("check", **{name: value})
    assert done.returncode == 1
    assert name in done.stderr
    assert value in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("address", ["nonsense", "impossible://user:secret@host/name"])
def test_an_address_that_is_no_database_s_is_one_sentence_without_the_password(address: str) -> None:
    done = manage("preflight", DATABASE_URL=address)
    assert done.returncode == 1
    assert done.stderr.startswith("Twinseed cannot start: DATABASE_URL is no database address")
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_a_database_without_tables_is_one_sentence_with_the_command_that_makes_them(tmp_path: Path) -> None:
    done = manage("recount", "--check", TWINSEED_VAR=str(tmp_path), DATABASE_URL=f"sqlite:///{tmp_path}/new.sqlite3")
    assert done.returncode == 1
    assert "manage.py migrate" in done.stderr
    assert "Traceback" not in done.stderr


def test_all_processes_are_told_the_one_address_that_was_asked_for() -> None:
    # honcho counts PORT up from process to process: whoever reads it looks for the server in the wrong place.
    procfile = (ROOT / "Procfile").read_text()
    assert procfile.count("${TWINSEED_PORT}") == 2
    assert "${PORT}" not in procfile


BIND = """
import json
import os
import django; django.setup()
from survey_site.celery import app
with app.connection_for_write() as connection:
    channel = connection.default_channel
    for queue in app.amqp.queues.values():
        queue.bind(channel).declare()
    app.control.mailbox.Node(f"worker-{os.getpid()}@here", channel=channel).listen()
"""


def test_workers_can_start_at_once_in_a_new_folder(tmp_path: Path) -> None:
    env = {**os.environ, "TWINSEED_VAR": str(tmp_path), "DJANGO_SETTINGS_MODULE": "survey_site.settings"}
    env.pop("TWINSEED_BROKER", None)
    workers = [subprocess.Popen([sys.executable, "-c", BIND], cwd=ROOT, env=env) for _ in range(4)]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0, 0, 0]
    # The binding that was there from the start is the one that a worker makes: it was not added a second time.
    control = tmp_path / "broker" / "control"
    assert json.loads((control / "celery.exchange").read_text()) == [["celery", "", "celery"]]
    assert len(json.loads((control / "celery.pidbox.exchange").read_text())) == 4
    assert {path.suffix for path in control.iterdir()} == {".exchange"}


def test_the_limits_cache_and_rates_come_from_the_environment(tmp_path: Path) -> None:
    code = (
        "from survey_site import settings; import json;"
        "print(json.dumps([settings.CACHES['limits']['BACKEND'], settings.CACHES['limits']['LOCATION'],"
        " settings.LIMITS['enter']['address'], settings.LIMITS['vote']['rater'], settings.TRUSTED_PROXIES]))"
    )
    environment = {
        "TWINSEED_VAR": str(tmp_path),
        "TWINSEED_CACHE_URL": "redis://cache:6379/1",
        "TWINSEED_ENTRIES_PER_HOUR": "7",
        "TWINSEED_VOTES_PER_MINUTE": "0",
        "TWINSEED_TRUSTED_PROXIES": "2",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True
    )
    redis = "django.core.cache.backends.redis.RedisCache"
    assert json.loads(done.stdout) == [redis, "redis://cache:6379/1", "7/h", None, 2]
