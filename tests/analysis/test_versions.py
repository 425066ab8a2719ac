"""What is said of the software that computed a report."""

import platform
import subprocess
import sys
from pathlib import Path

import numpy as np
import scipy

import analysis
from analysis.versions import versions


def test_the_versions_are_those_that_compute() -> None:
    told = versions()
    assert (told["python"], told["numpy"], told["scipy"]) == (
        platform.python_version(),
        np.__version__,
        scipy.__version__,
    )
    assert platform.machine() in told["arithmetic"]


def test_the_release_is_the_projects() -> None:
    project = Path(analysis.__file__).parents[1] / "pyproject.toml"
    assert f'version = "{versions()["twinseed"]}"' in project.read_text()


def test_the_commit_is_that_of_the_repository_or_is_not_told() -> None:
    root = Path(analysis.__file__).parents[1]
    head = subprocess.run(["git", "-C", root, "log", "-1", "--format=%H"], capture_output=True, text=True, check=False)
    assert versions()["commit"] in {head.stdout.strip(), "unknown"}


def test_another_line_of_code_is_another_code(tmp_path: Path) -> None:
    def code_of(folder: Path) -> str:
        run = [sys.executable, "-c", "from analysis.versions import versions; print(versions()['code'])"]
        return subprocess.run(run, cwd=folder, capture_output=True, text=True, check=True).stdout

    source = Path(analysis.__file__).parent
    for name in ("one", "two"):
        (tmp_path / name / "analysis").mkdir(parents=True)
        (tmp_path / name / "analysis" / "__init__.py").write_text("")
        (tmp_path / name / "analysis" / "versions.py").write_text((source / "versions.py").read_text())
    assert code_of(tmp_path / "one") == code_of(tmp_path / "two")
    (tmp_path / "two" / "analysis" / "__init__.py").write_text("# changed\n")
    assert code_of(tmp_path / "one") != code_of(tmp_path / "two")
