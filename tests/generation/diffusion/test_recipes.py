import dataclasses
import hashlib
import json
import subprocess
import sys
from typing import Any

import pytest

from generation.diffusion.recipes import (
    PRESETS,
    Guidance,
    InvalidRecipe,
    Preprocessing,
    Reads,
    Recipe,
    Sampler,
    Stabiliser,
    Variance,
)

GUIDED = Recipe(guidance=Guidance.CLASSIFIER, scale=1.0)
# One change to each setting of GUIDED, each of them valid.
CHANGES: dict[str, Any] = {
    "scale": 2.0,
    "reads": Reads.X_0,
    "joint_temperature": 0.5,
    "conditional_temperature": 0.5,
    "softplus_beta": 3.0,
    "sine_gamma": 0.3,
    "guided_from": 0.1,
    "guided_until": 0.9,
    "normalised": True,
    "stabiliser": Stabiliser.EMA,
    "decay": 0.99,
    "second_decay": 0.99,
    "preprocessing": Preprocessing.RAW,
    "sampler": Sampler.DDIM,
    "variance": Variance.FIXED_SMALL,
}


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset_comes_back_from_its_settings_as_json(preset: Any) -> None:
    settings = json.loads(json.dumps(preset.recipe.settings()))
    recipe = Recipe.from_settings(settings)
    assert recipe == preset.recipe
    assert recipe.fingerprint() == preset.recipe.fingerprint()
    assert recipe.needs_classifier == bool(preset.classifier)
    assert recipe.describe()


def test_presets_differ_from_each_other_and_are_filed_under_their_keys() -> None:
    assert all(key == preset.key for key, preset in PRESETS.items())
    assert len({preset.recipe.fingerprint() for preset in PRESETS.values()}) == len(PRESETS)
    assert len({(preset.paper, preset.name) for preset in PRESETS.values()}) == len(PRESETS)


def published(key: str, **expected: Any) -> None:
    recipe = PRESETS[key].recipe
    assert {name: getattr(recipe, name) for name in expected} == expected


def test_presets_have_the_values_of_their_papers() -> None:
    published("vanilla", scale=0.5, reads="x_t", variance="learned")
    published("robust", scale=1.0, reads="x_t", variance="learned")
    published("gradcheck-plain", scale=0.04, normalised=True, variance="fixed_small", stabiliser="none")
    published("gradcheck-x0-adam", scale=0.04, normalised=True, reads="x_0", stabiliser="adam_corrected", decay=0.9)
    published("non-robust-x0-ema", normalised=False, reads="x_0", stabiliser="ema", decay=0.9)
    published("non-robust-adam", stabiliser="adam", decay=0.9, second_decay=0.999)
    published("attribute", reads="x_0", stabiliser="ema", joint_temperature=1, conditional_temperature=0)
    published("elucd", reads="detached_x_0", joint_temperature=1, conditional_temperature=0.5)
    published("elucd", softplus_beta=3, sine_gamma=0.3, sampler="ddpm")
    published("elucd-edm", softplus_beta=5, sine_gamma=None)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Recipe) if field.name != "guidance"])
def test_every_setting_changes_the_fingerprint_and_survives_json(name: str) -> None:
    changed = dataclasses.replace(GUIDED, **{name: CHANGES[name]})
    assert changed.fingerprint() != GUIDED.fingerprint()
    assert Recipe.from_settings(json.loads(json.dumps(changed.settings()))) == changed


def test_the_kind_of_guidance_changes_the_fingerprint() -> None:
    assert Recipe(guidance=Guidance.CLASSIFIER_FREE, scale=1.0).fingerprint() != GUIDED.fingerprint()


def test_a_fingerprint_is_the_sha256_of_all_settings_in_the_order_of_their_names() -> None:
    # Papers cite it, so that it is written out here: whoever changes it changes what they have cited.
    text = (
        '{"conditional_temperature": 1.0, "decay": 0.9, "guidance": "classifier", "guided_from": 0.0, '
        '"guided_until": 1.0, "joint_temperature": 1.0, "normalised": false, "preprocessing": "own", "reads": "x_t", '
        '"sampler": "ddpm", "scale": 1.0, "second_decay": 0.999, "sine_gamma": null, "softplus_beta": null, '
        '"stabiliser": "none", "variance": "learned"}'
    )
    assert PRESETS["robust"].recipe.fingerprint() == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize("scale", [1, 1.0, True + 0.0])
