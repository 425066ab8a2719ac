import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from generation.diffusion.checkpoints import (
    CheckpointMismatch,
    Kind,
    Options,
    Training,
    UnreadableCheckpoint,
    digest_of,
    inspect_checkpoint,
    load_classifier,
    load_denoiser,
    save_checkpoint,
    space_of,
)
from generation.diffusion.classifiers import (
    CleanClassifier,
    CleanConfig,
    EncoderClassifier,
    Head,
    Outputs,
    attribute_labels,
)
from generation.diffusion.presets import GUIDE
from generation.diffusion.spaces import Space
from tests.generation.diffusion.golden import (
    arrays,
    golden_unet,
    largest_difference,
)

LABELS = tuple(f"class {i}" for i in range(9))
TRAINING = Training(class_labels=LABELS, card={"steps": 3})


@pytest.fixture
def denoiser_path(tmp_path: Path) -> Path:
    """A denoiser of 10 classes, the last of which has no label: the null class."""
    path = tmp_path / "denoiser.safetensors"
    save_checkpoint(path, golden_unet("unet_cifar"), training=TRAINING)
    return path


def rewrite(path: Path, change: Callable[[dict[str, Tensor]], None]) -> None:
    """Change a file's tensors and leave its description as it is."""
    from safetensors import safe_open

    with safe_open(str(path), framework="pt") as file:
        metadata = file.metadata()
    weights = load_file(str(path))
    change(weights)
    save_file(weights, str(path), metadata=metadata)


