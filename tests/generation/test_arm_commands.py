"""The commands that make arms and batches: what the pages do, from a terminal."""

import json
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command

from generation.arms import create_arm, recipe_of
from generation.diffusion.recipes import PRESETS
from generation.models import Arm, Batch
from generation.recipe_files import recipe_file
from generation.runner import make_chunk
from tests.generation.factories import bytes_of, guided, make_arms, make_batch, make_every_chunk, stored_checkpoint

pytestmark = pytest.mark.django_db


def run(*words: object) -> str:
    printed = StringIO()
    call_command(*(str(word) for word in words), stdout=printed, stderr=StringIO())
    return printed.getvalue().splitlines()[-1]


@pytest.fixture
def _checkpoints() -> None:
    stored_checkpoint(name="denoiser")
    stored_checkpoint(name="guide", role="classifier")


@pytest.mark.usefixtures("_checkpoints")
@pytest.mark.parametrize("key", [key for key, preset in PRESETS.items() if preset.recipe.softplus_beta is None])
def test_a_published_method_makes_its_arm(key: str) -> None:
    guide = ["--classifier", "guide"] if PRESETS[key].recipe.needs_classifier else []
    line = run("create_arm", "mine", "--denoiser", "denoiser", *guide, "--preset", key)
    arm = Arm.objects.get()
    assert line == f"{arm.pk} mine: {PRESETS[key].recipe.describe()}"
    assert recipe_of(arm) == PRESETS[key].recipe


@pytest.mark.usefixtures("_checkpoints")
def test_settings_change_a_method_or_make_one() -> None:
    User.objects.create_user("ada")
    guide = ("--denoiser", "denoiser", "--classifier", "guide")
    run("create_arm", "a", *guide, "--preset", "vanilla", "--set", "scale=3", "--set", "normalised=true")
    run("create_arm", "b", *guide, "--set", "guidance=classifier", "--set", "scale=0.5", "--without-class")
    first, second = Arm.objects.order_by("pk")
    assert recipe_of(first) == guided(3, normalised=True)
    assert recipe_of(second) == guided(0.5)
    assert (first.class_conditional, second.class_conditional) == (True, False)
    assert str(first.owner) == "ada"


@pytest.mark.usefixtures("_checkpoints")
def test_a_recipe_file_makes_the_same_recipe_again(tmp_path: Path) -> None:
    recipe = guided(0.3, reads="x_0", stabiliser="ema", decay=0.99)
    arm = create_arm(
        owner=None,
        name="first",
        denoiser=stored_checkpoint(),
        classifier=stored_checkpoint(role="classifier"),
        recipe=recipe,
    )
    (tmp_path / "arm.json").write_text(json.dumps(recipe_file(arm)))
    run("create_arm", "mine", "--denoiser", "denoiser", "--classifier", "guide", "--recipe", tmp_path / "arm.json")
    assert recipe_of(Arm.objects.get(name="mine")).fingerprint() == recipe.fingerprint()


@pytest.mark.usefixtures("_checkpoints")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--denoiser", "guide"], 'There is no denoiser "guide"; registered are denoiser.'),
        (["--denoiser", "denoiser", "--classifier", "x"], 'There is no classifier "x"'),
        (["--denoiser", "denoiser", "--set", "strength=1"], 'no setting "strength"'),
        (["--denoiser", "denoiser", "--set", "scale"], "write it as name=value"),
        (["--denoiser", "denoiser", "--preset", "vanilla"], "choose which"),
        (["--denoiser", "denoiser", "--recipe", "/nowhere.json"], "/nowhere.json cannot be read: No such file"),
        (["--denoiser", "denoiser", "--owner", "nobody"], 'There is no researcher "nobody".'),
    ],
)
def test_what_makes_no_arm_is_refused_with_a_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(CommandError) as refusal:
        run("create_arm", "mine", *words)
    assert sentence in str(refusal.value)
    assert not Arm.objects.exists()


def test_a_batch_is_queued(tmp_path: Path) -> None:
    plain, other = make_arms(tmp_path)
    key = run("generate", "mine", "--arms", plain.name, other.pk, "--classes", "dog, 0", "--seeds-per-class", 2)
    batch = Batch.objects.get()
    assert (str(batch.pk), batch.class_table) == (key, {"0": "cat", "1": "dog"})
    assert (set(batch.arms.all()), batch.images.count(), batch.status) == ({plain, other}, 8, Batch.Status.QUEUED)


def test_a_batch_is_made_in_this_process_with_the_same_bytes_as_by_a_worker(tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    by_worker = make_batch(arms)
    make_every_chunk(by_worker, make_chunk)
    words = ("--classes", "0, 2", "--seeds-per-class", 2, "--steps", 3, "--pairs-at-once", 2, "--wait")
    here = Batch.objects.get(pk=int(run("generate", "mine", "--arms", *(arm.name for arm in arms), *words)))
    assert here.status == Batch.Status.COMPLETE
    assert bytes_of(here) == bytes_of(by_worker)


def test_a_batch_that_fails_ends_the_command_with_its_sentence(tmp_path: Path) -> None:
    arms = make_arms(tmp_path)
    for file in tmp_path.glob("classifier*.safetensors"):
        file.write_bytes(b"torn")
    words = ("--seeds-per-class", 1, "--steps", 3, "--wait")
    with pytest.raises(CommandError, match="Weights cannot be loaded"):
        run("generate", "mine", "--arms", *(arm.name for arm in arms), *words)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--arms", "nobody"], 'There is no arm "nobody" that generates'),
        (["--arms", "plain", "--classes", "unicorn"], 'There is no class "unicorn"'),
        (["--arms", "plain", "--steps", "5000"], "5000 steps: the denoiser has 1000"),
        (["--arms", "twin"], 'Several arms are called "twin"; name one by its id'),
    ],
)
def test_a_batch_that_cannot_be_made_is_refused_with_a_sentence(
    tmp_path: Path, words: list[str], sentence: str
) -> None:
    denoiser = make_arms(tmp_path)[0].denoiser
    assert denoiser is not None
    for told in (True, False):
        create_arm(owner=None, name="twin", denoiser=denoiser, class_conditional=told)
    with pytest.raises(CommandError) as refusal:
        run("generate", "mine", *words)
    assert sentence in str(refusal.value)
    assert not Batch.objects.exists()
