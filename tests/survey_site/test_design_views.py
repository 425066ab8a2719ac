"""The page on which a researcher sets how a study asks, its gold pairs, its files, and the command."""

from html.parser import HTMLParser
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from generation.models import Image
from survey_site.design.design_files import as_toml
from survey_site.design.designs import Design, GoldPair
from survey_site.drafts.design_changes import change_design
from survey_site.drafts.gold_pairs import add_gold_pair
from survey_site.models import Study
from survey_site.studies import create_study, open_study
from tests.factories import make_batch

pytestmark = pytest.mark.django_db

FULL = Design.of(
    {
        "entry": {
            "way": "platform",
            "platform": "other",
            "person_parameter": "worker",
            "keeps_platform_ids": True,
            "raters_wanted": 30,
            "endings": {
                "complete": {"code": "DONE", "url": "https://example.org/{code}"},
                "screened_out": {"code": "SORRY"},
            },
        },
        "welcome": {
            "consent": "You may stop.\n\nAt any time.",
            "instructions": "Look.",
            "practice": 2,
            "thanks": "Thanks!",
            "questionnaire": [
                {
                    "key": "age",
                    "text": "How old are you?",
                    "options": [{"text": "18 | more", "quota": 5}, {"text": "younger", "screens_out": True}],
                },
                {"key": "job", "text": "What do you do?", "required": False},
            ],
        },
        "order": {"trials_per_rater": 3, "break_after": 2, "votes_min": 2, "votes_max": 9, "exploration": 0.25},
        "checks": {"block": 12, "per_block": 2, "kinds": ["gold", "repeat"], "least_right": 0.75, "fast_ms": 250},
        "page": {
            "scaling": "smooth",
            "frame": "dark",
            "language": "de",
            "questions": [{"key": "fit", "text": "Which fits?"}],
            "strength": True,
            "reason": True,
            "takes_back": False,
        },
    }
)


@pytest.fixture
def researcher(client: Client) -> Client:
    client.force_login(User.objects.create_user("researcher"))
    return client


@pytest.fixture
def draft() -> Study:
    return make_draft()


def make_draft(**options: Any) -> Study:
    batch = make_batch(6, **options)
    return create_study(owner=None, title="balls", arms=list(batch.arms.all()), batches=[batch], votes_wanted=4)


class Fields(HTMLParser):
    """What a browser would send of the design's form, as it is shown."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.sent: dict[str, Any] = {}
        self._area = self._select = ""
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        self._hidden += tag == "template"
        if self._hidden:
            return
        name = said.get("name", "")
        if tag == "textarea":
            self._area, self.sent[name] = name, ""
        elif tag == "select":
            self._select = name
        elif tag == "option" and "selected" in said:
            self.sent[self._select] = said["value"]
        elif tag == "input" and said.get("type") == "checkbox":
            if "checked" in said:
                self.sent.setdefault(name, []).append(said.get("value", "on"))
        elif tag == "input" and name and (said.get("type") != "radio" or "checked" in said):
            self.sent[name] = said.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag == "template"
        if tag == "textarea":
            self._area = ""

    def handle_data(self, data: str) -> None:
        if self._area:
            # A text area drops the line break after its tag.
            self.sent[self._area] += data.removeprefix("\n") if not self.sent[self._area] else data


def fields_of(researcher: Client, study: Study) -> dict[str, Any]:
    return Fields(researcher.get(f"/studies/{study.slug}/design/").content.decode()).sent


def send(researcher: Client, study: Study, **changes: Any) -> str:
    """Send the page's form as it is shown, with some changes; `__` stands for the dash in names."""
    sent = fields_of(researcher, study) | {name.replace("__", "-"): value for name, value in changes.items()}
    page = researcher.post(f"/studies/{study.slug}/design/", sent, follow=True)
    return str(page.content.decode())


def stored(study: Study) -> Design:
    return Study.objects.get(pk=study.pk).how


