import pytest
import torch

from generation.diffusion.attacks import Attack, Norm, pgd
from tests.generation.diffusion.golden import CLASSIFIERS, arrays, golden_classifier, largest_difference

# Step sizes of the reference run: 2.5 eps / steps, the L2 one rounded as in Kawar et al.'s script.
ATTACKS = {
    "pgd_l2": Attack(norm=Norm.L2, eps=0.5, step=0.5 * 0.5 / 3, steps=7),
    "pgd_linf": Attack(norm=Norm.LINF, eps=8 / 255, step=2.5 * 8 / 255 / 7, steps=7),
}


@pytest.mark.parametrize("name", CLASSIFIERS)
@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_reproduces_the_reference_and_leaves_the_same_rows(name: str, kind: str) -> None:
    recorded = arrays(name)
    attacked = pgd(golden_classifier(name), recorded["x"], t=recorded["t"], y=recorded["pgd_y"], attack=ATTACKS[kind])
    assert largest_difference(attacked, recorded[kind]) < 1e-4
    unmoved = (attacked == recorded["x"]).flatten(1).all(dim=1)
    assert unmoved.tolist() == (recorded[kind] == recorded["x"]).flatten(1).all(dim=1).tolist()
    # The recorded case holds rows that the classifier had wrong from the start, and rows that it had right.
    assert 0 < unmoved.sum() < len(unmoved)


@pytest.mark.parametrize(("kind", "order"), [("pgd_l2", 2), ("pgd_linf", float("inf"))])
def test_an_attack_stays_within_its_ball(kind: str, order: float) -> None:
    recorded = arrays("classifier_cifar")
    attack = ATTACKS[kind]
    attacked = pgd(
        golden_classifier("classifier_cifar"),
        recorded["x"],
        t=recorded["t"],
        y=recorded["pgd_y"],
        attack=attack,
    )
    moved = torch.linalg.vector_norm((attacked - recorded["x"]).flatten(1), ord=order, dim=1)
    assert moved.max() <= attack.eps + 1e-5


def test_an_attack_leaves_no_weight_gradients_and_its_input_untouched() -> None:
    recorded = arrays("classifier_cifar")
    classifier = golden_classifier("classifier_cifar")
    before = recorded["x"].clone()
    pgd(classifier, recorded["x"], t=recorded["t"], y=recorded["pgd_y"], attack=ATTACKS["pgd_l2"])
    assert all(parameter.grad is None for parameter in classifier.parameters())
    assert torch.equal(recorded["x"], before)
