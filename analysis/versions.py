"""What computed a report: the software, and the arithmetic of the machine. Equal versions give equal bits."""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
# The figures of a report follow from these; charts and files are only drawn by others.
PACKAGES = ("numpy", "scipy")
DRAWN_BY = ("altair", "vl-convert-python")
GIT_TAKES_S = 5.0


@cache
def versions() -> dict[str, str]:
    """Name what the last bits of a figure depend on, then what draws; `unknown` for what cannot be told.

    twinseed: the release. code: sha256 over the analysis' own files, which tells whatever was changed since. commit:
    where those can be found. arithmetic: processor, its vector instructions and the number of threads, since sums in
    another order end in other bits.
    """
    return {
        "twinseed": _release(),
        "code": _code(),
        "commit": _commit(),
        "python": platform.python_version(),
        **{name: _installed(name) for name in PACKAGES},
        "arithmetic": _arithmetic(),
        **{name: _installed(name) for name in DRAWN_BY},
    }


def _release() -> str:
    project = ROOT / "pyproject.toml"
    if not project.is_file():
        return _installed("twinseed")
    return str(tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"])


def _installed(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "unknown"


def _code() -> str:
    digest = hashlib.sha256()
    for file in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(f"{file.relative_to(ROOT).as_posix()}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _commit() -> str:
    # Only a repository of our own: a copy of the code may lie inside somebody else's.
    commit = _git("rev-parse", "HEAD") if _git("rev-parse", "--show-toplevel") == str(ROOT) else ""
    return commit or "unknown"


def _git(*words: str) -> str:
    try:
        done = subprocess.run(
            ("git", "-C", str(ROOT), *words), capture_output=True, text=True, timeout=GIT_TAKES_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def _arithmetic() -> str:
    found = np.show_config(mode="dicts").get("SIMD Extensions", {}).get("found", [])
    threads = os.environ.get("OPENBLAS_NUM_THREADS") or os.environ.get("OMP_NUM_THREADS") or str(os.cpu_count())
    return f"{platform.machine()}, {' '.join(found) or 'no vector instructions'}, threads {threads}"
