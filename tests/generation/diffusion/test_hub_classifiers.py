"""Classifiers off the shelf as checkpoints: tiny folders, written by the library itself."""

import json
import sys
from pathlib import Path

import pytest
import torch
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from generation.diffusion.checkpoints import inspect_checkpoint, load_classifier, load_denoiser
from generation.diffusion.classifiers import Head
from generation.diffusion.facts import (
    Architecture,
    CheckpointMismatch,
    Kind,
    MissingExtra,
    Options,
    UnreadableCheckpoint,
)

LABELS = ("tench", "goldfish", "hen")
IMAGE_INPUT = {"do_normalize": True, "image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"shortest_edge": 16}}


def write_resnet(folder: Path, **changes: object) -> Path:
    """A ResNet of three classes; its weights are random."""
    config = ResNetConfig(
        embedding_size=4,
        hidden_sizes=[4, 8],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
        **changes,
    )
    ResNetForImageClassification(config).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(IMAGE_INPUT))
    return folder


def write_clip(folder: Path) -> Path:
    """A CLIP that reads letters; its weights are random."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    width = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**width, "vocab_size": len(words), "max_position_embeddings": 24, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**width, "image_size": 16, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    CLIPTokenizer(vocab={word: index for index, word in enumerate(words)}, merges=[]).save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(IMAGE_INPUT))
    return folder


def test_an_image_classifier_has_labels_and_resizes_what_it_is_shown(tmp_path: Path) -> None:
    folder = write_resnet(tmp_path / "resnet")
    facts = inspect_checkpoint(folder)
    assert (facts.kind, facts.architecture, facts.extra) == (
        Kind.CLASSIFIER,
        Architecture.IMAGE_CLASSIFIER,
        "transformers",
    )
    assert (facts.class_labels, facts.head, facts.image_size) == (LABELS, Head.SOFTMAX, 16)
    assert (facts.noise_trained, facts.takes_t, facts.adversarial) == (False, False, None)
    assert facts.details["resizes"]
    assert facts.details["relus"] > 0
    assert load_classifier(folder, facts)(torch.zeros(2, 3, 32, 32)).shape == (2, 3)


def test_attributes_have_a_sigmoid_head(tmp_path: Path) -> None:
    facts = inspect_checkpoint(write_resnet(tmp_path / "faces", problem_type="multi_label_classification"))
    assert (facts.head, facts.class_labels[:2]) == (Head.SIGMOID, ("not tench", "tench"))


def test_a_vision_transformer_has_no_relu(tmp_path: Path) -> None:
    config = ViTConfig(
        hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=2, image_size=16, patch_size=8
    )
    ViTForImageClassification(config).save_pretrained(tmp_path / "vit")
    (tmp_path / "vit" / "preprocessor_config.json").write_text(json.dumps(IMAGE_INPUT))
    assert inspect_checkpoint(tmp_path / "vit").details["relus"] == 0


def test_clip_has_no_classes_until_it_is_told_some(tmp_path: Path) -> None:
    folder = write_clip(tmp_path / "clip")
    facts = inspect_checkpoint(folder)
    assert (facts.architecture, facts.class_labels) == (Architecture.CLIP, ())
    told = inspect_checkpoint(folder, Options(class_labels=("cat", "dog"), prompt="my {}"))
    assert told.class_labels == ("cat", "dog")
    network = load_classifier(folder, told)
    assert network(torch.zeros(1, 3, 16, 16)).shape == (1, 2)
    other = load_classifier(folder, inspect_checkpoint(folder, Options(class_labels=("cat", "dog"))))
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    assert not torch.equal(network(x), other(x))


def test_labels_of_its_own_cannot_be_told_otherwise(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="resnet has classes of its own"):
        inspect_checkpoint(write_resnet(tmp_path / "resnet"), Options(class_labels=("a", "b", "c")))


def test_a_damaged_folder_is_refused(tmp_path: Path) -> None:
    folder = write_resnet(tmp_path / "resnet")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(CheckpointMismatch, match=r"resnet/model\.safetensors is not a whole safetensors file"):
        inspect_checkpoint(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableCheckpoint, match=r"empty has no config\.json"):
        inspect_checkpoint(tmp_path / "empty")


def test_a_missing_library_is_named_with_what_to_type(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_resnet(tmp_path / "resnet")
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"^resnet needs transformers, .*: pip install -r requirements-extras\.txt$"):
        inspect_checkpoint(folder)


def test_a_classifier_is_not_taken_for_a_denoiser(tmp_path: Path) -> None:
    with pytest.raises(CheckpointMismatch, match="is a classifier, not a denoiser"):
        load_denoiser(write_resnet(tmp_path / "resnet"))
