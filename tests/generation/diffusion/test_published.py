"""Published state dicts: what shapes show, what they don't, and what is refused."""

import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from generation.diffusion.checkpoints import inspect_checkpoint, load_classifier, load_denoiser
from generation.diffusion.classifiers import ClassifierConfig
from generation.diffusion.facts import (
    Architecture,
    CheckpointMismatch,
    Kind,
    Options,
    UnreadableCheckpoint,
    UntoldFacts,
)
from generation.diffusion.networks import UNetConfig
from generation.diffusion.published import PUBLISHED, Published, infer
from generation.diffusion.weights import Shapes, check_shapes, expected_shapes
from tests.generation.diffusion.golden import (
    CLASSIFIERS,
    MODELS,
    UNETS,
    arrays,
    golden_config,
    golden_state,
    largest_difference,
)

LABELS = tuple(f"thing {number}" for number in range(10))


def told(name: str, **changes: Any) -> Options:
    """What the shapes of a golden model don't show."""
    config = golden_config(name)
    by_width = config.num_head_channels != -1
    said: dict[str, Any] = {
        "schedule": "linear",
        "image_size": config.image_size,
        "heads": None if by_width else config.num_heads,
        "head_width": config.num_head_channels if by_width else None,
        "attention_order": "new" if config.use_new_attention_order else "legacy",
    }
    return Options(**{**said, **changes})


def shapes_of(name: str) -> Shapes:
    return {key: tuple(shape) for key, shape in MODELS[name]["keys"].items()}


def written(folder: Path, name: str, change: Callable[[dict[str, Tensor]], None] = lambda state: None) -> Path:
    state = golden_state(name)
    change(state)
    path = folder / f"{name}.pt"
    torch.save(state, path)
    return path


@pytest.mark.parametrize("name", UNETS + CLASSIFIERS)
def test_a_configuration_is_read_off_the_shapes(name: str) -> None:
    assert infer(shapes_of(name), name=name, options=told(name)).config == golden_config(name)


def published_config(row: Published, classes: int | None) -> UNetConfig | ClassifierConfig:
    network: dict[str, Any] = {
        "image_size": row.image_size,
        "model_channels": row.channels,
        "num_res_blocks": row.blocks,
        "attention_resolutions": row.attention,
        "channel_mult": row.mult,
        "resblock_updown": row.resblock_updown,
    }
    if row.classifier:
        return ClassifierConfig(**network, out_channels=1000)
    heads = {"num_heads": row.heads} if row.heads else {"num_head_channels": row.head_width}
    order = {"use_new_attention_order": row.attention_order.value == "new"}
    return UNetConfig(**network, **heads, **order, out_channels=6, num_classes=classes)


# Parameters and keys of the files that Dhariwal and Nichol publish.
SIZES = {
    ("ADM denoiser, 64 px", 1000): (295_904_454, 541),
    ("ADM denoiser, 128 px", 1000): (421_529_606, 493),
    ("ADM denoiser, 256 px", 1000): (553_838_086, 567),
    ("ADM classifier, 128 px", 1000): (42_568_040, 221),
}


@pytest.mark.parametrize(("row", "classes"), [(row, classes) for row in PUBLISHED for classes in row.classes])
def test_a_published_file_needs_nothing_to_be_told(row: Published, classes: int | None) -> None:
    config = published_config(row, classes)
    shapes = expected_shapes(config, name=row.name)
    inferred = infer(shapes, name=row.name, options=Options())
    assert inferred.recognised == row.name
    assert inferred.config == config
    assert inferred.schedule == ("cosine" if row.image_size == 64 else "linear")
    if (row.name, classes) in SIZES:
        assert (sum(math.prod(shape) for shape in shapes.values()), len(shapes)) == SIZES[row.name, classes]


def test_the_128_px_denoiser_has_four_heads_in_legacy_order_and_the_64_px_one_heads_of_64_in_the_new() -> None:
    by_size = {row.image_size: row for row in PUBLISHED if not row.classifier}
    assert (by_size[128].heads, by_size[128].head_width, by_size[128].attention_order) == (4, None, "legacy")
    assert (by_size[64].heads, by_size[64].head_width, by_size[64].attention_order) == (None, 64, "new")


def test_what_is_told_goes_before_what_is_recognised() -> None:
    shapes = shapes_of("classifier_cifar")
    by_table = infer(shapes, name="x", options=Options())
    assert (by_table.recognised, by_table.config.num_head_channels) == ("CIFAR-10 classifier, 32 px", 64)
    by_hand = infer(shapes, name="x", options=Options(head_width=32, schedule="cosine", timesteps=500))
    assert (by_hand.config.num_head_channels, by_hand.schedule, by_hand.timesteps) == (32, "cosine", 500)


def test_an_unknown_denoiser_names_all_that_is_missing() -> None:
    with pytest.raises(UntoldFacts) as refusal:
        infer(shapes_of("unet_64style"), name="mine.pt", options=Options())
    assert str(refusal.value) == (
        "mine.pt is a denoiser of 32 channels times (1, 2, 3, 4), 3 blocks a level, 10 classes, which is none of the "
        "published files known here; say what its shapes don't show: --image-size, --schedule (linear or cosine), "
        "--heads or --head-width, --attention-order (legacy or new)."
    )


