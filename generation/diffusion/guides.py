"""Guides: classifiers as guidance calls them, smoothed and fed as a recipe says."""

import copy
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from generation.diffusion.classifiers import Classifier, Head
from generation.diffusion.recipes import Preprocessing, Recipe

Logits = Callable[[Tensor, Tensor], Tensor]


class NothingToSmooth(ValueError):
    """A classifier has no ReLU that Softplus could replace."""


@dataclass(frozen=True, kw_only=True)
class Guide:
    """A classifier as guidance calls it: (images, t) -> logits [N, classes]; one without a clock ignores t."""

    logits: Logits
    classes: int
    head: Head = Head.SOFTMAX


def guide_of(classifier: Classifier, recipe: Recipe | None = None) -> Guide:
    """Wrap a classifier: frozen, in evaluation mode, with the recipe's preprocessing and smoothing.

    The classifier itself stays as it is. Raises NothingToSmooth.
    """
    used = classifier
    if recipe is not None and recipe.preprocessing is Preprocessing.RAW and classifier.normalises:
        used = copy.copy(classifier)
        used.normalises = False
    if recipe is not None and recipe.softplus_beta is not None:
        used = smoothed(used, beta=recipe.softplus_beta)
    frozen = used.eval().requires_grad_(False)

    def logits(x: Tensor, t: Tensor) -> Tensor:
        out: Tensor = frozen(x, t) if frozen.takes_t else frozen(x)
        return out

    return Guide(logits=logits, classes=classifier.n_classes, head=classifier.head_kind)


def smoothed(classifier: Classifier, *, beta: float) -> Classifier:
    """A copy whose every ReLU is Softplus(beta): the same function, but differentiable everywhere (EluCD, section 4.3).

    Raises NothingToSmooth if there is no ReLU module in it.
    """
    smooth = copy.deepcopy(classifier)
    found = [
        (module, name)
        for module in smooth.modules()
        for name, child in module.named_children()
        if type(child) is nn.ReLU
    ]
    if not found:
        raise NothingToSmooth(
            "This classifier has no ReLU, so Softplus has nothing to replace; leave softplus_beta empty."
        )
    for module, name in found:
        setattr(module, name, nn.Softplus(beta=beta))
    return smooth
