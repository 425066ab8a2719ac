"""The papers' methods as a researcher chooses among them: grouped by paper, a sentence each."""

from dataclasses import dataclass
from itertools import groupby

from generation.diffusion.recipes import PRESETS, Preset

SENTENCES = {
    "unguided": "The denoiser alone. What guidance is compared with.",
    "vanilla": "The gradient of a classifier that was trained on noised images and is told the noise level.",
    "robust": "The same, by a classifier that was also trained against attacks: the paper's proposal.",
    "gradcheck-plain": "A clean-trained classifier reads the noisy image as it is. Shows how its gradients collapse.",
    "gradcheck-x0": "The classifier reads the denoiser's estimate of the clean image. About twice the cost.",
    "gradcheck-adam": "Gradients are averaged over steps and divided by their spread, as in the ADAM optimiser.",
    "gradcheck-x0-adam": "Both at once: the paper's best for clean-trained classifiers.",
    "non-robust-ema": "Gradients are averaged over steps, older ones less.",
    "non-robust-adam": "ADAM over steps, without its bias correction.",
    "non-robust-x0-ema": "A running average of gradients that are taken through the denoiser.",
    "attribute": "Towards one side of a yes/no attribute, such as smiling.",
    "elucd": "An image classifier as it comes, its ReLUs softened and its marginal weighed down.",
    "elucd-edm": "The same for denoisers of the EDM family: deterministic sampling, harder Softplus.",
    "classifier-free": "No classifier: the denoiser with the class against the denoiser without.",
}


@dataclass(frozen=True)
class Method:
    """A published method, with a sentence on what it does."""

    preset: Preset
    sentence: str


def methods() -> list[Method]:
    """Return all published methods, in the order of their papers."""
    return [Method(preset, SENTENCES.get(key, "")) for key, preset in PRESETS.items()]


def methods_by_paper() -> list[tuple[str, list[Method]]]:
    """Return the published methods of each paper."""
    by_paper = groupby(methods(), key=lambda method: method.preset.paper)
    return [(paper, list(of_paper)) for paper, of_paper in by_paper]


def method_choices() -> list[tuple[str, list[tuple[str, str]]]]:
    """Return the published methods, grouped by their papers, as a select wants them."""
    return [
        (paper, [(method.preset.key, method.preset.name) for method in of_paper])
        for paper, of_paper in methods_by_paper()
    ]
