import json
import subprocess
import sys
from dataclasses import asdict

import pytest

from generation.diffusion.classifiers import ClassifierConfig
from generation.diffusion.plans import (
    PUBLISHED_CLASSIFIERS,
    PUBLISHED_DENOISERS,
    Attack,
    ClassifierPlan,
    DenoiserPlan,
    InvalidPlan,
    Kind,
    Norm,
    plan_of,
)
from generation.diffusion.presets import (
    DENOISER,
    GUIDE,
    cifar_guide_config,
    denoiser_config,
    guide_config,
    imagenet_guide_config,
)


def test_a_plan_needs_no_torch() -> None:
    loaded = "import sys, generation.diffusion.plans; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loaded], check=False).returncode == 0


@pytest.mark.parametrize("plan", [*PUBLISHED_CLASSIFIERS.values(), *PUBLISHED_DENOISERS.values()])
def test_a_plan_comes_back_from_json(plan: ClassifierPlan | DenoiserPlan) -> None:
    assert plan_of(type(plan), json.loads(json.dumps(asdict(plan)))) == plan


@pytest.mark.parametrize(
    ("key", "kind", "batch_size", "steps", "last_rate"),
    [
        # Kawar et al., section 5.1: 240k steps, the rate falling from 3e-4 to 6e-5.
        ("kawar-imagenet-robust", Kind.ROBUST, 128, 240_000, 6e-5),
        ("kawar-imagenet-vanilla", Kind.VANILLA, 256, 300_000, 0.0),
        ("kawar-cifar-robust", Kind.ROBUST, 128, 200_000, 1e-4),
        ("kawar-cifar-vanilla", Kind.VANILLA, 128, 200_000, 1e-4),
    ],
)
def test_a_published_classifier_is_trained_as_its_paper_says(
    key: str, kind: Kind, batch_size: int, steps: int, last_rate: float
) -> None:
    plan = PUBLISHED_CLASSIFIERS[key]
    assert (plan.kind, plan.batch_size, plan.steps) == (kind, batch_size, steps)
    assert (plan.learning_rate, plan.weight_decay) == (3e-4, 0.05)
    assert (plan.warmup_steps, plan.clip_norm, plan.ema_decay) == (0, 0, 0)
    assert plan.anneal is not None
    assert plan.learning_rate * (1 - plan.steps / plan.anneal) == pytest.approx(last_rate)


def test_the_published_attacks_have_the_published_steps() -> None:
    assert PUBLISHED_CLASSIFIERS["kawar-imagenet-robust"].attack == Attack(norm=Norm.L2, eps=0.5, step=0.083, steps=7)
    cifar = PUBLISHED_CLASSIFIERS["kawar-cifar-robust"]
    assert cifar.attack.step == pytest.approx(2.5 * 0.5 / 7)
    # The ablation's other threat models follow by overriding norm, eps and steps.
    other = plan_of(ClassifierPlan, {"norm": "linf", "eps": 8 / 255, "attack_steps": 5}, base=cifar).attack
    assert other == Attack(norm=Norm.LINF, eps=8 / 255, step=2.5 * 8 / 255 / 5, steps=5)


def test_derived_networks_are_the_shipped_ones_at_64_px_and_published_ones_have_the_published_shape() -> None:
    assert guide_config(64, 4) == GUIDE
    assert denoiser_config(64, 5) == DENOISER
    assert guide_config(32, 10, width=16).channel_mult == (1, 2, 3)
    imagenet = imagenet_guide_config(128, 1000)
    assert imagenet == ClassifierConfig(
        image_size=128,
        model_channels=128,
        out_channels=1000,
        num_res_blocks=2,
        attention_resolutions=(4, 8, 16),
        channel_mult=(1, 1, 2, 3, 4),
        num_head_channels=64,
    )
    cifar = cifar_guide_config(10)
    assert (cifar.model_channels, cifar.attention_resolutions, cifar.channel_mult) == (32, (2, 4), (1, 2, 2, 4))


@pytest.mark.parametrize(
    ("changes", "option", "sentence"),
    [
        ({"steps": 0}, "steps", "must be more than 0, not 0"),
        ({"steps": "many"}, "steps", "can't be 'many'"),
        ({"image_size": 48}, "image_size", "power of two"),
        ({"image_size": 8}, "image_size", "power of two"),
        ({"width": 12}, "width", "multiple of 8"),
        ({"kind": "bold"}, "kind", "can't be 'bold'"),
        ({"kind": "adversarial", "eps": 0}, "eps", "more than 0"),
        ({"kind": "adversarial", "attributes": "t.csv", "data": "faces"}, "attributes", "can't be attacked"),
        ({"attributes": "t.csv"}, "attributes", "belong to a folder"),
        ({"dropout": 0.1, "workers": 2}, "workers", "must be 1 with dropout"),
        ({"name": "../up"}, "name", "file name without folder"),
        ({"colour": "red"}, "colour", "is no option"),
        ({"held_out_share": 1.0}, "held_out_share", "less than 1"),
        ({"device": "abacus"}, "device", "cpu or cuda"),
    ],
)
def test_an_impossible_plan_is_refused_by_its_option(changes: dict[str, object], option: str, sentence: str) -> None:
    with pytest.raises(InvalidPlan, match=sentence) as refused:
        plan_of(ClassifierPlan, changes)
    assert refused.value.option == option


def test_a_denoiser_of_attributes_is_unconditional() -> None:
    with pytest.raises(InvalidPlan, match="must be unconditional"):
        DenoiserPlan(data="faces", attributes="t.csv")


def test_a_name_says_the_data_and_the_kind_unless_one_is_given() -> None:
    assert ClassifierPlan().name == "sportballs-vanilla"
    assert ClassifierPlan(kind=Kind.ROBUST, data="pictures/trees.tar.xz").name == "trees-robust"
    assert DenoiserPlan().name == "sportballs-denoiser"
    assert DenoiserPlan(name="mine").name == "mine"
