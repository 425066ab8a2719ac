import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from generation.diffusion.checkpoints import Training, inspect_checkpoint, load_classifier, save_checkpoint
from generation.diffusion.classifiers import (
    Attributes,
    Classifier,
    ClassifierConfig,
    CleanClassifier,
    CleanConfig,
    EncoderClassifier,
    Head,
    Outputs,
    attribute_labels,
    with_head,
)
from generation.diffusion.guides import NothingToSmooth, guide_of, smoothed
from generation.diffusion.recipes import Guidance, Recipe

ENCODER = ClassifierConfig(
    image_size=8,
    model_channels=8,
    out_channels=2,
    num_res_blocks=1,
    attention_resolutions=(),
    channel_mult=(1, 1),
    num_head_channels=8,
    norm_groups=4,
    outputs=Outputs.ATTRIBUTES,
)
CLEAN = CleanConfig(image_size=8, out_channels=2, widths=(4, 4), outputs=Outputs.ATTRIBUTES)
ATTRIBUTES = ("Smiling", "Eyeglasses")


def networks() -> list[EncoderClassifier | CleanClassifier]:
    torch.manual_seed(0)
    return [EncoderClassifier(ENCODER).eval(), CleanClassifier(CLEAN).eval()]


def images(rows: int = 3) -> Tensor:
    return torch.randn(rows, 3, 8, 8, generator=torch.Generator().manual_seed(1))


def called(classifier: Classifier, x: Tensor) -> Tensor:
    t = torch.full((len(x),), 500)
    logits: Tensor = classifier(x, t) if classifier.takes_t else classifier(x)
    return logits


def test_an_attribute_has_a_class_without_it_and_one_with_it() -> None:
    assert attribute_labels(ATTRIBUTES) == ("not Smiling", "Smiling", "not Eyeglasses", "Eyeglasses")


@pytest.mark.parametrize("network", networks())
def test_the_two_classes_of_an_attribute_are_minus_and_plus_its_logit(network: EncoderClassifier) -> None:
    classifier, x = with_head(network), images()
    assert classifier.head_kind is Head.SIGMOID
    assert classifier.takes_t is network.takes_t
    assert classifier.n_classes == len(attribute_labels(ATTRIBUTES)) == 4
    with torch.no_grad():
        raw, columns = called(network, x), called(classifier, x)
    assert raw.shape == (3, 2)
    assert torch.equal(columns, torch.stack([-raw[:, 0], raw[:, 0], -raw[:, 1], raw[:, 1]], dim=1))
    assert raw.std() > 1e-4


def test_a_network_of_classes_is_its_own_head() -> None:
    network = CleanClassifier(CleanConfig(image_size=8, out_channels=2, widths=(4,)))
    assert with_head(network) is network
    assert network.head_kind is Head.SOFTMAX


@pytest.mark.parametrize("network", networks())
def test_attributes_are_saved_and_come_back_as_classes(network: EncoderClassifier, tmp_path: Path) -> None:
    path = tmp_path / "attributes.safetensors"
    save_checkpoint(path, network, training=Training(class_labels=attribute_labels(ATTRIBUTES)))
    facts, loaded = inspect_checkpoint(path), load_classifier(path)
    assert isinstance(loaded, Attributes)
    assert len(facts.class_labels) == loaded.n_classes == 4
    with torch.no_grad():
        assert torch.equal(called(loaded, images()), called(with_head(network), images()))


def test_an_older_description_without_outputs_is_one_of_classes() -> None:
    assert CleanConfig(image_size=8, out_channels=2).outputs is Outputs.CLASSES
    assert CleanConfig(**{"image_size": 8, "out_channels": 2, "outputs": "attributes"}).outputs is Outputs.ATTRIBUTES
    with pytest.raises(ValueError, match="'ranks' is not a valid Outputs"):
        CleanConfig(**{"image_size": 8, "out_channels": 2, "outputs": "ranks"})


class Layers(Classifier):
    """Two linear layers with a ReLU between them, and the same ReLU behind them, in float64."""

    takes_t = False
    n_classes = 3

    def __init__(self) -> None:
        super().__init__()
        relu = nn.ReLU()
        self.layers = nn.Sequential(nn.Linear(4, 5), relu, nn.Linear(5, 3), relu).double()

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.layers(x)
        return logits


@pytest.mark.parametrize("beta", [3.0, 5.0])
def test_softplus_has_its_own_values_and_gradients_in_every_place(beta: float) -> None:
    torch.manual_seed(0)
    network = Layers()
    before = copy.deepcopy(network)
    x = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    out = smoothed(network, beta=beta)(x)
    (gradient,) = torch.autograd.grad(out.sum(), x)

    (a, b), (c, d) = (
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in network.layers
        if isinstance(layer, nn.Linear)
    )
    first = x.detach().numpy() @ a.T + b
    second = np.log1p(np.exp(beta * first)) / beta @ c.T + d
    np.testing.assert_allclose(out.detach().numpy(), np.log1p(np.exp(beta * second)) / beta, atol=1e-8)
    slopes = [1 / (1 + np.exp(-beta * h)) for h in (first, second)]
    np.testing.assert_allclose(gradient.numpy(), (slopes[1] @ c * slopes[0]) @ a, atol=1e-8)

    # The classifier itself keeps its ReLU, its output and its weights.
    assert torch.equal(network(x), before(x))
    assert sum(type(module) is nn.ReLU for module in network.modules()) == 1


def test_the_weights_of_a_classifier_are_not_shared_with_its_smooth_copy() -> None:
    network = Layers()
    smooth = smoothed(network, beta=3.0)
    own = {parameter.data_ptr() for parameter in network.parameters()}
    assert own.isdisjoint(parameter.data_ptr() for parameter in smooth.parameters())


def test_a_classifier_without_relu_is_refused_in_a_sentence() -> None:
    with pytest.raises(NothingToSmooth, match=r"^This classifier has no ReLU, .* leave softplus_beta empty\.$"):
        guide_of(networks()[0], Recipe(guidance=Guidance.CLASSIFIER, softplus_beta=3.0))


def test_a_recipe_smooths_the_network_inside_its_attributes() -> None:
    classifier = with_head(networks()[1])
    recipe = Recipe(guidance=Guidance.CLASSIFIER, softplus_beta=3.0)
    guide = guide_of(classifier, recipe)
    assert guide.head is Head.SIGMOID
    assert guide.classes == 4
    x, t = images(), torch.zeros(3, dtype=torch.int64)
    with torch.no_grad():
        assert (guide.logits(x, t) - classifier(x)).abs().max() > 1e-3


def test_a_guide_is_frozen_and_evaluated() -> None:
    network = CleanClassifier(CLEAN).train()
    x = images()
    logits = guide_of(network).logits(x, torch.zeros(3, dtype=torch.int64))
    assert not logits.requires_grad
    assert not network.training
    assert torch.equal(network.eval()(x), logits)


def test_a_classifier_without_its_normalisation_shares_its_weights() -> None:
    classifier = with_head(networks()[1])
    raw = classifier.unnormalised()
    assert classifier.normalises
    assert not raw.normalises
    assert [p.data_ptr() for p in raw.parameters()] == [p.data_ptr() for p in classifier.parameters()]
