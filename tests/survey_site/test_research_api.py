"""The researchers' API: what the pages do, by JSON, with refusals as one sentence."""

from base64 import b64encode
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from generation import laboratory
from generation.arms import create_arm, recipe_of
from generation.diffusion.recipes import PRESETS, Recipe
from generation.holds import Hold, Report
from generation.models import Arm, Batch, Checkpoint, Score, Work
from tests.generation.factories import guided, make_arms, make_batch, stored_checkpoint, write_denoiser

pytestmark = pytest.mark.django_db

# The session and the researcher, of every answer.
WHO = 2


@pytest.fixture
def researcher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("researcher"))
    return client


def post(client: Client, name: str, data: object = None, *, args: tuple[object, ...] = ()) -> tuple[int, object]:
    response = client.post(reverse(name, args=args), data if data is not None else {}, content_type="application/json")
    return response.status_code, response.json()


def refused(client: Client, name: str, data: object, *, args: tuple[object, ...] = ()) -> tuple[int, str]:
    """Post what is refused; return the status and the sentence."""
    status, answer = post(client, name, data, args=args)
    assert isinstance(answer, dict)
    assert list(answer) == ["detail"]
    return status, str(answer["detail"])


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("api-checkpoints", ()),
        ("api-recipes", ()),
        ("api-recipe", ("vanilla",)),
        ("api-arms", ()),
        ("api-arm", (1,)),
        ("api-batches", ()),
        ("api-batch", (1,)),
        ("api-batch-cancel", (1,)),
        ("api-batch-retry", (1,)),
        ("api-batch-scores", (1,)),
        ("api-works", ()),
        ("api-work", (1,)),
        ("api-work-cancel", (1,)),
        ("api-work-repeat", (1,)),
        ("api-work-file", (1, "a.png")),
    ],
)
def test_the_api_is_for_researchers_only_and_asks_who_comes(
    client: Client, name: str, args: tuple[object, ...]
) -> None:
    for response in (client.get(reverse(name, args=args)), client.post(reverse(name, args=args))):
        assert response.status_code == 401
        assert response["WWW-Authenticate"].startswith("Basic ")


def test_a_script_comes_in_by_basic_authentication(client: Client) -> None:
    User.objects.create_user("ada", password="a good password")
    secret = b64encode(b"ada:a good password").decode()
    denoiser = stored_checkpoint()
    response = client.post(
        reverse("api-arms"),
        {"name": "plain", "denoiser": denoiser.name},
        content_type="application/json",
        headers={"Authorization": f"Basic {secret}"},
    )
    assert response.status_code == 201
    wrong = {"Authorization": f"Basic {b64encode(b'ada:wrong').decode()}"}
    assert client.get(reverse("api-arms"), headers=wrong).status_code == 401


def test_another_site_cannot_make_a_signed_in_browser_make_an_arm() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("researcher"))
    denoiser = stored_checkpoint()
    status, _ = post(client, "api-arms", {"name": "plain", "denoiser": denoiser.name})
    assert (status, Arm.objects.exists()) == (403, False)


def test_checkpoints_are_listed_with_their_facts_and_without_their_place(researcher: Client) -> None:
    stored_checkpoint(name="vanilla", role="classifier")
    answer = researcher.get(reverse("api-checkpoints")).json()
    assert (answer["count"], answer["next"]) == (1, None)
    [row] = answer["results"]
    assert (row["name"], row["noise_trained"], row["adversarial"]) == ("vanilla", True, None)
    assert "path" not in row


def test_published_recipes_are_there_to_read(researcher: Client) -> None:
    listed = researcher.get(reverse("api-recipes")).json()
    assert [recipe["key"] for recipe in listed] == list(PRESETS)
    one = researcher.get(reverse("api-recipe", args=["elucd"])).json()
    assert Recipe.from_settings(one["settings"]) == PRESETS["elucd"].recipe
    assert one["fingerprint"] == PRESETS["elucd"].recipe.fingerprint()
    missing = researcher.get(reverse("api-recipe", args=["magic"]))
    assert (missing.status_code, 'There is no recipe "magic"' in missing.json()["detail"]) == (404, True)


