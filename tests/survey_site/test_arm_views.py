"""The arm and checkpoint pages: methods that fill the form, every setting, refusals, recipes out and in again."""

import json
import re
from dataclasses import asdict, fields

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from generation.arms import create_arm, recipe_of
from generation.diffusion.recipes import (
    PRESETS,
    Guidance,
    Preprocessing,
    Reads,
    Recipe,
    Sampler,
    Stabiliser,
    Variance,
)
from generation.models import Arm, Checkpoint
from survey_site.forms import arms as arm_forms
from survey_site.forms.arms import ArmForm, initial_of
from survey_site.forms.checkpoints import facts_in_words
from survey_site.forms.methods import SENTENCES, methods_by_paper
from tests.generation.factories import guided, stored_checkpoint

pytestmark = pytest.mark.django_db

# The session and the researcher, of every page behind the login.
WHO = 2


@pytest.fixture
def researcher() -> Client:
    client = Client()
    client.force_login(User.objects.create_user("researcher"))
    return client


def pair() -> tuple[Checkpoint, Checkpoint]:
    return stored_checkpoint(), stored_checkpoint(role="classifier", facts={"relus": 3})


def posted(recipe: Recipe, denoiser: Checkpoint, classifier: Checkpoint | None) -> dict[str, object]:
    """The form as a browser sends it."""
    settings = {key: "" if value is None else value for key, value in initial_of(recipe).items()}
    chosen = {"name": "mine", "denoiser": denoiser.pk, "classifier": classifier.pk if classifier else ""}
    return {**settings, **chosen}


def values_on(page: str) -> dict[str, str]:
    """What the form on this page would send if it was sent now."""
    values = dict(re.findall(r'<input type="(?:text|number)" name="(\w+)"(?: value="([^"]*)")?', page))
    for name, inner in re.findall(r'<select name="(\w+)"[^>]*>(.*?)</select>', page, flags=re.DOTALL):
        chosen = re.search(r'<option value="([^"]*)" selected', inner)
        values[name] = chosen[1] if chosen else ""
    return values


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("arms", []),
        ("arm-create", []),
        ("arm", [1]),
        ("arm-recipe", [1]),
        ("checkpoints", []),
        ("checkpoint", [1]),
    ],
)
def test_arm_pages_are_for_researchers_only(client: Client, name: str, args: list[int]) -> None:
    for response in (client.get(reverse(name, args=args)), client.post(reverse(name, args=args))):
        assert response.status_code == 302
        assert response["Location"].startswith("/sign-in/")


def test_every_published_method_has_its_sentence_under_its_paper() -> None:
    assert set(SENTENCES) == set(PRESETS)
    papers = [paper for paper, _ in methods_by_paper()]
    assert len(papers) == len(set(papers))
    assert sum(len(of_paper) for _, of_paper in methods_by_paper()) == len(PRESETS)


def test_the_form_has_every_setting_of_a_recipe_and_every_choice_of_it() -> None:
    assert {field.name for field in fields(Recipe)} <= set(ArmForm.base_fields)
    pages = {name for group in ArmForm().groups for name in (field.name for field in group.fields)}
    assert pages | {"guidance", "scale"} >= {field.name for field in fields(Recipe)}
    choices = {
        Guidance: arm_forms.GUIDANCES,
        Reads: arm_forms.READS,
        Preprocessing: arm_forms.PREPROCESSINGS,
        Stabiliser: arm_forms.STABILISERS,
        Sampler: arm_forms.SAMPLERS,
        Variance: arm_forms.VARIANCES,
    }
    for kind, named in choices.items():
        assert set(named) == set(kind)


@pytest.mark.parametrize("key", PRESETS)
def test_a_method_fills_the_form_with_its_published_values(researcher: Client, key: str) -> None:
    denoiser, classifier = pair()
    recipe = PRESETS[key].recipe
    page = researcher.get(f"/arms/new/?preset={key}&name=mine&denoiser={denoiser.pk}").content.decode()
    sent = values_on(page)
    assert (sent["name"], sent["denoiser"]) == ("mine", str(denoiser.pk))
    sent["classifier"] = str(classifier.pk) if recipe.needs_classifier else ""
    response = researcher.post("/arms/new/", sent)
    arm = Arm.objects.get()
    assert response["Location"] == f"/arms/{arm.pk}/"
    assert recipe_of(arm) == recipe
    assert arm.owner is not None
    assert arm.owner.username == "researcher"


