"""The pages of long work: scores and figures of a batch, trainings, reproductions, registrations."""

from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries, Settings

from generation import laboratory
from generation.diffusion.metrics import Metric
from generation.figure_kinds import FIGURES, Takes
from generation.holds import hold_work
from generation.models import Score, Work
from generation.runner import make_chunk
from survey_site.forms.figures import FigureForm
from survey_site.forms.scorings import MEANINGS
from survey_site.forms.trainings import TrainingForm, placed
from survey_site.templatetags.batches import score
from tests.factories import make_batch as make_uploaded
from tests.generation.factories import make_arms, make_batch, make_every_chunk, stored_checkpoint, write_denoiser

pytestmark = pytest.mark.django_db

# The session and the researcher, of every page behind the login.
WHO = 2
SPORTBALLS = ["baseball", "basketball", "volleyball", "soccer ball"]


@pytest.fixture
def researcher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("researcher"))
    return client


def keep(work: Work, *files: tuple[str, bytes, str]) -> Work:
    """Let a work be done, with these results."""
    hold = hold_work(work.pk)
    for name, data, content_type in files:
        hold.keep_file(name, data, content_type=content_type)
    hold.finish(note="drawn")
    work.refresh_from_db()
    return work


def a_work(kind: str = "figure", **fields: object) -> Work:
    return Work.objects.create(**{"kind": kind, "title": "Seed-matched rows: Balls", **fields})


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("works", []),
        ("works-progress", []),
        ("work", [1]),
        ("work-state", [1]),
        ("work-cancel", [1]),
        ("work-repeat", [1]),
        ("work-file", [1, "a.png"]),
        ("registration-create", []),
        ("training-create", ["classifier"]),
        ("reproduction-create", []),
        ("classifier-figure-create", ["gradients"]),
        ("batch-laboratory", [1]),
        ("scoring-create", [1]),
        ("figure-create", [1, "pairs"]),
    ],
)
def test_work_pages_are_for_researchers_only(client: Client, name: str, args: list[object]) -> None:
    for response in (client.get(reverse(name, args=args)), client.post(reverse(name, args=args))):
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/")