def test_an_arm_is_made_of_a_preset_and_changed_settings(researcher: Client) -> None:
    denoiser, classifier = stored_checkpoint(), stored_checkpoint(role="classifier")
    asked = {
        "name": "ema at 3",
        "denoiser": denoiser.name,
        "classifier": classifier.name,
        "preset": "non-robust-ema",
        "recipe": {"scale": 3, "decay": 0.99},
    }
    status, answer = post(researcher, "api-arms", asked)
    arm = Arm.objects.get()
    assert status == 201
    assert recipe_of(arm) == guided(3, stabiliser="ema", decay=0.99, variance="fixed_small")
    assert isinstance(answer, dict)
    assert (answer["id"], answer["fingerprint"]) == (arm.pk, recipe_of(arm).fingerprint())
    assert answer == researcher.get(reverse("api-arm", args=[arm.pk])).json()
    assert post(researcher, "api-arms", asked) == (201, answer)
    assert Arm.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"recipe": {"strength": 1}}, 'A recipe has no setting "strength"'),
        ({"recipe": {"guidance": "classifier", "scale": -1}}, "The scale is -1"),
        ({"recipe": {"guidance": "classifier", "scale": "much"}}, "scale"),
        ({"recipe": {"guidance": "classifier", "scale": 1}}, "is to be guided by a classifier"),
        ({"recipe": 5}, "recipe: Expected a dictionary"),
        ({"preset": "magic"}, 'preset: "magic" is not a valid choice.'),
        ({"denoiser": "nowhere"}, "denoiser: Object with name=nowhere does not exist."),
        ({"name": ""}, "name: This field may not be blank."),
        ({"name": "same"}, 'No arm can be called "same"'),
    ],
)
def test_what_makes_no_arm_is_refused_with_a_sentence(
    researcher: Client, changes: dict[str, object], sentence: str
) -> None:
    denoiser = stored_checkpoint(name="denoiser")
    status, detail = refused(researcher, "api-arms", {"name": "mine", "denoiser": denoiser.name, **changes})
    assert status == 400
    assert sentence in detail
    assert not Arm.objects.exists()


def test_what_is_no_json_is_refused_with_a_sentence(researcher: Client) -> None:
    response = researcher.post(reverse("api-arms"), "{", content_type="application/json")
    assert (response.status_code, response.json()["detail"][:16]) == (400, "JSON parse error")
    assert refused(researcher, "api-arms", [1])[0] == 400


