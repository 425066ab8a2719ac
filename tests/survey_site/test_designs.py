"""How a study asks, as a document: what it refuses and how it says so, files that read back, words."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_site.design.design_files import as_json_text, as_toml, read_design
from survey_site.design.designs import Checks, Design, Entry, GoldPair, InvalidDesign, Order, Page, Welcome
from survey_site.drafts.design_words import described

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
# Sections and settings under their real names with anything in them: what a file with a slip looks like.
NAMES = {name: list(part) for name, part in Design().as_json().items()}
NEARLY = st.fixed_dictionaries(
    {},
    optional={
        name: st.dictionaries(st.sampled_from([*settings, "misspelt"]), JSON, max_size=3) | JSON
        for name, settings in NAMES.items()
    },
)
LINES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
SAID = LINES.filter(lambda line: bool(line.strip()))


def some(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Tables with some of these settings."""
    return st.fixed_dictionaries({}, optional=optional)


def rows(*, most: int = 3, **needed: st.SearchStrategy[Any]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of tables with all of these settings."""
    return st.lists(st.fixed_dictionaries(needed), max_size=most)


OPTIONS = st.lists(SAID, max_size=3, unique_by=str.strip).map(
    lambda texts: [{"text": text, "screens_out": n == 1, "quota": n or None} for n, text in enumerate(texts)]
)
FOLLOWABLE = some(
    entry=some(
        raters_wanted=st.none() | st.integers(1, 99),
        endings=some(complete=some(code=st.from_regex(r"[A-Z0-9_-]{0,9}", fullmatch=True)), returned=some()),
    ),
    welcome=some(
        consent=LINES,
        questionnaire=rows(text=SAID, options=OPTIONS, required=st.booleans()).map(
            lambda items: [{**item, "key": f"item_{n}"} for n, item in enumerate(items)]
        ),
    ),
    order=some(trials_per_rater=st.none() | st.integers(1, 10**6), exploration=st.floats(0, 1)),
    checks=some(
        gold=rows(
            image_a=st.integers(1, 9),
            image_b=st.integers(1, 9),
            expected=st.sampled_from(["a", "tie"]),
            explanation=LINES,
        )
    ),
    page=some(strength=st.booleans(), questions=st.just([{"key": "fit", "text": 'Which \\ "fits"?\nReally?\x7f'}])),
)


@given(JSON | NEARLY)
def test_no_document_makes_anything_but_a_design_or_one_sentence(said: Any) -> None:
    try:
        design = Design.of(said)
    except InvalidDesign as error:
        sentence = str(error)
        assert sentence
        assert "Input should" not in sentence
        assert "validation error" not in sentence
    else:
        assert Design.of(design.as_json()) == design


@given(st.binary() | JSON.map(lambda said: json.dumps(said).encode()), st.sampled_from(["x.toml", "x.json", "X.JSON"]))
def test_no_file_makes_anything_but_a_design_or_one_sentence(data: bytes, name: str) -> None:
    with suppress(InvalidDesign):
        assert read_design(data, name=name).sha256


@given(FOLLOWABLE)
def test_both_files_read_back_to_the_same_hash_and_words(said: dict[str, Any]) -> None:
    design = Design.of(said)
    for text, name in ((as_toml(design), "a.toml"), (as_json_text(design), "a.json")):
        read = read_design(text.encode(), name=name)
        assert (read, read.sha256) == (design, design.sha256)
        assert described(read) == described(design)


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ([], "The design must be a table of settings"),
        ({"ordr": {}}, "ordr: is no setting; correct its name or take it out"),
        ({"order": {"votes_min": 0}}, "order.votes_min: must be at least 1"),
        ({"order": {"break_after": 1.5}}, "order.break_after: must be a whole number"),
        ({"order": {"votes_min": 5, "votes_max": 2}}, "order: votes_min is larger than votes_max; swap them"),
        ({"page": {"strength": "perhaps"}}, "page.strength: must be true or false"),
        ({"page": {"frame": "pink"}}, "page.frame: must be 'auto', 'light' or 'dark'"),
        (
            {"entry": {"endings": {"complete": {"url": "http://x"}}}},
            "entry.endings.complete.url: must begin with https:// and hold no spaces",
        ),
        (
            {"entry": {"person_parameter": "9"}},
            "entry.person_parameter: must begin with a letter and go on with letters, digits, - and _, at most 40 in "
            "all",
        ),
        ({"welcome": {"questionnaire": [{"key": "age"}]}}, "welcome.questionnaire.0.text: is missing; say it"),
        ({"checks": {"least_right": float("nan")}}, "checks.least_right: must be a number that is not infinite"),
        ({"order": {"break_after": 10**5000}}, "The design is nested too deeply or holds an endless number"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(said: Any, sentence: str) -> None:
    with pytest.raises(InvalidDesign) as caught:
        Design.of(said)
    assert str(caught.value) == sentence


def test_a_document_that_is_nested_without_end_is_refused() -> None:
    said: dict[str, Any] = {}
    for _ in range(100_000):
        said = {"order": said}
    with pytest.raises(InvalidDesign, match="nested too deeply"):
        Design.of(said)
    with pytest.raises(InvalidDesign, match="not readable JSON"):
        read_design(b'{"order":' * 100_000, name="deep.json")


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"order = [", "x.toml", "x.toml is not readable TOML"),
        (b"{", "x.json", "x.json is not readable JSON"),
        (b"\xff\xfe", "x.toml", "x.toml is not UTF-8 text; save it as UTF-8"),
        (b" " * (1024 * 1024 + 1), "x.toml", "x.toml has 1048577 bytes; a design has a few thousand"),
        (b"[order]\nbaseline = 2024-01-01", "x.toml", "order: name the baseline arm if the pairing is"),
    ],
)
def test_what_is_wrong_with_a_file_is_said(data: bytes, name: str, sentence: str) -> None:
    with pytest.raises(InvalidDesign) as caught:
        read_design(data, name=name)
    assert str(caught.value).startswith(sentence)


def test_a_byte_order_mark_is_no_hindrance() -> None:
    assert read_design(b"\xef\xbb\xbf[page]\nstrength = true", name="x.toml").page.strength


def test_a_consent_text_reads_as_lines_in_its_file() -> None:
    design = Design(welcome=Welcome(consent='You may stop.\n\n"Any" time, \\ no reason.'))
    assert 'consent = """\nYou may stop.\n\n' in as_toml(design)
    assert read_design(as_toml(design).encode(), name="x.toml") == design


def test_the_words_name_what_is_set() -> None:
    design = Design(
        entry=Entry(way="platform", platform="prolific", raters_wanted=30),
        order=Order(trials_per_rater=40, votes_min=3),
        checks=Checks(per_block=1, gold=(GoldPair(image_a=1, image_b=2, expected="a", for_practice=True),)),
        page=Page(strength=True, language="de"),
    )
    words = " / ".join(sentence for _, sentences in described(design) for sentence in sentences)
    for said in (
        "Prolific",
        "At most 30 raters",
        "40 comparisons for each rater",
        "at least 3",
        "1 of every 10 trials",
        "1 pair of your own for practice",
        "Much or slightly",
        "German",
    ):
        assert said in words


def test_the_guides_example_is_a_design() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "rating.md").read_text()
    design = read_design(guide.partition("```toml\n")[2].partition("```")[0].encode(), name="guide.toml")
    assert design.welcome.questionnaire[0].options[1].screens_out
    assert design.order.trials_per_rater == 60


def test_a_character_that_no_database_keeps_is_refused() -> None:
    with pytest.raises(InvalidDesign, match="character NUL"):
        Design.of({"welcome": {"thanks": "bye\x00"}})