def test_sending_the_page_as_it_is_shown_changes_nothing(researcher: Client, draft: Study) -> None:
    for design in (Design(), FULL):
        change_design(draft, design)
        assert "is saved" in send(researcher, draft)
        assert stored(draft) == design


def test_every_setting_has_its_field() -> None:
    said = FULL.as_json()
    shown = {"gold", "questionnaire", "questions", "endings"}
    defaults = Design().as_json()
    same = {name for part in said for name in said[part] if said[part][name] == defaults[part][name]}
    # What the test above proves is only as good as what FULL sets; these belong to other choices, tested below.
    assert same - shown == {
        *("submission_parameter", "pairing", "baseline", "pairs_per_stimulus", "sampling"),
        *("identical", "mismatched", "least_repeated"),
    }


def test_arms_and_built_checks_are_set_too(researcher: Client) -> None:
    study = make_draft(arms=("a", "b", "c", "d"))
    send(
        researcher, study, order__pairing="baseline", order__baseline="c", checks__identical="3", checks__mismatched="4"
    )
    assert (stored(study).order.baseline, stored(study).checks.identical, stored(study).checks.mismatched) == (
        "c",
        3,
        4,
    )
    send(researcher, study, order__pairing="block", order__pairs_per_stimulus="2", order__sampling="active")
    order = stored(study).order
    assert (order.pairing, order.baseline, order.pairs_per_stimulus, order.sampling) == ("block", "", 2, "active")


def test_what_the_chosen_way_does_not_use_is_left_out(researcher: Client, draft: Study) -> None:
    change_design(draft, FULL)
    send(researcher, draft, entry__way="open")
    entry = stored(draft).entry
    assert (entry.way, entry.platform, entry.person_parameter) == ("open", "", "")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"entry__way": "platform"}, "Choose the platform that sends the raters."),
        ({"entry__way": "platform", "entry__platform": "other"}, "Name the parameter, or everybody would be the same"),
        ({"entry__raters_wanted": "0"}, "greater than or equal to 1"),
        ({"ending-complete-url": "http://example.org"}, "It must begin with https:// and hold no spaces."),
        ({"ending-complete-code": "two words"}, "It must be of letters, digits, - and _, at most 60."),
        ({"items-0-text": "Age?", "items-0-options": "18 | quite old"}, "Line 1: &quot;quite old&quot; is no mark."),
        ({"items-0-text": "Age?", "items-0-options": "18\n18"}, "Two options read the same; change one."),
        ({"items-0-options": "18"}, "What is asked? Type the question to these options"),
        (
            {"items-0-text": "Age?", "items-0-key": "age", "items-1-text": "Old?", "items-1-key": "age"},
            "Another question has this name",
        ),
        ({"items-0-text": "Age?", "items-0-key": "Age"}, "It must begin with a small letter"),
        ({"questions-0-text": "Fit?", "questions-0-key": "preference"}, "Another question has this name"),
        ({"order__votes_min": "5"}, "5 is more than the 4 that a comparison gets; ask for fewer."),
        ({"order__votes_max": "3"}, "3 is less than the 4 wanted; allow as many, or leave it empty."),
        ({"order__pairing": "baseline"}, "Choose the arm that meets each of the others."),
        ({"order__trials_per_rater": "many"}, "Enter a whole number."),
        ({"checks__per_block": "5"}, "At most 4 fit into a block of 10 trials."),
        ({"checks__per_block": "1", "checks__kinds": []}, "Tick at least one kind, or set the checks to 0."),
        ({"checks__least_right": "1.5"}, "less than or equal to 1"),
        ({"welcome__consent": "x" * 20_001}, "at most 20000 characters"),
    ],
)
def test_a_bad_entry_is_named_at_its_field_and_nothing_is_lost(
    researcher: Client, draft: Study, changes: dict[str, Any], sentence: str
) -> None:
    page = send(researcher, draft, welcome__thanks="typed before", **changes)
    assert sentence in page
    assert "Nothing is saved yet" in page
    assert stored(draft) == Design()
    shown = Fields(page).sent
    assert shown["welcome-thanks"] == "typed before"
    for name, value in changes.items():
        assert shown.get(name.replace("__", "-"), []) == value