def test_equal_recipes_have_one_fingerprint_however_their_numbers_are_written(scale: float) -> None:
    recipe = Recipe.from_settings({"guidance": "classifier", "scale": scale})
    assert recipe == GUIDED
    assert recipe.fingerprint() == GUIDED.fingerprint()
    assert json.dumps(recipe.settings()) == json.dumps(GUIDED.settings())


def test_a_negative_zero_is_zero() -> None:
    assert Recipe(scale=-0.0).fingerprint() == Recipe().fingerprint()


def test_the_default_recipe_is_unguided_and_needs_no_settings() -> None:
    assert Recipe().settings() == {}
    assert Recipe.from_settings({}) == PRESETS["unguided"].recipe
    assert not Recipe().needs_classifier


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"scael": 1}, 'no setting "scael"; it knows conditional_temperature, decay'),
        ({"guidance": "magic"}, "guidance is 'magic'; choose one of none, classifier, classifier_free"),
        ({"guidance": "classifier", "reads": "x_1"}, "reads is 'x_1'; choose one of x_t, x_0, detached_x_0"),
        ({"guidance": "classifier", "stabiliser": None}, "stabiliser is None; choose one of none, ema"),
        ({"guidance": "classifier", "scale": -1}, r"The scale is -1\.0; choose one from 0 to 100"),
        ({"guidance": "classifier", "scale": 101}, r"The scale is 101\.0; choose one from 0 to 100"),
        ({"guidance": "classifier", "scale": float("nan")}, "The scale is nan"),
        ({"guidance": "classifier", "scale": float("inf")}, "The scale is inf"),
        ({"guidance": "classifier", "scale": 10**400}, "scale is too great a number"),
        ({"guidance": "classifier", "scale": "1"}, "scale is '1'; it must be a number"),
        ({"guidance": "classifier", "scale": None}, "scale is None; it must be a number"),
        ({"guidance": "classifier", "scale": True}, "scale is True; it must be a number"),
        ({"guidance": "classifier", "scale": [1]}, r"scale is \[1\]; it must be a number"),
        ({"guidance": "classifier", "normalised": "yes"}, "normalised is 'yes'; choose true or false"),
        ({"guidance": "classifier", "decay": 1}, r"decay is 1\.0; choose a number from 0 to 0\.99999"),
        ({"guidance": "classifier", "second_decay": -0.1}, r"second_decay is -0\.1; choose"),
        ({"guidance": "classifier", "joint_temperature": -1}, r"joint_temperature is -1\.0; choose"),
        (
            {"guidance": "classifier", "conditional_temperature": 1e9},
            r"conditional_temperature is 1000000000\.0; choose",
        ),
        ({"guidance": "classifier", "softplus_beta": 0}, r"softplus_beta is 0\.0; choose a number from 0\.01"),
        ({"guidance": "classifier", "sine_gamma": float("nan")}, "sine_gamma is nan; choose"),
        ({"guidance": "classifier", "guided_until": 1.5}, r"guided_until is 1\.5; choose a number from 0 to 1"),
        ({"guidance": "classifier", "guided_from": 0.5, "guided_until": 0.5}, "from noise level 0.5 to 0.5 is none"),
        ({"guidance": "classifier", "sine_gamma": 0.3, "sampler": "ddim"}, "changes the mean of a DDPM step"),
        ({"sampler": "ddim", "variance": "fixed_small"}, "DDIM draws no noise"),
        ({"scale": 1.0}, r"The scale is 1, but there is no guidance to scale"),
        ({"normalised": True}, 'normalised belongs to classifier guidance, not to guidance "none"'),
        ({"guidance": "classifier_free", "reads": "x_0"}, "reads belongs to classifier guidance"),
        ({"guidance": "classifier_free", "stabiliser": "ema"}, "stabiliser belongs to classifier guidance"),
    ],
)
def test_settings_that_make_no_recipe_are_refused_in_a_sentence(said: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InvalidRecipe, match=sentence) as refusal:
        Recipe.from_settings(said)
    assert "\n" not in str(refusal.value)
    assert str(refusal.value).endswith(".")


def test_a_description_tells_what_is_out_of_the_ordinary() -> None:
    described = PRESETS["elucd"].recipe.describe()
    assert described == "classifier on detached x_0, s = 1, DDPM, t1 = 1, t2 = 0.5, Softplus 3, sine 0.3"
    assert PRESETS["classifier-free"].recipe.describe() == "classifier-free, w = 0.5, DDPM"
    assert Recipe().describe() == "not guided, DDPM"


def test_recipes_are_read_without_torch() -> None:
    code = "import sys; import generation.diffusion.recipes; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