def test_only_settings_that_are_changed_lie_open(researcher: Client) -> None:
    pair()
    plain = researcher.get("/arms/new/").content.decode()
    assert plain.count('<details class="settings">') == 5
    ema = researcher.get("/arms/new/?preset=non-robust-x0-ema").content.decode()
    opened = re.findall(r'<details class="settings" open>\s*<summary>([^<]+)', ema)
    assert opened == ["What the classifier reads", "Stabiliser", "Sampler"]


@pytest.mark.parametrize(
    ("recipe", "changes", "sentence"),
    [
        (guided(1), {"classifier": ""}, "is to be guided by a classifier; choose which."),
        (guided(1), {"scale": ""}, "Guidance needs a scale."),
        (guided(1), {"scale": "1e9"}, "choose one from 0 to 100."),
        (guided(1), {"scale": "much"}, "Enter a number."),
        (guided(1), {"sampler": "ddim", "sine_gamma": "0.3"}, "sine_gamma changes the mean of a DDPM step"),
        (guided(1), {"guided_from": "0.6", "guided_until": "0.2"}, "guided_from must be less than guided_until"),
        (guided(1), {"name": "same"}, "No arm can be called &quot;same&quot;"),
        (guided(1), {"class_conditional": "yes", "denoiser": "unconditional"}, "cannot be told a class"),
        (Recipe(), {"stabiliser": "ema"}, "stabiliser belongs to classifier guidance"),
        (Recipe(), {}, "has a classifier, but its guidance is &quot;none&quot;"),
        (guided(1, softplus_beta=3.0), {"classifier": "smooth"}, "has no ReLU"),
    ],
)
def test_what_makes_no_arm_is_refused_and_nothing_typed_is_lost(
    researcher: Client, recipe: Recipe, changes: dict[str, object], sentence: str
) -> None:
    denoiser, classifier = pair()
    others = {
        "unconditional": stored_checkpoint(takes_labels=False, class_labels=[], null_class=None).pk,
        "smooth": stored_checkpoint(role="classifier", facts={"relus": 0}).pk,
    }
    changes = {name: others.get(str(value), value) for name, value in changes.items()}
    sent = {**posted(recipe, denoiser, classifier), "name": "my own name", "decay": "0.95", **changes}
    response = researcher.post("/arms/new/", sent)
    page = response.content.decode()
    assert response.status_code == 400
    assert sentence in page
    kept = values_on(page)
    assert kept == {**kept, **{name: str(value) for name, value in sent.items()}}
    assert not Arm.objects.exists()


def test_a_refusal_stands_beside_the_setting_that_is_wrong_and_opens_it() -> None:
    denoiser, classifier = pair()
    form = ArmForm({**posted(guided(1), denoiser, classifier), "decay": "1.5"})
    assert not form.is_valid()
    assert list(form.errors) == ["decay"]
    assert [group.title for group in form.groups if group.changed] == ["Stabiliser"]


def test_an_arm_like_this_one_starts_from_it_and_leaves_it_alone(researcher: Client) -> None:
    denoiser, classifier = pair()
    recipe = guided(0.25, reads=Reads.X_0, stabiliser=Stabiliser.EMA, decay=0.99)
    arm = create_arm(
        owner=None, name="first", denoiser=denoiser, classifier=classifier, recipe=recipe, class_conditional=False
    )
    sent = values_on(researcher.get(f"/arms/new/?like={arm.pk}").content.decode())
    researcher.post("/arms/new/", {**sent, "name": "second", "scale": "0.5"})
    second = Arm.objects.get(name="second")
    assert asdict(recipe_of(second)) == {**asdict(recipe), "scale": 0.5}
    assert (second.denoiser, second.classifier, second.class_conditional) == (denoiser, classifier, False)
    arm.refresh_from_db()
    assert recipe_of(arm) == recipe
    assert researcher.get("/arms/new/?like=x").status_code == 404


