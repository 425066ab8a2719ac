"""The pages of docs/papers say how a paper's comparison is run: what they tell people to type must work."""

import re
import shlex
import subprocess
import sys
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import CommandError, get_commands, load_command_class

from generation.class_lists import read_classes
from generation.diffusion.recipes import ELUCD, GRADCHECK, KAWAR, NON_ROBUST, PRESETS, Recipe
from generation.drawings import FIGURES
from generation.figures_at_work import CONTENT_TYPES
from generation.management.references import reference_from
from generation.recipe_files import read_setting

PAGES = Path(__file__).resolve().parents[2] / "docs" / "papers"
PAPERS = {"kawar-2023": KAWAR, "gradcheck-2024": GRADCHECK, "non-robust-2025": NON_ROBUST, "elucd-2023": ELUCD}
SHIPPED = {f"sportballs-{name}" for name in ("denoiser", "vanilla", "robust", "judge")}
# Only numbers are checked by the parsers; other words in capitals are texts and paths.
NUMBERS = {"BATCH": "1", "STEPS": "1000"}
FENCE = re.compile(r"^```[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)
LOOP = re.compile(r"for (\w+) in ([^;]*); do (.*); done")
LINK = re.compile(r"\[[^]]*\]\(([^)]+)\)")
CELL_SETTING = re.compile(r"`(\w+=[\w.]+)`")


@pytest.fixture(autouse=True)
def _folder_with_labels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # A file of labels is read while the words are parsed.
    (tmp_path / "imagenet.txt").write_text("tench\ngoldfish\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("page", PAPERS)
def test_every_command_is_one_that_its_parser_takes(page: str) -> None:
    lines = commands_of(page)
    for words in lines:
        parsed(words)
    assert {words[0] for words in lines} >= {"create_arm", "generate", "score_batch", "figure", "results"}


@pytest.mark.parametrize("page", PAPERS)
def test_every_arm_is_a_recipe_and_every_batch_has_arms_and_weights_of_its_page(page: str) -> None:
    weights, arms, batches = set(SHIPPED), set(), set()
    for words in commands_of(page):
        options = parsed(words)
        match words[0]:
            case "register_checkpoint":
                weights |= {options.name} if options.name else {path.name.rpartition(".")[0] for path in options.paths}
                weights |= {path.name for path in options.paths if not options.name}
            case "create_arm":
                Recipe.from_settings(settings_of(options))
                assert {options.denoiser, options.classifier} <= {*weights, None}, words
                arms.add(options.name)
            case "generate":
                assert set(options.arms) <= arms, words
                batches.add(options.name)
            case "figure":
                assert {options.batch} <= {*batches, None}, words
                assert set(getattr(options, "classifiers", None) or ()) <= weights, words
                assert set(getattr(options, "arms", None) or ()) <= arms, words
                assert {path.suffix.removeprefix(".") for path in options.out} <= set(suffixes(options.kind)), words
            case "score_batch":
                reference_from(options.reference)
                assert {options.judge} <= {*weights, None}, words
    assert arms
    assert batches


@pytest.mark.parametrize(("page", "paper"), PAPERS.items())
def test_the_table_of_arms_has_every_method_of_its_paper_with_its_settings(page: str, paper: str) -> None:
    rows = [line.split("|") for line in text_of(page).partition("## The arms")[2].splitlines() if "| `" in line]
    for _, _, key, settings, *_ in rows:
        preset = PRESETS[key.strip().strip("`")]
        told = dict(read_setting(word) for word in CELL_SETTING.findall(settings))
        assert Recipe.from_settings({"guidance": preset.recipe.guidance, **told}) == preset.recipe, key
    shown = {row[2].strip().strip("`") for row in rows}
    assert shown >= {preset.key for preset in PRESETS.values() if preset.paper == paper}


@pytest.mark.parametrize("page", [*PAPERS, "README"])
def test_every_relative_link_leads_to_a_file(page: str) -> None:
    links = [link.partition("#")[0] for link in LINK.findall(text_of(page)) if "://" not in link]
    assert links
    assert [link for link in links if not (PAGES / link).exists()] == []


def test_the_index_names_every_page() -> None:
    index = LINK.findall(text_of("README"))
    assert {path.name for path in PAGES.glob("*.md")} - {"README.md"} == {f"{page}.md" for page in PAPERS}
    assert {f"{page}.md" for page in PAPERS} <= set(index)


@pytest.mark.parametrize("page", ["kawar-2023", "elucd-2023"])
def test_the_classes_that_a_page_draws_at_random_are_a_list_that_generate_reads(page: str) -> None:
    (code,) = re.findall(r'CLASSES=\$\(python3 -c "([^"]+)"\)', text_of(page))
    drawn = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert len(read_classes(drawn, [f"class {index}" for index in range(1000)]).alone) == 200


def text_of(page: str) -> str:
    return (PAGES / f"{page}.md").read_text(encoding="utf-8")


def commands_of(page: str) -> list[list[str]]:
    """Every manage.py command of a page's fences, as words after manage.py, loops written out."""
    fences = "".join(FENCE.findall(text_of(page))).replace("\\\n", " ")
    return [words[1:] for line in fences.splitlines() for words in _words(line) if words[:1] == ["manage.py"]]


def parsed(words: list[str]) -> Namespace:
    """The options that a command's own parser makes of it."""
    name, *rest = words
    rest = [NUMBERS.get(word, word) for word in rest]
    try:
        return load_command_class(get_commands()[name], name).create_parser("manage.py", name).parse_args(rest)
    except (CommandError, SystemExit) as error:
        pytest.fail(f"manage.py {shlex.join(words)}: {error}")


def settings_of(options: Namespace) -> dict[str, object]:
    """The settings of the recipe that a create_arm asks for."""
    preset = PRESETS[options.preset].recipe.settings() if options.preset else {}
    return {**preset, **dict(read_setting(word) for word in options.set)}


def suffixes(kind: str) -> tuple[str, ...]:
    return tuple(CONTENT_TYPES) if FIGURES[kind].is_plot else ("png", "json")


def _words(line: str) -> Iterator[list[str]]:
    loop = LOOP.fullmatch(line.strip())
    if loop is None:
        yield shlex.split(line)
        return
    name, values, body = loop.groups()
    for value in values.split():
        yield from _words(re.sub(rf"\${name}\b", value, body))