def test_lists_come_in_pages_with_the_same_few_queries(
    researcher: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    denoiser = stored_checkpoint()
    for number in range(5):
        arm = create_arm(owner=None, name=f"arm {number}", denoiser=denoiser)
        make_batch([arm], class_indices=[0], seeds_per_class=1)
        Work.objects.create(kind=Work.Kind.FIGURE, title="A figure")
    for name, queries in (("api-arms", 2), ("api-batches", 3), ("api-works", 2), ("api-checkpoints", 2)):
        with django_assert_num_queries(WHO + queries):
            answer = researcher.get(reverse(name), {"page_size": 3}).json()
        assert len(answer["results"]) == min(answer["count"], 3)
    second = researcher.get(reverse("api-arms"), {"page_size": 3, "page": 2}).json()
    assert [row["name"] for row in second["results"]] == ["arm 1", "arm 0"]
    assert researcher.get(reverse("api-arms"), {"page": 9}).status_code == 404


def test_a_batch_is_made_followed_cancelled_and_retried(researcher: Client, tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    asked = {"name": "mine", "arms": [arm.pk for arm in arms], "seeds_per_class": 2, "steps": 50}
    status, answer = post(researcher, "api-batches", asked)
    batch = Batch.objects.get()
    assert isinstance(answer, dict)
    assert (status, answer["id"], answer["arms"]) == (201, batch.pk, ["guided", "plain"])
    assert answer["class_table"] == {"0": "cat", "1": "dog", "2": "cow"}
    assert answer["progress"] == {"made": 0, "wanted": 6, "share": 0.0, "seconds_left": None}
    assert researcher.get(reverse("api-batch", args=[batch.pk])).json() == answer
    status, cancelled = post(researcher, "api-batch-cancel", args=(batch.pk,))
    assert isinstance(cancelled, dict)
    assert (status, cancelled["status"]) == (200, "cancelled")
    assert refused(researcher, "api-batch-cancel", {}, args=(batch.pk,))[0] == 409
    assert post(researcher, "api-batch-retry", args=(batch.pk,))[0] == 200
    status, detail = refused(researcher, "api-batch-retry", {}, args=(batch.pk,))
    assert (status, "nothing to try again" in detail) == (409, True)
    assert researcher.get(reverse("api-batch", args=[9999])).status_code == 404


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"steps": 5000}, "5000 steps: the denoiser has 1000"),
        ({"arms": []}, "arms: This list may not be empty."),
        ({"arms": [9999]}, 'Invalid pk "9999"'),
        ({"classes": [7]}, "There is no class 7"),
        ({"combined": [[0, 0]]}, "two or more different classes"),
        ({"precision": "float8"}, 'precision: "float8" is not a valid choice.'),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused_with_a_sentence(
    researcher: Client, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    arms = [arm.pk for arm in make_arms(tmp_path)]
    status, detail = refused(
        researcher, "api-batches", {"name": "mine", "arms": arms, "seeds_per_class": 2, "steps": 50, **changes}
    )
    assert (status, sentence in detail) == (400, True), detail
    assert not Batch.objects.exists()


def test_scores_of_a_batch_are_listed_with_what_they_were_measured_on(researcher: Client, tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    batch = make_batch(arms)
    Score.objects.create(batch=batch, arm=arms[0], metric="frechet", value=3.5, n=4, n_reference=9, features="pixels-8")
    Score.objects.create(batch=batch, arm=arms[1], metric="frechet", problem="Too few images.", n=1)
    rows = researcher.get(reverse("api-batch-scores", args=[batch.pk])).json()["results"]
    assert [(row["arm"], row["value"], row["problem"], row["n"]) for row in rows] == [
        ("plain", 3.5, "", 4),
        ("guided", None, "Too few images.", 1),
    ]


def test_a_figure_is_asked_for_followed_and_taken(researcher: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = stored_checkpoint(
        role="classifier", class_labels=["baseball", "basketball", "volleyball", "soccer ball"]
    )
    options = {"images": "sportballs", "classifiers": [classifier.pk]}
    status, answer = post(researcher, "api-works", {"kind": "figure", "figure": "gradients", "options": options})
    assert isinstance(answer, dict)
    assert (status, answer["status"], answer["options"]["figure"]) == (201, "queued", "gradients")

    def draw(hold: Hold, report: Report) -> None:
        hold.keep_file("gradients.png", b"\x89PNG", content_type="image/png")
        hold.finish(note="drawn")

    monkeypatch.setitem(laboratory.KINDS, "figure", draw)
    laboratory.do_work(answer["id"])
    done = researcher.get(reverse("api-work", args=[answer["id"]])).json()
    assert (done["status"], done["note"]) == ("done", "drawn")
    [file] = done["files"]
    taken = researcher.get(file["path"])
    assert (taken.content, taken["Content-Type"]) == (b"\x89PNG", "image/png")
    missing = researcher.get(reverse("api-work-file", args=[answer["id"], "other.png"]))
    assert (missing.status_code, "has no file" in missing.json()["detail"]) == (404, True)


def test_a_work_is_cancelled_and_repeated_once(researcher: Client) -> None:
    work = Work.objects.create(kind=Work.Kind.SCORING, title="Scores: a batch")
    assert post(researcher, "api-work-cancel", args=(work.pk,))[0] == 200
    assert refused(researcher, "api-work-cancel", {}, args=(work.pk,))[0] == 409
    assert post(researcher, "api-work-repeat", args=(work.pk,))[0] == 200
    status, detail = refused(researcher, "api-work-repeat", {}, args=(work.pk,))
    assert (status, "has not stopped" in detail) == (409, True)


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        ({"kind": "dance"}, 'kind: "dance" is not a valid choice.'),
        ({"kind": "scoring"}, "name it by its id"),
        ({"kind": "scoring", "batch": 9999}, 'batch: Invalid pk "9999"'),
        ({"kind": "figure", "figure": "portrait"}, 'There is no figure "portrait"'),
        ({"kind": "figure", "figure": "gradients", "options": {"folder": "/"}}, "by the command only"),
        ({"kind": "registration", "options": {"path": "../secret_key"}}, "is not inside the checkpoint folder"),
        ({"kind": "training", "options": {"role": "poet"}}, 'There is no training of a "poet"'),
        ({"kind": "training", "options": {"role": "classifier", "plan": {"steps": 0}}}, "must be more than 0"),
        ({"kind": "training", "options": {"role": "classifier", "plan": {"data": "/etc"}}}, "in the reference folder"),
        ({"kind": "reproduction", "options": {}}, "Choose which experiment"),
        ({"kind": "reproduction", "options": {"which": "gradcheck", "budget": "soon"}}, "is no length of time"),
        ({"kind": "reproduction", "options": {"which": "gradcheck", "n": "many"}}, "are numbers"),
        ({"kind": "reproduction", "options": {"which": "gradcheck", "minutes": 3}}, 'no option "minutes"'),
        ({"kind": "registration", "options": {"path": "gone.pt"}}, 'There is no "gone.pt"'),
    ],
)
def test_a_work_that_cannot_be_done_is_refused_before_it_is_queued(
    researcher: Client, settings: Settings, tmp_path: Path, asked: dict[str, object], sentence: str
) -> None:
    settings.CHECKPOINT_DIR = tmp_path
    status, detail = refused(researcher, "api-works", asked)
    assert (status, sentence in detail) == (400, True), detail
    assert not Work.objects.exists()


def test_an_unfinished_batch_is_not_scored(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    asked = {"kind": "scoring", "batch": batch.pk, "options": {"metrics": ["frechet"]}}
    status, detail = refused(researcher, "api-works", asked)
    assert (status, "score it when it is complete" in detail) == (400, True)


def test_weights_in_the_checkpoint_folder_are_registered_by_a_worker(
    researcher: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.CHECKPOINT_DIR = tmp_path
    path = write_denoiser(tmp_path)
    asked = {"kind": "registration", "options": {"path": path.name, "name": "mine"}}
    status, answer = post(researcher, "api-works", asked)
    assert isinstance(answer, dict)
    assert (status, Checkpoint.objects.exists()) == (201, False)
    laboratory.do_work(answer["id"])
    checkpoint = Checkpoint.objects.get()
    assert (checkpoint.name, checkpoint.role, checkpoint.image_size) == ("mine", "denoiser", 8)
    done = researcher.get(reverse("api-work", args=[answer["id"]])).json()
    assert (done["status"], done["note"]) == ("done", "Denoiser mine")
    status, detail = refused(researcher, "api-works", asked)
    assert (status, 'A checkpoint is called "mine" already' in detail) == (400, True)


def test_what_is_no_checkpoint_fails_with_its_sentence(researcher: Client, settings: Settings, tmp_path: Path) -> None:
    settings.CHECKPOINT_DIR = tmp_path
    (tmp_path / "torn.safetensors").write_bytes(write_denoiser(tmp_path).read_bytes()[:500])
    _, answer = post(researcher, "api-works", {"kind": "registration", "options": {"path": "torn.safetensors"}})
    assert isinstance(answer, dict)
    laboratory.do_work(answer["id"])
    done = researcher.get(reverse("api-work", args=[answer["id"]])).json()
    assert done["status"] == "failed"
    assert "torn.safetensors" in done["problem"]
    assert not Checkpoint.objects.exists()


def test_a_file_that_is_gone_when_the_worker_comes_fails_the_registration(settings: Settings, tmp_path: Path) -> None:
    settings.CHECKPOINT_DIR = tmp_path
    work = Work.objects.create(kind=Work.Kind.REGISTRATION, title="Register", options={"path": "x.pt", "name": "x"})
    laboratory.do_work(work.pk)
    work.refresh_from_db()
    assert (work.status, 'There is no "x.pt"' in work.problem) == (Work.Status.FAILED, True)


def test_a_character_that_no_database_keeps_is_refused_in_a_sentence(researcher: Client) -> None:
    asked = {"kind": "training", "options": {"role": "classifier", "plan": {"name": "\x00"}}}
    reply = researcher.post("/api/v1/works/", asked, content_type="application/json")
    assert reply.status_code == 400
    assert "character NUL" in reply.json()["detail"]