def test_the_list_asks_the_same_few_questions_for_many_works(
    researcher: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch = make_uploaded()
    for number in range(3):
        a_work(batch=batch, title=f"Figure {number}", status="running" if number else "done")
    a_work("registration", title="Register x", status="failed", problem="x.pt is <torn>.")
    with django_assert_num_queries(WHO + 2):
        page = researcher.get("/works/").content.decode()
    assert page.index("Register x") < page.index("Figure 2") < page.index("Figure 0")
    assert "x.pt is &lt;torn&gt;." in page
    assert (page.count('data-unfinished="1"'), "2 still to be done" in page) == (2, True)
    assert (page.count(">Cancel<"), page.count(">Repeat<")) == (2, 1)
    with django_assert_num_queries(WHO + 2):
        part = researcher.get("/works/progress/").content.decode()
    assert "<html" not in part
    assert researcher.get("/works/", {"batch": batch.pk}).content.decode().count("data-work=") == 3


def test_a_running_work_says_how_far_it_is(researcher: Client) -> None:
    work = a_work(status="running", done_units=3, all_units=10, note="step 3")
    Work.objects.filter(pk=work.pk).update(started_at=work.created_at)
    page = researcher.get(f"/works/{work.pk}/state/").content.decode()
    assert '<progress max="100" value="30"' in page
    assert "step 3" in page


def test_a_work_is_cancelled_and_repeated_by_buttons(researcher: Client) -> None:
    work = a_work()
    page = researcher.post(f"/works/{work.pk}/cancel/", follow=True).content.decode()
    assert "Cancelled: Seed-matched rows: Balls." in page
    assert "is finished already" in researcher.post(f"/works/{work.pk}/cancel/", follow=True).content.decode()
    assert "Queued again" in researcher.post(f"/works/{work.pk}/repeat/", follow=True).content.decode()
    assert "has not stopped" in researcher.post(f"/works/{work.pk}/repeat/", follow=True).content.decode()
    assert researcher.get(f"/works/{work.pk}/cancel/").status_code == 405
    back = researcher.post(f"/works/{work.pk}/cancel/", {"back": "work"})
    assert back["Location"] == f"/works/{work.pk}/"


def test_a_result_is_shown_without_scripts_and_downloaded_under_its_name(researcher: Client) -> None:
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'
    work = keep(a_work(), ("a.svg", svg, "image/svg+xml"), ("a.png", b"\x89PNG", "image/png"))
    shown = researcher.get(f"/works/{work.pk}/files/a.svg")
    assert (shown.content, shown["Content-Type"]) == (svg, "image/svg+xml")
    assert "default-src 'none'" in shown["Content-Security-Policy"]
    assert "sandbox" in shown["Content-Security-Policy"]
    kept = researcher.get(f"/works/{work.pk}/files/a.svg?download")
    assert kept["Content-Disposition"] == 'attachment; filename="a.svg"'
    assert researcher.get(f"/works/{work.pk}/files/b.svg").status_code == 404
    page = researcher.get(f"/works/{work.pk}/").content.decode()
    assert f'<img src="/works/{work.pk}/files/a.png"' in page
    assert "<script>alert" not in page


def test_a_batchs_page_has_its_scores_and_figures(
    researcher: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    batch = make_uploaded()
    robust, vanilla = batch.arms.order_by("name")
    for arm, value in ((robust, 1.25), (vanilla, 2.5)):
        Score.objects.create(
            batch=batch, arm=arm, metric="frechet", value=value, n=4, n_reference=9, features="pixels-8"
        )
    Score.objects.create(batch=batch, arm=robust, metric="frechet", class_index=0, problem="Too few.", n=2)
    keep(a_work(batch=batch), ("pairs.png", b"\x89PNG", "image/png"), ("pairs.pdf", b"%PDF", "application/pdf"))
    # Batch, works, the table's arms and scores.
    with django_assert_num_queries(WHO + 4):
        part = researcher.get(f"/batches/{batch.pk}/laboratory/").content.decode()
    assert "<strong>1.25</strong>" in part
    assert "<strong>2.5</strong>" not in part
    assert "n = 4 against 9" in part
    assert "Frechet distance, golf ball" in part
    assert "Too few." in part
    assert "not measured" in part
    assert MEANINGS[Metric.FRECHET] in part
    assert "pairs.png?download" in part
    assert "pairs.pdf?download" in part
    whole = researcher.get(f"/batches/{batch.pk}/").content.decode()
    assert part.split('<h2 id="figures">')[1].strip() in whole


def test_every_metric_is_explained() -> None:
    assert set(MEANINGS) == set(Metric)


def test_scores_are_asked_for_by_a_form(researcher: Client) -> None:
    batch = make_uploaded()
    other = make_uploaded(arms=("real", "fake"))
    real = other.arms.get(name="real")
    sent = {"metrics": ["frechet", "recall"], "features": "pixels-16", "reference": f"arm:{other.pk}:{real.pk}"}
    response = researcher.post(f"/batches/{batch.pk}/scores/new/", sent)
    assert response["Location"] == f"/batches/{batch.pk}/"
    work = Work.objects.get()
    assert (work.kind, work.batch, str(work.owner)) == ("scoring", batch, "researcher")
    assert work.options["metrics"] == ["frechet", "recall"]
    assert work.options["reference"] == {"kind": "batch_arm", "batch": other.pk, "arm": real.pk}
    assert work.options["features"] == "pixels-16"


def test_a_registered_feature_network_is_offered_and_used(researcher: Client, tmp_path: Path) -> None:
    weights = tmp_path / "weights.pt"
    weights.write_bytes(b"weights")
    stored_checkpoint(name="fid-inception", role="features", path=str(weights))
    batch = make_uploaded()
    sent = {"metrics": ["frechet"], "features": "checkpoint:fid-inception", "reference": "sportballs"}
    assert researcher.post(f"/batches/{batch.pk}/scores/new/", sent).status_code == 302
    assert Work.objects.get().options["features"] == f"inception:{weights}"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"metrics": []}, "This field is required."),
        ({"reference": ""}, "These metrics compare with a reference; choose one."),
        ({"metrics": ["target_accuracy"]}, "The target accuracy needs a judge"),
        ({"reference": "folder:../../etc"}, "is not one of the available choices"),
        ({"levels": "many"}, "is no whole number"),
    ],
)
def test_scores_that_cannot_be_measured_are_refused_with_kept_fields(
    researcher: Client, changes: dict[str, object], sentence: str
) -> None:
    batch = make_uploaded()
    sent = {"metrics": ["frechet"], "features": "pixels-16", "reference": "sportballs", "balls": 77, **changes}
    response = researcher.post(f"/batches/{batch.pk}/scores/new/", sent)
    page = response.content.decode()
    assert (response.status_code, sentence in page, 'value="77"' in page) == (400, True, True)
    assert not Work.objects.exists()