def test_a_saved_network_comes_back_the_same(denoiser_path: Path) -> None:
    recorded = arrays("unet_cifar")
    network = load_denoiser(denoiser_path)
    out = network(recorded["x"], recorded["t"], recorded["y"])
    assert largest_difference(out, recorded["out"]) < 1e-5
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_half_precision_is_for_the_disk_only(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    network = golden_unet("unet_plain")
    save_checkpoint(path, network, training=TRAINING, half=True)
    assert {value.dtype for value in load_file(str(path)).values()} == {torch.float16}
    loaded = load_denoiser(path).state_dict()
    assert {value.dtype for value in loaded.values()} == {torch.float32}
    for key, value in network.state_dict().items():
        assert torch.allclose(loaded[key], value, atol=1e-2)


def test_the_facts_of_a_denoiser_are_known_without_building_it(denoiser_path: Path) -> None:
    facts = inspect_checkpoint(denoiser_path)
    assert facts.kind is Kind.DENOISER
    assert facts.image_size == 32
    assert facts.class_labels == LABELS
    assert facts.null_class == 9
    assert facts.timesteps == 1000
    assert facts.card == {"steps": 3}
    assert facts.config["model_channels"] == 32
    assert facts.sha256 == hashlib.sha256(denoiser_path.read_bytes()).hexdigest()


def test_the_facts_of_a_robust_classifier_name_its_attack(tmp_path: Path) -> None:
    path = tmp_path / "robust.safetensors"
    attack = {"norm": "l2", "eps": 0.5, "step": 0.083, "steps": 7}
    training = dataclasses.replace(TRAINING, adversarial=attack)
    save_checkpoint(path, EncoderClassifier(dataclasses.replace(GUIDE, image_size=32)), training=training)
    facts = inspect_checkpoint(path)
    assert facts.kind is Kind.CLASSIFIER
    assert facts.takes_t
    assert facts.noise_trained
    assert facts.adversarial == attack
    assert facts.null_class is None


def test_a_judge_comes_back_with_its_running_statistics(tmp_path: Path) -> None:
    path = tmp_path / "judge.safetensors"
    judge = CleanClassifier(CleanConfig(image_size=32, out_channels=4))
    judge(torch.randn(8, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    training = dataclasses.replace(TRAINING, noise_trained=False)
    save_checkpoint(path, judge, training=training)
    loaded = load_classifier(path)
    x = torch.ones(2, 3, 32, 32)
    assert isinstance(loaded, CleanClassifier)
    assert torch.equal(loaded(x), judge.eval()(x))
    facts = inspect_checkpoint(path)
    assert not facts.takes_t
    assert not facts.noise_trained


@pytest.mark.parametrize("kept", [0, 4, 100, 100_000])
def test_a_truncated_file_is_refused(denoiser_path: Path, kept: int) -> None:
    denoiser_path.write_bytes(denoiser_path.read_bytes()[:kept])
    for read in (inspect_checkpoint, load_denoiser):
        with pytest.raises(UnreadableCheckpoint, match=r"denoiser\.safetensors"):
            read(denoiser_path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableCheckpoint, match=r"absent\.safetensors"):
        inspect_checkpoint(tmp_path / "absent.safetensors")


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "foreign.safetensors"
    save_file({"a": torch.zeros(1)}, str(path))
    with pytest.raises(UnreadableCheckpoint, match="without Twinseed's description"):
        inspect_checkpoint(path)


@pytest.mark.parametrize("description", ["{", '{"architecture": "vit"}', "[]", '{"architecture": "adm-unet"}'])
def test_an_unknown_description_is_refused(tmp_path: Path, description: str) -> None:
    path = tmp_path / "odd.safetensors"
    save_file({"a": torch.zeros(1)}, str(path), metadata={"twinseed": description})
    with pytest.raises(UnreadableCheckpoint, match=r"odd\.safetensors"):
        inspect_checkpoint(path)


def _drop(weights: dict[str, Tensor]) -> None:
    del weights["middle_block.0.in_layers.0.bias"]


def _add(weights: dict[str, Tensor]) -> None:
    weights["extra.weight"] = torch.zeros(1)


def _misshape(weights: dict[str, Tensor]) -> None:
    weights["out.2.bias"] = torch.zeros(3)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (_drop, r"lacks the tensor middle_block\.0\.in_layers\.0\.bias"),
        (_add, r"has a tensor extra\.weight, which its network does not know"),
        (_misshape, r"out\.2\.bias of shape \(3,\), but its network needs \(6,\)"),
    ],
)
def test_a_mismatch_names_the_first_wrong_key(
    denoiser_path: Path, change: Callable[[dict[str, Tensor]], None], sentence: str
) -> None:
    rewrite(denoiser_path, change)
    for read in (inspect_checkpoint, load_denoiser):
        with pytest.raises(CheckpointMismatch, match=sentence):
            read(denoiser_path)


def test_a_checkpoint_is_not_taken_for_the_other_kind(denoiser_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="is a denoiser, not a classifier"):
        load_classifier(denoiser_path)


def test_an_interrupted_save_leaves_the_old_file(denoiser_path: Path) -> None:
    before = denoiser_path.read_bytes()

    class Foreign(nn.Module):
        pass

    with pytest.raises(KeyError):
        save_checkpoint(denoiser_path, Foreign(), training=TRAINING)
    assert denoiser_path.read_bytes() == before


def test_a_file_that_says_what_it_is_is_not_told_otherwise(denoiser_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match=r"says itself what it is; leave out .*\(schedule\)"):
        inspect_checkpoint(denoiser_path, Options(schedule="cosine"))


def test_whether_a_denoiser_is_told_the_class_is_known(denoiser_path: Path, tmp_path: Path) -> None:
    unconditional = tmp_path / "plain.safetensors"
    save_checkpoint(unconditional, golden_unet("unet_plain"), training=Training(class_labels=()))
    assert inspect_checkpoint(denoiser_path).takes_labels
    assert not inspect_checkpoint(unconditional).takes_labels


def test_a_classifier_of_attributes_has_a_sigmoid_head(tmp_path: Path) -> None:
    path = tmp_path / "attributes.safetensors"
    network = CleanClassifier(CleanConfig(image_size=32, out_channels=2, outputs=Outputs.ATTRIBUTES))
    save_checkpoint(path, network, training=Training(class_labels=attribute_labels(("Smiling", "Male"))))
    facts = inspect_checkpoint(path)
    assert facts.head is Head.SIGMOID
    assert facts.details == {"relus": 4}
    logits = load_classifier(path, facts)(torch.zeros(1, 3, 32, 32))
    assert logits.shape == (1, 4)
    assert torch.equal(logits[:, ::2], -logits[:, 1::2])


def test_the_samples_of_our_denoisers_are_pixels(denoiser_path: Path) -> None:
    assert space_of(load_denoiser(denoiser_path)) == Space(size=32)


def test_a_folders_digest_depends_on_names_and_contents_and_nothing_else(tmp_path: Path) -> None:
    def digest(folder: str, files: dict[str, str]) -> str:
        for name, text in files.items():
            (tmp_path / folder / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / folder / name).write_text(text)
        return digest_of(tmp_path / folder)

    one = digest("a", {"config.json": "{}", "vae/config.json": "[]"})
    assert one == digest("b", {"vae/config.json": "[]", "config.json": "{}", ".cache/x": "left out"})
    assert one != digest("c", {"config.json": "{}", "vae/config.json": "[1]"})
    assert one != digest("d", {"config.json": "{}", "vae/other.json": "[]"})


def test_options_come_back_from_json() -> None:
    said = Options(class_labels=("a", "b"), heads=4, adversarial={"norm": "l2", "eps": 0.5}, noise_trained=False)
    assert Options.of(json.loads(json.dumps(said.stored()))) == said
    assert not Options()
    assert Options(noise_trained=False)
