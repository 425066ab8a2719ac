"""A whole site on this machine, for tests that need more than one process: own folder, own database, own port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

ROOT = Path(__file__).resolve().parent.parent
SECONDS_TO_START = 30


class LiveSite:
    """gunicorn, as the Procfile starts it, on a fresh database. Use as a context manager."""

    application = "survey_site.wsgi"

    def __init__(self, folder: Path, *, database_url: str | None = None) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self.env = {**os.environ, "TWINSEED_VAR": str(folder), "DJANGO_SETTINGS_MODULE": "survey_site.settings"}
        self.env.pop("DATABASE_URL", None)
        if database_url:
            self.env["DATABASE_URL"] = database_url

    def __enter__(self) -> "LiveSite":
        self.manage("migrate", "--verbosity=0")
        self.manage("collectstatic", "--noinput", "--verbosity=0")
        self.log = (self.folder / "gunicorn.log").open("w")
        address = self.url.removeprefix("http://")
        command = ["gunicorn", self.application, "--workers=2", "--threads=4", f"--bind={address}"]
        self.server = subprocess.Popen(
            [sys.executable, "-m", *command], cwd=ROOT, env=self.env, stdout=self.log, stderr=self.log
        )
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.send_signal(signal.SIGTERM)
        self.server.wait(timeout=20)
        self.log.close()

    def manage(self, *arguments: str) -> str:
        """Run a management command to its end and return what it printed."""
        return self._run(["manage.py", *arguments])

    def python(self, code: str) -> Any:
        """Run a line of Python in the site's own surroundings; return the JSON value it leaves in `result`."""
        lines = f"import django, json; django.setup()\n{code}\nprint(json.dumps(result))"
        return json.loads(self._run(["-c", lines]).splitlines()[-1])

    def study(self, **options: Any) -> str:
        """Open a study of drawn images and return its slug."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in options.items())
        return str(self.python(f"from tests.factories import *; result = make_study_with_files({arguments}).slug"))

    def _run(self, arguments: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.env, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def _wait(self) -> None:
        deadline = time.monotonic() + SECONDS_TO_START
        while time.monotonic() < deadline and self.server.poll() is None:
            with suppress(URLError, ConnectionError, TimeoutError), urlopen(f"{self.url}/static/icon.svg", timeout=5):
                return
            time.sleep(0.1)
        raise AssertionError(f"The server did not start: {(self.folder / 'gunicorn.log').read_text()}")


def free_port() -> int:
    """Return a port that nothing listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