def test_an_unknown_classifier_shows_its_image_size_and_needs_the_rest() -> None:
    shapes = shapes_of("classifier_128style")
    with pytest.raises(UntoldFacts, match=r"shapes don't show: --schedule .*, --head-width, --attention-order"):
        infer(shapes, name="mine.pt", options=Options())
    said = Options(schedule="linear", head_width=16, attention_order="legacy")
    assert infer(shapes, name="mine.pt", options=said).config.image_size == 32


def test_one_head_has_no_order() -> None:
    said = Options(image_size=16, schedule="linear", heads=1)
    assert infer(shapes_of("unet_plain"), name="x", options=said).config == golden_config("unet_plain")


def ambiguous() -> Shapes:
    """Six stages of one width without attention: one level of five blocks, two of two, or three of one."""
    config = ClassifierConfig(
        image_size=8,
        model_channels=32,
        out_channels=4,
        num_res_blocks=1,
        attention_resolutions=(),
        channel_mult=(1, 1, 1),
    )
    return expected_shapes(config, name="x")


def test_a_layout_that_can_be_cut_in_several_ways_is_asked_about() -> None:
    said = Options(schedule="linear", head_width=32, attention_order="legacy")
    with pytest.raises(UntoldFacts, match="may have 5 or 2 or 1 blocks a level; say --res-blocks"):
        infer(ambiguous(), name="x", options=said)
    by_blocks = infer(ambiguous(), name="x", options=Options(**{**said.stored(), "res_blocks": 1}))
    by_size = infer(ambiguous(), name="x", options=Options(**{**said.stored(), "image_size": 8}))
    assert by_blocks.config == by_size.config
    assert by_blocks.config.channel_mult == (1, 1, 1)
    with pytest.raises(CheckpointMismatch, match="no levels of equal length that agree with what was said"):
        infer(ambiguous(), name="x", options=Options(**{**said.stored(), "image_size": 64}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"head_width": 24, "heads": None}, r"attention over 32, 64 channels|which 24 does not divide"),
        ({"heads": 5, "head_width": None}, "which 5 does not divide"),
        ({"heads": 4, "head_width": 32}, "either --heads or --head-width"),
        ({"image_size": 36}, "halves its images 3 times; 36 px can't be"),
        ({"schedule": "quadratic"}, '"quadratic" is no schedule'),
        ({"schedule": "linear:0.1:x"}, "are no numbers"),
        ({"schedule": "linear:0.02:0.01"}, "must rise between 0 and 1"),
        ({"timesteps": 0}, "at least one timestep, not 0"),
        ({"norm_groups": 7}, "a network that cannot be built"),
        ({"null_class": 3}, "only the last can be the one for none"),
        ({"class_labels": ("a", "b")}, "has 10 classes, but 2 labels were given"),
    ],
)
def test_what_is_told_must_fit(tmp_path: Path, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(CheckpointMismatch, match=sentence):
        inspect_checkpoint(written(tmp_path, "unet_cifar"), told("unet_cifar", **changes))


@pytest.mark.parametrize("name", UNETS)
def test_a_published_denoiser_loads_unchanged_and_predicts_the_reference_noise(name: str, tmp_path: Path) -> None:
    path, recorded = written(tmp_path, name), arrays(name)
    facts = inspect_checkpoint(path, told(name))
    assert (facts.kind, facts.architecture) == (Kind.DENOISER, Architecture.UNET)
    assert facts.takes_labels == (MODELS[name]["config"]["num_classes"] is not None)
    network = load_denoiser(path, facts)
    labels = recorded["y"] if facts.takes_labels else None
    assert largest_difference(network(recorded["x"], recorded["t"], labels), recorded["out"]) < 1e-5


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_published_classifier_loads_unchanged_and_gives_the_reference_logits(name: str, tmp_path: Path) -> None:
    path, recorded = written(tmp_path, name), arrays(name)
    attack = {"norm": "l2", "eps": 0.5, "steps": 7, "step": 0.083}
    facts = inspect_checkpoint(path, told(name, adversarial=attack, class_labels=LABELS))
    assert (facts.kind, facts.takes_t, facts.noise_trained) == (Kind.CLASSIFIER, True, True)
    assert (facts.adversarial, facts.class_labels) == (attack, LABELS)
    logits = load_classifier(path, facts)(recorded["x"], recorded["t"])
    assert largest_difference(logits, recorded["logits"]) < 1e-5


def test_half_precision_files_become_float32(tmp_path: Path) -> None:
    def halve(state: dict[str, Tensor]) -> None:
        state.update({key: value.half() for key, value in state.items()})

    path = written(tmp_path, "unet_plain", halve)
    network = load_denoiser(path, inspect_checkpoint(path, told("unet_plain")))
    assert {parameter.dtype for parameter in network.parameters()} == {torch.float32}
    expected = golden_state("unet_plain")
    assert all(torch.allclose(value, expected[key], atol=1e-2) for key, value in network.state_dict().items())


def test_an_old_file_without_an_archive_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "old.pt"
    torch.save(golden_state("unet_plain"), path, _use_new_zipfile_serialization=False)
    assert inspect_checkpoint(path, told("unet_plain")).config["model_channels"] == 32


def test_classes_without_labels_are_numbered_and_a_missing_last_label_is_the_null_class(tmp_path: Path) -> None:
    path = written(tmp_path, "unet_cifar")
    plain = inspect_checkpoint(path, told("unet_cifar"))
    assert (plain.class_labels[0], len(plain.class_labels), plain.null_class) == ("class 0", 10, None)
    by_labels = inspect_checkpoint(path, told("unet_cifar", class_labels=LABELS[:9]))
    assert (by_labels.class_labels, by_labels.null_class) == (LABELS[:9], 9)
    by_index = inspect_checkpoint(path, told("unet_cifar", null_class=9))
    assert (len(by_index.class_labels), by_index.null_class) == (9, 9)


def _drop(state: dict[str, Tensor]) -> None:
    del state["input_blocks.5.0.in_layers.0.bias"]


def _add(state: dict[str, Tensor]) -> None:
    state["ema.weight"] = torch.zeros(1)


def _misshape(state: dict[str, Tensor]) -> None:
    state["middle_block.1.qkv.weight"] = torch.zeros(3, 64, 1)


def _upsampler(state: dict[str, Tensor]) -> None:
    state["input_blocks.0.0.weight"] = torch.zeros(32, 6, 3, 3)


def _headless(state: dict[str, Tensor]) -> None:
    for key in [key for key in state if key.startswith(("output_blocks", "out."))]:
        del state[key]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_drop, r"unet_cifar\.pt lacks the tensor input_blocks\.5\.0\.in_layers\.0\.bias"),
        (_add, r"has a tensor ema\.weight, which its network does not know"),
        (_misshape, r"has middle_block\.1\.qkv\.weight of shape \(3, 64, 1\), but its network needs \(192, 64, 1\)"),
        (_upsampler, "takes 6 channels and predicts 6; a denoiser of images takes 3"),
        (_headless, "no ADM denoiser, nor an ADM classifier with attention pooling"),
    ],
)
def test_a_mismatch_names_the_first_wrong_key(
    tmp_path: Path, change: Callable[[dict[str, Tensor]], None], sentence: str
) -> None:
    with pytest.raises(CheckpointMismatch, match=sentence):
        inspect_checkpoint(written(tmp_path, "unet_cifar", change), told("unet_cifar"))