def test_a_recipe_goes_out_as_json_and_comes_back_the_same(researcher: Client) -> None:
    denoiser, classifier = pair()
    recipe = PRESETS["elucd"].recipe
    arm = create_arm(owner=None, name="first", denoiser=denoiser, classifier=classifier, recipe=recipe)
    response = researcher.get(f"/arms/{arm.pk}/recipe.json")
    assert response["Content-Disposition"] == f'attachment; filename="arm-{arm.pk}.json"'
    document = response.json()
    assert document["fingerprint"] == recipe.fingerprint()
    assert document["denoiser"]["sha256"] == denoiser.sha256
    page = researcher.get("/arms/new/", {"recipe": response.content.decode()}).content.decode()
    researcher.post("/arms/new/", {**values_on(page), "name": "again"})
    again = Arm.objects.get(name="again")
    assert recipe_of(again) == recipe
    assert (again.denoiser, again.classifier) == (denoiser, classifier)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "This is not JSON"),
        ("[1]", "A recipe is a JSON object"),
        ('{"strength": 2}', "A recipe has no setting &quot;strength&quot;"),
        ('{"recipe": {"scale": 3}}', "no guidance to scale"),
        ('{"recipe": 5}', "is no JSON object of settings"),
        (json.dumps({"recipe": {"guidance": "classifier", "scale": 1}, "fingerprint": "0" * 64}), "it was changed"),
    ],
)
def test_what_is_no_recipe_is_refused_beside_the_text(researcher: Client, text: str, sentence: str) -> None:
    pair()
    response = researcher.get("/arms/new/", {"recipe": text})
    page = response.content.decode()
    assert response.status_code == 400
    assert sentence in page
    assert text.replace('"', "&quot;") in page


def test_the_lists_ask_the_same_few_questions_for_many_rows(
    researcher: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    denoiser, classifier = pair()
    for scale in (1, 2, 3):
        create_arm(owner=None, name=f"s{scale}", denoiser=denoiser, classifier=classifier, recipe=guided(scale))
    with django_assert_num_queries(WHO + 2):
        page = researcher.get("/arms/").content.decode()
    assert page.count("classifier on x_t, s = ") == 3
    with django_assert_num_queries(WHO + 1):
        checkpoints = researcher.get("/checkpoints/").content.decode()
    assert re.findall(r'data-label="Arms" class="number">(\d+)', checkpoints) == ["3", "3"]


def test_an_arms_page_says_what_it_is(researcher: Client, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    denoiser, classifier = pair()
    arm = create_arm(owner=None, name="first", denoiser=denoiser, classifier=classifier, recipe=guided(0.25))
    with django_assert_num_queries(WHO + 2):
        page = researcher.get(f"/arms/{arm.pk}/").content.decode()
    assert guided(0.25).fingerprint() in page
    assert "<strong>0.25</strong>" in page
    assert f"/batches/new/?arm={arm.pk}" in page
    uploaded = Arm.objects.create(name="elsewhere", source=Arm.Source.UPLOADED)
    assert researcher.get(f"/arms/{uploaded.pk}/").status_code == 404


def test_a_checkpoints_page_says_what_it_is(researcher: Client) -> None:
    _, classifier = pair()
    attack = {"norm": "l2", "eps": 0.5, "steps": 7, "step": 0.083}
    robust = stored_checkpoint(role="classifier", name="robust", adversarial=attack)
    page = researcher.get(f"/checkpoints/{robust.pk}/").content.decode()
    assert "eps 0.5, norm l2, step 0.083, steps 7" in page
    assert robust.sha256 in page
    assert "<li>cat</li>" in page
    assert facts_in_words(robust) == "8 px, 3 classes, noise-trained, adversarial (l2, eps 0.5)"
    assert facts_in_words(classifier) == "8 px, 3 classes, noise-trained, not adversarial"
    unconditional = stored_checkpoint(takes_labels=False, null_class=None, class_labels=[], extra="diffusers")
    assert facts_in_words(unconditional) == "8 px, unconditional, needs the extra diffusers"


def test_the_first_visit_says_what_to_do(researcher: Client) -> None:
    assert "No arm yet." in researcher.get("/arms/").content.decode()
    assert "register_checkpoint" in researcher.get("/arms/new/").content.decode()
    assert "Nothing is registered yet." in researcher.get("/checkpoints/").content.decode()
