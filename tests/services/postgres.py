"""A private PostgreSQL cluster: own folder, a socket in it, no network port."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

INSTALL = "PostgreSQL's server programs are missing. Install them with: apt-get install postgresql"
# Debian keeps them off the path, one folder a version.
DEBIAN = Path("/usr/lib/postgresql")


class Cluster:
    """Use as a context manager. `folder` holds the socket; the superuser is postgres, trusted."""

    def __enter__(self) -> "Cluster":
        self.programs = _programs()
        # Short: a socket's path has at most 107 characters.
        self.folder = Path(tempfile.mkdtemp(prefix="tw-pg-"))
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
        self._run("initdb", "--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-sync")
        options = f"-c listen_addresses='' -c unix_socket_directories={self.folder} -c max_connections=50"
        self._run("pg_ctl", "start", "--wait", f"--options={options}", f"--log={self.folder / 'server.log'}")
        return self

    def __exit__(self, *_: object) -> None:
        self._run("pg_ctl", "stop", "--mode=immediate")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        # PostgreSQL refuses to run as root.
        become = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        command = [*become, str(self.programs / program), f"--pgdata={self.folder / 'data'}", *arguments]
        done = subprocess.run(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, check=False, cwd=self.folder
        )
        assert done.returncode == 0, done.stderr


def _programs() -> Path:
    on_path = shutil.which("initdb")
    folders = [Path(on_path).parent] if on_path else sorted(DEBIAN.glob("*/bin"))
    folders = [folder for folder in folders if (folder / "initdb").exists()]
    assert folders, INSTALL
    return folders[-1]
