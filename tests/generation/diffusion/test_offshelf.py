import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    CLIPConfig,
    CLIPModel,
    CLIPTokenizer,
    ResNetConfig,
    ResNetForImageClassification,
    ViTConfig,
    ViTForImageClassification,
)

from generation.diffusion.classifiers import Attributes, Head
from generation.diffusion.guides import NothingToSmooth, guide_of, smoothed
from generation.diffusion.offshelf import (
    ClipGuide,
    MissingExtra,
    OffTheShelf,
    UnusableFolder,
    inspect_offshelf,
    load_offshelf,
)
from generation.diffusion.recipes import Guidance, Preprocessing, Recipe

LABELS = ("tabby cat", "goldfish", "acorn")
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
RESNET_INPUT = {"do_normalize": True, "image_mean": MEAN, "image_std": STD, "size": {"shortest_edge": 16}}


def write(file: Path, document: dict[str, Any]) -> None:
    file.write_text(json.dumps(document))


def change(file: Path, **values: Any) -> None:
    """Change some values of a JSON file; None takes one away."""
    document = {**json.loads(file.read_text()), **values}
    write(file, {name: value for name, value in document.items() if value is not None})


@pytest.fixture
def resnet(tmp_path: Path) -> Path:
    """A tiny ResNet of three classes, as its authors would publish it."""
    folder = tmp_path / "resnet"
    torch.manual_seed(0)
    config = ResNetConfig(
        embedding_size=4,
        hidden_sizes=[4, 8],
        depths=[1, 1],
        layer_type="basic",
        id2label=dict(enumerate(LABELS)),
        label2id={label: index for index, label in enumerate(LABELS)},
    )
    ResNetForImageClassification(config).save_pretrained(folder)
    write(folder / "preprocessor_config.json", RESNET_INPUT)
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A tiny CLIP with a tokenizer of letters."""
    folder = tmp_path / "clip"
    torch.manual_seed(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    width = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    text = {**width, "vocab_size": len(words), "max_position_embeddings": 24, "bos_token_id": 0, "eos_token_id": 1}
    vision = {**width, "image_size": 16, "patch_size": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(folder)
    vocabulary = {word: index for index, word in enumerate(words)}
    CLIPTokenizer(vocab=vocabulary, merges=[]).save_pretrained(folder)
    write(
        folder / "preprocessor_config.json",
        {"image_mean": [0.5] * 3, "image_std": [0.25] * 3, "size": {"shortest_edge": 20}, "crop_size": 16},
    )
    return folder


def images(size: int, *, rows: int = 2) -> Tensor:
    return torch.rand(rows, 3, size, size, generator=torch.Generator().manual_seed(size)) * 2 - 1


def test_a_folder_tells_its_classes_and_its_input_without_loading_weights(resnet: Path) -> None:
    facts = inspect_offshelf(resnet)
    assert facts.kind == "image-classifier"
    assert facts.labels == LABELS
    assert facts.head is Head.SOFTMAX
    assert facts.image_size == 16
    assert (facts.image_input.mean, facts.image_input.std) == (tuple(MEAN), tuple(STD))


def test_an_image_classifier_sees_normalised_pixels(resnet: Path) -> None:
    classifier = load_offshelf(resnet)
    x = images(16)
    pixels = (x.double().numpy() + 1) / 2
    seen = (pixels - np.array(MEAN)[None, :, None, None]) / np.array(STD)[None, :, None, None]
    reference = ResNetForImageClassification.from_pretrained(resnet).eval()
    with torch.no_grad():
        expected = reference(pixel_values=torch.from_numpy(seen).float()).logits
        torch.testing.assert_close(classifier(x), expected, atol=1e-6, rtol=0)


def test_a_raw_recipe_leaves_values_between_minus_1_and_1(resnet: Path) -> None:
    classifier, x = load_offshelf(resnet), images(16)
    recipe = Recipe(guidance=Guidance.CLASSIFIER, preprocessing=Preprocessing.RAW)
    reference = ResNetForImageClassification.from_pretrained(resnet).eval()
    with torch.no_grad():
        raw = guide_of(classifier, recipe).logits(x, torch.zeros(2))
        torch.testing.assert_close(raw, reference(pixel_values=x).logits, atol=1e-6, rtol=0)
        # The classifier itself still normalises.
        assert (classifier(x) - raw).abs().max() > 1e-3


@pytest.mark.parametrize("size", [12, 32])
def test_images_of_any_size_are_resized_whole(resnet: Path, size: int) -> None:
    classifier = load_offshelf(resnet)
    assert isinstance(classifier, OffTheShelf)
    x = images(size)
    shown = classifier.shown(x, normalised=False)
    # An antialiased bilinear resize is a triangle filter as wide as the coarser of the two grids.
    matrix = triangle_filter(size, 16)
    expected = np.einsum("oh,nchw,pw->ncop", matrix, x.double().numpy(), matrix)
    np.testing.assert_allclose(shown.numpy(), expected, atol=1e-6)


def triangle_filter(size: int, out: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    scale = size / out
    centres = (np.arange(out) + 0.5) * scale - 0.5
    weights = 1 - np.abs(np.arange(size)[None] - centres[:, None]) / max(scale, 1)
    weights = np.clip(weights, 0, None)
    return weights / weights.sum(axis=1, keepdims=True)


def test_every_pixel_gets_a_gradient_even_when_resized(resnet: Path) -> None:
    x = images(32, rows=1).requires_grad_()
    logits = load_offshelf(resnet)(x)
    (gradient,) = torch.autograd.grad(logits[0, 1] - logits[0, 0], x)
    assert gradient.abs().sum(dim=(0, 2, 3)).min() > 0
    assert (gradient[0].abs().sum(dim=0) > 0).float().mean() > 0.9


def test_a_loaded_classifier_is_frozen_float32(resnet: Path) -> None:
    state = load_file(str(resnet / "model.safetensors"))
    half = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    save_file(half, str(resnet / "model.safetensors"), metadata={"format": "pt"})
    change(resnet / "config.json", dtype="float16")
    classifier = load_offshelf(resnet)
    assert not classifier.training
    assert {p.dtype for p in classifier.parameters()} == {torch.float32}
    assert not any(p.requires_grad for p in classifier.parameters())


def test_softplus_replaces_the_relus_of_a_resnet(resnet: Path) -> None:
    classifier, x = load_offshelf(resnet), images(16)
    smooth = smoothed(classifier, beta=3.0)
    assert not any(type(module) is torch.nn.ReLU for module in smooth.modules())
    with torch.no_grad():
        assert (smooth(x) - classifier(x)).abs().max() > 1e-3
        torch.testing.assert_close(smoothed(classifier, beta=1000.0)(x), classifier(x), atol=1e-2, rtol=0)


def test_a_transformer_has_no_relu_to_smooth(tmp_path: Path) -> None:
    config = ViTConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8, image_size=16, patch_size=8
    )
    ViTForImageClassification(config).save_pretrained(tmp_path)
    write(tmp_path / "preprocessor_config.json", {**RESNET_INPUT, "size": {"height": 16, "width": 16}})
    with pytest.raises(NothingToSmooth, match="no ReLU"):
        smoothed(load_offshelf(tmp_path), beta=3.0)


def test_a_multi_label_classifier_has_two_classes_an_attribute(resnet: Path) -> None:
    plain, x = load_offshelf(resnet), images(16)
    change(resnet / "config.json", problem_type="multi_label_classification")
    facts, classifier = inspect_offshelf(resnet), load_offshelf(resnet)
    assert facts.labels[:4] == ("not tabby cat", "tabby cat", "not goldfish", "goldfish")
    assert facts.head is classifier.head_kind is Head.SIGMOID
    assert isinstance(classifier, Attributes)
    assert classifier.n_classes == 6
    with torch.no_grad():
        assert torch.equal(classifier(x)[:, 1::2], plain(x))
        assert torch.equal(classifier(x)[:, 0::2], -plain(x))
    recipe = Recipe(guidance=Guidance.CLASSIFIER, preprocessing=Preprocessing.RAW)
    with torch.no_grad():
        assert (guide_of(classifier, recipe).logits(x, torch.zeros(2)) - classifier(x)).abs().max() > 1e-3


def test_channels_are_flipped_for_a_network_that_wants_blue_first(resnet: Path) -> None:
    classifier, x = load_offshelf(resnet), images(16)
    change(resnet / "preprocessor_config.json", do_normalize=False, do_flip_channel_order=True)
    with torch.no_grad():
        reference = ResNetForImageClassification.from_pretrained(resnet).eval()
        expected = reference(pixel_values=((x + 1) / 2)[:, [2, 1, 0]]).logits
        torch.testing.assert_close(load_offshelf(resnet)(x), expected, atol=1e-6, rtol=0)
        assert (classifier(x) - expected).abs().max() > 1e-3


@pytest.mark.parametrize(
    ("stated", "size"),
    [
        ({"size": 24}, 24),
        ({"size": {"height": 24, "width": 24}}, 24),
        ({"size": {"shortest_edge": 32}, "crop_size": {"height": 24, "width": 24}}, 24),
        ({"size": {"shortest_edge": 32}, "crop_size": 24, "do_center_crop": False}, 32),
    ],
)
def test_the_input_size_is_read_in_every_form(resnet: Path, stated: dict[str, Any], size: int) -> None:
    write(resnet / "preprocessor_config.json", {"image_mean": MEAN, "image_std": STD, **stated})
    assert inspect_offshelf(resnet).image_size == size


def test_clip_takes_its_input_size_from_its_network_if_need_be(clip: Path) -> None:
    change(clip / "preprocessor_config.json", size=None, crop_size=None)
    assert inspect_offshelf(clip).image_size == 16


def test_a_processor_file_of_a_newer_format_is_read_too(clip: Path) -> None:
    old = clip / "preprocessor_config.json"
    write(clip / "processor_config.json", {"image_processor": json.loads(old.read_text())})
    facts = inspect_offshelf(clip)
    old.unlink()
    assert inspect_offshelf(clip) == facts


def test_clip_compares_an_image_with_a_text_for_every_label(clip: Path) -> None:
    classifier = load_offshelf(clip, labels=["cat", "dog", "a red ball"])
    x = images(32, rows=3)
    assert isinstance(classifier, ClipGuide)
    with torch.no_grad():
        logits = classifier(x)
        reference = CLIPModel.from_pretrained(clip).eval()
        tokenizer = CLIPTokenizer.from_pretrained(clip)
        pixels = (torch.nn.functional.interpolate(x, (16, 16), mode="bilinear", antialias=True) + 1) / 2
        for column, label in enumerate(("cat", "dog", "a red ball")):
            # One text at a time: without padding there is nothing that a mask could get wrong.
            tokens = tokenizer([f"a photo of a {label}"], return_tensors="pt")
            said = reference(pixel_values=(pixels - 0.5) / 0.25, **tokens).logits_per_image
            torch.testing.assert_close(logits[:, column], said[:, 0], atol=1e-5, rtol=0)
    assert classifier.n_classes == 3
    assert logits.std() > 1e-3


def test_clip_takes_other_labels_without_being_loaded_again(clip: Path) -> None:
    unlabelled = load_offshelf(clip)
    assert isinstance(unlabelled, ClipGuide)
    with pytest.raises(ValueError, match="has no labels yet"):
        unlabelled(images(16))
    x, labels = images(16), ["cat", "dog"]
    with torch.no_grad():
        assert torch.equal(unlabelled.with_labels(labels)(x), load_offshelf(clip, labels=labels)(x))
        other = unlabelled.with_labels(["ball"])
        assert other(x).shape == (2, 1)
    assert other.network is unlabelled.network
    with pytest.raises(UnusableFolder, match="at least one label"):
        unlabelled.with_labels([])


def test_the_prompt_changes_what_clip_reads(clip: Path) -> None:
    x = images(16)
    with torch.no_grad():
        plain = load_offshelf(clip, labels=["cat", "dog"])(x)
        other = load_offshelf(clip, labels=["cat", "dog"], prompt="a toy {}")(x)
        bare = load_offshelf(clip, labels=["a photo of a cat", "a photo of a dog"], prompt="{}")(x)
    assert (plain - other).abs().max() > 1e-4
    assert torch.equal(plain, bare)


def test_clip_gives_gradients_to_the_image_and_none_to_its_weights(clip: Path) -> None:
    classifier, x = load_offshelf(clip, labels=["cat", "dog"]), images(32).requires_grad_()
    classifier(x).log_softmax(dim=1)[:, 0].sum().backward()  # type: ignore[no-untyped-call]  # untyped in torch
    assert x.grad is not None
    assert x.grad.abs().sum(dim=(1, 2, 3)).min() > 0
    assert all(parameter.grad is None for parameter in classifier.parameters())


@pytest.mark.parametrize("prompt", ["a photo", "{} and {}"])
def test_a_prompt_without_a_place_for_the_label_is_refused(clip: Path, prompt: str) -> None:
    with pytest.raises(UnusableFolder, match="no single place for the label"):
        load_offshelf(clip, labels=["cat"], prompt=prompt)


def test_a_label_too_long_for_clip_is_refused(clip: Path) -> None:
    with pytest.raises(UnusableFolder, match=r"tokens, but this CLIP reads 24; shorten"):
        load_offshelf(clip, labels=["a" * 30])


def test_an_image_classifier_keeps_its_own_labels(resnet: Path) -> None:
    assert load_offshelf(resnet, labels=LABELS).n_classes == 3
    with pytest.raises(UnusableFolder, match="classes of its own, tabby cat, goldfish, acorn"):
        load_offshelf(resnet, labels=["cat"])


def _without_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def _broken_config(folder: Path) -> None:
    (folder / "config.json").write_text("{")


def _listed_config(folder: Path) -> None:
    (folder / "config.json").write_text("[]")


def _unknown_model(folder: Path) -> None:
    change(folder / "config.json", model_type="no-such-model", auto_map={"AutoConfig": "evil.Evil"})
    (folder / "evil.py").write_text("raise SystemExit")


def _not_a_classifier(folder: Path) -> None:
    change(folder / "config.json", architectures=["ResNetBackbone"])


def _without_weights(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _truncated(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-8])


def _without_input(folder: Path) -> None:
    (folder / "preprocessor_config.json").unlink()


def _without_mean(folder: Path) -> None:
    change(folder / "preprocessor_config.json", image_mean=None)


def _no_std(folder: Path) -> None:
    change(folder / "preprocessor_config.json", image_std=[0.2, 0.2, 0])


def _oblong(folder: Path) -> None:
    change(folder / "preprocessor_config.json", size={"height": 16, "width": 20})


def _other_scale(folder: Path) -> None:
    change(folder / "preprocessor_config.json", rescale_factor=1 / 127.5)


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_without_config, r"^resnet has no config\.json"),
        (_broken_config, r"^resnet/config\.json is no readable JSON"),
        (_listed_config, r"^resnet/config\.json must be a JSON object"),
        (_unknown_model, r"^resnet/config\.json describes no model known here"),
        (_not_a_classifier, r"^resnet holds ResNetBackbone; what can guide is"),
        (_without_weights, r"^resnet has no weights in a \.safetensors file"),
        (_truncated, r"^resnet/model\.safetensors is not a whole safetensors file"),
        (_without_input, r"^resnet has no preprocessor_config\.json"),
        (_without_mean, r"^resnet has None as its image_mean"),
        (_no_std, r"^resnet divides by an image_std of 0"),
        (_oblong, r"^resnet gives its input size as"),
        (_other_scale, r"^resnet wants pixels times 0\.0078"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_in_a_sentence(
    resnet: Path, spoil: Callable[[Path], None], sentence: str
) -> None:
    spoil(resnet)
    for read in (inspect_offshelf, load_offshelf):
        with pytest.raises(UnusableFolder, match=sentence) as refusal:
            read(resnet)
        assert "\n" not in str(refusal.value)


def _drop(weights: dict[str, Tensor]) -> None:
    del weights["classifier.1.weight"]


def _misshape(weights: dict[str, Tensor]) -> None:
    weights["classifier.1.weight"] = torch.zeros(5, 8)


@pytest.mark.parametrize(
    ("spoil", "sentence"), [(_drop, r"lacks the tensor classifier\.1\.weight"), (_misshape, "resnet can't be loaded")]
)
def test_weights_that_do_not_fit_are_refused_and_not_drawn_at_random(
    resnet: Path, spoil: Callable[[dict[str, Tensor]], None], sentence: str
) -> None:
    weights = load_file(str(resnet / "model.safetensors"))
    spoil(weights)
    save_file(weights, str(resnet / "model.safetensors"), metadata={"format": "pt"})
    with pytest.raises(UnusableFolder, match=sentence):
        load_offshelf(resnet)


def test_clip_without_a_tokenizer_is_refused(clip: Path) -> None:
    (clip / "tokenizer.json").unlink()
    for read in (inspect_offshelf, load_offshelf):
        with pytest.raises(UnusableFolder, match=r"clip has no tokenizer\.json"):
            read(clip)


def test_a_broken_tokenizer_is_refused(clip: Path) -> None:
    (clip / "tokenizer.json").write_text("{")
    with pytest.raises(UnusableFolder, match="clip has a tokenizer that can't be read"):
        load_offshelf(clip)


def test_without_the_extra_one_sentence_says_what_to_install(resnet: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(MissingExtra, match=r"pip install -r requirements-extras\.txt"):
        inspect_offshelf(resnet)