@pytest.mark.parametrize("kind", FIGURES)
def test_every_figures_form_has_what_its_kind_takes(kind: str) -> None:
    batch = make_uploaded()
    form = FigureForm(kind=FIGURES[kind], batch=batch)
    assert set(form.fields) == {option.key for option in FIGURES[kind].options if option.takes is not Takes.FOLDER}
    assert all(field.label and field.help_text for field in form.fields.values())


def test_a_figure_is_asked_for_by_a_form_and_drawn(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    make_every_chunk(batch, make_chunk)
    guided = batch.arms.get(name="guided")
    sent = {"arms": [guided.pk], "classes": ["2"], "seeds": "2, 5", "count": 2}
    researcher.post(f"/batches/{batch.pk}/figures/new/pairs/", sent)
    work = Work.objects.get()
    chosen = {key: work.options[key] for key in ("figure", "arms", "classes", "seeds")}
    assert chosen == {"figure": "pairs", "arms": [guided.pk], "classes": [2], "seeds": [2, 5]}
    laboratory.do_work(work.pk)
    page = researcher.get(f"/batches/{batch.pk}/").content.decode()
    assert f'<img src="/works/{work.pk}/files/pairs.png"' in page
    assert researcher.get(f"/works/{work.pk}/files/pairs.png").content[:4] == b"\x89PNG"


def test_a_figure_of_what_is_not_there_is_refused(researcher: Client, tmp_path: Path) -> None:
    batch = make_batch(make_arms(tmp_path))
    response = researcher.post(f"/batches/{batch.pk}/figures/new/pairs/", {"seeds": "999", "count": 2})
    assert response.status_code == 400
    assert 'value="999"' in response.content.decode()
    assert researcher.get(f"/batches/{batch.pk}/figures/new/portrait/").status_code == 404
    assert researcher.get("/works/new/figure/pairs/").status_code == 404
    assert not Work.objects.exists()


def test_a_figure_of_classifiers_needs_no_batch(researcher: Client) -> None:
    classifier = stored_checkpoint(role="classifier", class_labels=SPORTBALLS)
    sent = {"classifiers": [classifier.pk], "images": "sportballs", "count": 1, "timesteps": "0, 500"}
    response = researcher.post("/works/new/figure/gradients/", sent)
    work = Work.objects.get()
    assert response["Location"] == f"/works/{work.pk}/"
    assert (work.batch, work.options["classifiers"], work.options["timesteps"]) == (None, [classifier.pk], [0, 500])


def test_weights_of_the_checkpoint_folder_are_offered_and_registered(
    researcher: Client, settings: Settings, tmp_path: Path
) -> None:
    settings.CHECKPOINT_DIR = tmp_path
    assert "is empty" in researcher.get("/works/new/registration/").content.decode()
    path = write_denoiser(tmp_path)
    (tmp_path / "notes.txt").write_text("not weights")
    (tmp_path / "hub" / "resnet").mkdir(parents=True)
    (tmp_path / "hub" / "resnet" / "config.json").write_text("{}")
    page = researcher.get("/works/new/registration/").content.decode()
    assert (path.name in page, "hub/resnet" in page, "notes.txt" in page) == (True, True, False)
    refused = researcher.post("/works/new/registration/", {"path": "../../etc/passwd"})
    assert (refused.status_code, Work.objects.exists()) == (400, False)
    work_page = researcher.post("/works/new/registration/", {"path": path.name}, follow=True).content.decode()
    assert "Queued. A worker looks at it" in work_page
    assert Work.objects.get().options == {"path": path.name, "name": path.stem, "said": {}, "role": ""}


def test_a_training_is_asked_for_by_a_form(researcher: Client) -> None:
    start = TrainingForm(role="classifier")
    sent = {name: field.initial for name, field in start.fields.items() if field.initial not in (None, False, "")}
    response = researcher.post(
        "/works/new/training/classifier/", {**sent, "name": "mine", "kind": "adversarial", "steps": 3, "eps": 0.25}
    )
    work = Work.objects.get()
    assert response["Location"] == f"/works/{work.pk}/"
    plan = work.options["plan"]
    assert work.options["role"] == "classifier"
    assert (plan["name"], plan["kind"], plan["steps"], plan["eps"]) == ("mine", "adversarial", 3, 0.25)
    assert plan["flips"] is False


def test_a_published_training_fills_the_form(researcher: Client) -> None:
    page = researcher.get("/works/new/training/classifier/?preset=kawar-cifar-robust").content.decode()
    assert 'value="200000"' in page
    assert '<option value="adversarial" selected>' in page
    assert researcher.get("/works/new/training/dreams/").status_code == 404


@pytest.mark.parametrize(
    ("changes", "field"), [({"steps": 0}, "steps"), ({"name": "a/b"}, "name"), ({"image_size": 33}, "image_size")]
)
def test_a_training_that_cannot_be_is_refused_beside_its_setting(changes: dict[str, object], field: str) -> None:
    form = TrainingForm({"name": "mine", "data": "sportballs", "kind": "vanilla", **changes}, role="classifier")
    assert not form.is_valid()
    assert list(form.errors) == [field]


def test_only_what_lies_in_the_reference_folder_is_trained_on(settings: Settings, tmp_path: Path) -> None:
    settings.VAR_DIR = tmp_path
    (tmp_path / "references" / "birds").mkdir(parents=True)
    (tmp_path / "secret").mkdir()
    assert placed({"data": "birds", "steps": 3}) == {"data": str(tmp_path / "references" / "birds"), "steps": 3}
    assert placed({"data": "sportballs"}) == {"data": "sportballs"}
    for place in ("../secret", str(tmp_path / "secret"), "gone", ".", "a\0b"):
        form = TrainingForm({"name": "mine", "data": place}, role="classifier")
        assert not form.is_valid()
        with pytest.raises(Exception, match="in the reference folder"):
            placed({"data": place})


def test_a_reproduction_is_asked_for_by_a_form(researcher: Client) -> None:
    sent = {"which": "robust-ablation", "budget": "30m", "n": 20, "steps": 0, "scale": 10, "training_steps": 0}
    researcher.post("/works/new/reproduction/", sent)
    work = Work.objects.get()
    assert (work.kind, work.options["which"], work.options["budget"], work.options["n"]) == (
        "reproduction",
        "robust-ablation",
        "30m",
        20,
    )
    refused = researcher.post("/works/new/reproduction/", {**sent, "budget": "soon"})
    assert (refused.status_code, "is no length of time" in refused.content.decode()) == (400, True)
    assert Work.objects.count() == 1


def test_scores_are_written_with_four_figures_that_count() -> None:
    assert [score(value) for value in (0.123456, 12.3456, 1234.56, 123456.7, 1.0)] == [
        "0.1235",
        "12.35",
        "1235",
        "123457",
        "1",
    ]
