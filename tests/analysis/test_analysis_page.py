"""docs/analysis.md names every method, every error code and every part of the report."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from analysis.files.citations import cited
from analysis.methods import METHODS
from analysis.rater_filters import FILTERS
from tests.analysis.files.reports import table_2

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "analysis.md").read_text(encoding="utf-8")


def codes() -> Iterator[str]:
    """Every code that the statistics give: the first argument of Unavailable and InvalidVotes."""
    for path in (ROOT / "analysis").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.args:
                code = node.args[0]
                named = node.func.id in {"Unavailable", "InvalidVotes"} and isinstance(code, ast.Constant)
                # A chart's own words for what a report does not hold are no part of a report.
                if named and "charts" not in path.parts:
                    yield code.value


@pytest.mark.parametrize("code", sorted(set(codes())))
def test_every_error_code_is_explained(code: str) -> None:
    assert f"`{code}`" in PAGE


@pytest.mark.parametrize("name", METHODS)
def test_every_method_is_named(name: str) -> None:
    assert name in PAGE


@pytest.mark.parametrize("name", METHODS)
def test_every_method_s_sources_are_named(name: str) -> None:
    for publication in cited(METHODS[name].citation):
        assert publication.surnames[0] in PAGE
        assert publication["year"] in PAGE


@pytest.mark.parametrize("name", FILTERS)
def test_every_filter_is_named(name: str) -> None:
    assert f"`{name}`" in PAGE


def test_every_part_of_the_json_is_named() -> None:
    small = {"orientation", "methods", "thresholds", "per_pair_side_votes"}
    assert [name for name in table_2().as_json() if name not in small and f"`{name}`" not in PAGE] == []
