"""Whatever raters can read is there in each of their languages, and says the same with the same blanks to fill."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from gettext import GNUTranslations
from pathlib import Path

import polib
import pytest
from django.conf import settings

ROOT = settings.BASE_DIR
TRANSLATED = [code for code, _ in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
BLANK = re.compile(r"%\(\w+\)s|\{\w+\}|</?\w+>")
"""A value to fill in, or a tag."""
COUNTER = re.compile(r"%\((counter|n)\)s|\{n\}")
REMEDY = "Type: make messages; then translate what is new, and type it again."


def folder(language: str) -> Path:
    return ROOT / "locale" / language / "LC_MESSAGES"


def catalogue(language: str) -> polib.POFile:
    return polib.pofile(str(folder(language) / "django.po"))


def strings(entry: polib.POEntry | polib.MOEntry) -> list[str]:
    return list(entry.msgstr_plural.values()) if entry.msgid_plural else [entry.msgstr]


def numbers(language: str) -> dict[int, list[int]]:
    """Return the numbers to 1000 that each plural form stands for."""
    with (folder(language) / "django.mo").open("rb") as file:
        form_of = GNUTranslations(file).plural  # type: ignore[attr-defined]
    return {form: [n for n in range(1001) if form_of(n) == form] for form in {form_of(n) for n in range(1001)}}


def blanks(text: str) -> Counter[str]:
    return Counter(BLANK.findall(text))


def pairs(language: str) -> Iterator[tuple[str, str]]:
    """Yield each translation with the English that it must agree with."""
    stands_for = numbers(language)
    for entry in catalogue(language):
        if not entry.msgid_plural:
            yield entry.msgid, entry.msgstr
        for form, text in entry.msgstr_plural.items():
            if len(stands_for[form]) > 1:
                yield entry.msgid_plural, text
            else:
                # The form of one number may say it in a word.
                yield COUNTER.sub("", entry.msgid_plural), COUNTER.sub("", text)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> polib.POFile:
    """Gather the words of the pages as they are now, in a copy of them."""
    copy = tmp_path_factory.mktemp("words")
    for part in ("survey_site", "generation", "analysis", "templates"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"))
    (copy / "locale").mkdir()
    words = [sys.executable, "-m", "django", "makemessages", "--locale=de", "--keep-pot"]
    surroundings = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(words, cwd=copy, env=surroundings, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stderr}\nxgettext comes with gettext: tests/install_tools.sh"
    return polib.pofile(str(copy / "locale" / "django.pot"))


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_word_of_the_pages_is_in_the_catalogue_and_no_other(language: str, template: polib.POFile) -> None:
    needed = {(entry.msgid, entry.msgid_plural) for entry in template}
    there = {(entry.msgid, entry.msgid_plural) for entry in catalogue(language) if not entry.obsolete}
    assert needed - there == set(), REMEDY
    assert there - needed == set(), REMEDY


@pytest.mark.parametrize("language", TRANSLATED)
def test_everything_is_translated_and_nothing_guessed(language: str) -> None:
    assert [entry.msgid for entry in catalogue(language) if entry.fuzzy or not all(strings(entry))] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_what_is_compiled_is_what_was_translated(language: str) -> None:
    compiled = {entry.msgid: strings(entry) for entry in polib.mofile(str(folder(language) / "django.mo"))}
    assert compiled == {entry.msgid: strings(entry) for entry in catalogue(language) if not entry.obsolete}, REMEDY


@pytest.mark.parametrize("language", TRANSLATED)
def test_every_plural_form_that_the_language_has_is_there(language: str) -> None:
    forms = set(numbers(language))
    assert [
        entry.msgid for entry in catalogue(language) if entry.msgid_plural and set(entry.msgstr_plural) != forms
    ] == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_a_translation_has_the_blanks_and_tags_of_the_english(language: str) -> None:
    wrong = [(english, text) for english, text in pairs(language) if blanks(english) != blanks(text)]
    assert wrong == []


@pytest.mark.parametrize("language", TRANSLATED)
def test_no_translation_ends_the_attribute_it_stands_in(language: str) -> None:
    texts = [text for entry in catalogue(language) for text in strings(entry)]
    assert [text for text in texts if '"' in text or re.search(r"&(?!\w+;)", text)] == []


def test_languages_have_as_many_plural_forms_as_grammar_says() -> None:
    assert numbers("de").keys() == {0, 1}
    assert [numbers("ar")[form][0] for form in range(6)] == [0, 1, 2, 3, 11, 100]