def is_refused(shapes: Shapes, name: str) -> bool:
    try:
        config = infer(shapes, name=name, options=told(name)).config
        check_shapes(name, expected=expected_shapes(config, name=name), found=shapes)
    except (CheckpointMismatch, UntoldFacts):
        return True
    return False


@pytest.mark.parametrize(("name", "every"), [("unet_plain", 3), ("unet_128style", 19), ("classifier_cifar", 7)])
def test_any_missing_key_is_refused_but_that_of_the_classes(name: str, every: int) -> None:
    for key in {*list(shapes_of(name))[::every], "label_emb.weight"} & set(shapes_of(name)):
        shapes = {other: shape for other, shape in shapes_of(name).items() if other != key}
        assert is_refused(shapes, name) == (key != "label_emb.weight"), key


@pytest.mark.parametrize("kept", [0, 10, 1000, 300_000])
def test_a_truncated_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = written(tmp_path, "unet_plain")
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnreadableCheckpoint, match=r"unet_plain\.pt is not a readable state dict"):
        inspect_checkpoint(path, told("unet_plain"))


class Harmful:
    """Unpickling this would make a file."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.made),)


def test_a_file_with_code_is_refused_without_running_it(tmp_path: Path) -> None:
    path, made = tmp_path / "evil.pt", tmp_path / "made"
    torch.save({"weight": Harmful(made)}, path)
    with pytest.raises(UnreadableCheckpoint, match=r"evil\.pt wants to run code \(\w+\.mkdir\) and is not loaded"):
        inspect_checkpoint(path)
    assert not made.exists()


@pytest.mark.parametrize("held", [{"model": {"a": torch.zeros(1)}, "step": 3}, [torch.zeros(1)], 3])
def test_a_file_that_holds_more_than_tensors_is_refused(tmp_path: Path, held: object) -> None:
    path = tmp_path / "training.pt"
    torch.save(held, path)
    with pytest.raises(UnreadableCheckpoint, match=r"it holds .*; save the network's weights alone"):
        inspect_checkpoint(path)


def test_the_facts_of_a_published_file_are_json(tmp_path: Path) -> None:
    facts = inspect_checkpoint(written(tmp_path, "unet_cifar"), told("unet_cifar"))
    assert UNetConfig(**json.loads(json.dumps(facts.config))) == golden_config("unet_cifar")