def test_a_question_without_a_name_gets_one_that_no_other_has(researcher: Client, draft: Study) -> None:
    rows = {"items-0-text": "How old are you?", "items-1-text": "How old are YOU?"}
    send(researcher, draft, **rows, **{"questions-0-text": "Preference"})
    assert [item.key for item in stored(draft).welcome.questionnaire] == ["how_old_are_you", "how_old_are_you_2"]
    assert [question.key for question in stored(draft).page.questions] == ["preference_2"]
    send(researcher, draft, **{"items-0-text": "كم عمرك؟", "items-0-key": ""})
    assert stored(draft).welcome.questionnaire[0].key == "question_1"


def test_a_question_is_removed_by_its_mark_or_by_emptying_it(researcher: Client, draft: Study) -> None:
    change_design(draft, FULL)
    send(researcher, draft, **{"items-0-DELETE": "on", "questions-0-text": ""})
    assert [item.key for item in stored(draft).welcome.questionnaire] == ["job"]
    assert stored(draft).page.questions == ()


def test_more_rows_than_are_shown_are_read(researcher: Client, draft: Study) -> None:
    rows = {f"items-{n}-text": f"Question {n}?" for n in range(7)}
    send(researcher, draft, **rows, **{"items-TOTAL_FORMS": "7"})
    assert len(stored(draft).welcome.questionnaire) == 7


def test_a_form_with_nothing_in_it_is_no_error_of_ours(researcher: Client, draft: Study) -> None:
    page = researcher.post(f"/studies/{draft.slug}/design/", {"act": "save"})
    assert page.status_code == 200
    assert "This field is required." in page.content.decode()
    assert stored(draft) == Design()


def test_the_page_says_what_the_design_comes_to(researcher: Client, draft: Study) -> None:
    page = researcher.get(f"/studies/{draft.slug}/design/").content.decode()
    assert "<dt>Comparisons</dt><dd>6</dd>" in page
    assert "<dt>Raters needed</dt><dd>4</dd>" in page
    sent = fields_of(researcher, draft) | {
        **{"order-trials_per_rater": "3", "welcome-practice": "2", "order-votes_wanted": "5"},
        **{"checks-per_block": "1", "checks-block": "4", "items-0-text": "Age?", "items-0-options": "1\n2 | at most 9"},
    }
    fragment = researcher.post(f"/studies/{draft.slug}/design/size/", sent).content.decode()
    # Three comparisons, a check (or none yet) in the first block of four, and two for practice.
    assert "<dt>A rater judges</dt><dd>6</dd>" in fragment or "<dt>A rater judges</dt><dd>5</dd>" in fragment
    assert "<dt>Raters needed</dt><dd>10</dd>" in fragment
    assert "at most 9" in fragment
    assert "<html" not in fragment
    assert stored(draft) == Design()
    same = researcher.post(f"/studies/{draft.slug}/design/", {**sent, "act": "work-out"}).content.decode()
    assert "<dt>Raters needed</dt><dd>10</dd>" in same
    assert stored(draft) == Design()


def test_a_design_that_the_arms_cannot_follow_says_so_instead_of_a_size(researcher: Client, draft: Study) -> None:
    sent = fields_of(researcher, draft) | {"order-sampling": "active"}
    fragment = researcher.post(f"/studies/{draft.slug}/design/size/", sent).content.decode()
    assert "order.sampling" in fragment
    assert "Comparisons" not in fragment
    bad = researcher.post(f"/studies/{draft.slug}/design/size/", sent | {"checks-block": "x"}).content.decode()
    assert "Some fields cannot be read yet." in bad


