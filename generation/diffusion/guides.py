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
    """Wrap a classifier with the recipe's preprocessing and smoothing, which it is itself spared.

    Guides need no weight gradients: its parameters are frozen and it is put into evaluation mode. Raises
    NothingToSmooth.
    """
    used = classifier
    if recipe is not None and recipe.preprocessing is Preprocessing.RAW and classifier.normalises:
        used = classifier.unnormalised()
    if recipe is not None and recipe.softplus_beta is not None:
        used = smoothed(used, beta=recipe.softplus_beta)
    frozen = used.eval().requires_grad_(False)

    def logits(x: Tensor, t: Tensor) -> Tensor:
        out: Tensor = frozen(x, t) if frozen.takes_t else frozen(x)
        return out

    return Guide(logits=logits, classes=classifier.n_classes, head=classifier.head_kind)


def smoothed(classifier: Classifier, *, beta: float) -> Classifier:
    """A copy whose every ReLU is Softplus(beta), log(1 + exp(beta x)) / beta, smooth everywhere (EluCD, section 4.3).

    Raises NothingToSmooth if there is no ReLU module in it.
    """
    smooth = copy.deepcopy(classifier)
    # One ReLU may serve in several places: each of them counts.
    found = [path for path, module in smooth.named_modules(remove_duplicate=False) if type(module) is nn.ReLU]
    if not found:
        raise NothingToSmooth(
            "This classifier has no ReLU, so Softplus has nothing to replace; leave softplus_beta empty."
        )
    for path in found:
        parent, _, name = path.rpartition(".")
        setattr(smooth.get_submodule(parent), name, nn.Softplus(beta=beta))
    return smooth