def test_votes_wanted_are_the_studys_and_saved_along(researcher: Client, draft: Study) -> None:
    send(researcher, draft, order__votes_wanted="7")
    assert Study.objects.get().votes_wanted == 7
    send(researcher, draft, order__votes_wanted="")
    assert Study.objects.get().votes_wanted is None


def test_an_open_study_shows_its_design_with_the_hash_and_takes_no_other(researcher: Client, draft: Study) -> None:
    sent = fields_of(researcher, draft)
    study = open_study(draft)
    page = researcher.post(f"/studies/{study.slug}/design/", {**sent, "page-strength": "on"}).content.decode()
    assert study.design_sha256 in page
    assert "<form" not in page.partition("<main")[2]
    assert stored(draft) == Design()
    file = SimpleUploadedFile("d.toml", as_toml(FULL).encode())
    answer = researcher.post(f"/studies/{study.slug}/design/import/", {"file": file}, follow=True)
    assert "frozen when it opens" in answer.content.decode()
    assert stored(draft) == Design()


@pytest.mark.parametrize("ending", ["toml", "json"])
def test_a_design_travels_as_a_file(researcher: Client, draft: Study, ending: str) -> None:
    change_design(draft, FULL)
    answer = researcher.get(f"/studies/{draft.slug}/design.{ending}")
    assert answer["Content-Disposition"] == f'attachment; filename="{draft.slug}-design.{ending}"'
    change_design(draft, Design())
    file = SimpleUploadedFile(f"x.{ending}", answer.content)
    researcher.post(f"/studies/{draft.slug}/design/import/", {"file": file})
    assert stored(draft) == FULL


def test_a_file_that_is_no_design_is_refused_with_its_fault(researcher: Client, draft: Study) -> None:
    file = SimpleUploadedFile("x.toml", b"[order]\nbreak_after = 0")
    page = researcher.post(f"/studies/{draft.slug}/design/import/", {"file": file}, follow=True).content.decode()
    assert "The design was not taken over. order.break_after: must be at least 1." in page
    assert researcher.get(f"/studies/{draft.slug}/design.yaml").status_code == 404


def test_another_studys_design_is_taken_over_without_its_gold_pairs(researcher: Client, draft: Study) -> None:
    other = make_draft()
    image = Image.objects.filter(batch__studies=other).first()
    assert image is not None
    gold = {"image_a": image.pk, "image_b": image.pk, "expected": "tie"}
    change_design(other, Design.of(FULL.as_json() | {"checks": FULL.as_json()["checks"] | {"gold": [gold]}}))
    page = researcher.post(f"/studies/{draft.slug}/design/copy/", {"source": other.pk}, follow=True).content.decode()
    assert "1 gold pair is left out" in page
    assert stored(draft) == FULL
    nothing = researcher.post(f"/studies/{draft.slug}/design/copy/", {"source": ""}, follow=True).content.decode()
    assert "Choose the study" in nothing


def test_pages_are_for_researchers_only(client: Client, draft: Study) -> None:
    for path in ("", "size/", "import/", "copy/", "gold/", "gold/0/remove/"):
        for answer in (
            client.get(f"/studies/{draft.slug}/design/{path}"),
            client.post(f"/studies/{draft.slug}/design/{path}"),
        ):
            assert answer.status_code == 302
            assert answer["Location"].startswith("/sign-in/")


def test_gold_pairs_stay_when_the_page_is_saved_and_want_room_for_practice(researcher: Client, draft: Study) -> None:
    image = Image.objects.filter(batch__studies=draft).earliest("pk")
    gold = (GoldPair(image_a=image.pk, image_b=image.pk, expected="tie", for_practice=True),)
    add_gold_pair(draft, gold[0])
    send(researcher, draft, page__strength="on")
    assert (stored(draft).page.strength, stored(draft).checks.gold) == (True, gold)
    assert "1 gold pair is chosen for practice" in send(researcher, draft, welcome__practice="0")
