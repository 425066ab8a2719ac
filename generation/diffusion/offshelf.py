"""Classifiers off the shelf: image classifiers and CLIP in the `transformers` format, read from local folders.

Images are resized whole, never cropped, so that every pixel is guided. `transformers` is an optional extra, because
it knows these networks and their weights files and nothing else here needs it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from torch import Tensor, nn

from generation.diffusion.classifiers import Attributes, Classifier, Head
from generation.diffusion.offshelf_folders import (
    ImageInput,
    MissingExtra,
    Shelf,
    ShelfFacts,
    UnusableFolder,
    first_line,
    inspect_offshelf,
    listed,
    transformers_package,
)

if TYPE_CHECKING:
    from transformers import CLIPModel

__all__ = [
    "ClipGuide",
    "MissingExtra",
    "OffTheShelf",
    "Shelf",
    "ShelfFacts",
    "UnusableFolder",
    "inspect_offshelf",
    "load_offshelf",
]

PROMPT = "a photo of a {}"
"""The template of Radford et al. (2021), section 3.1.4."""

AnyClassifier = TypeVar("AnyClassifier", bound=Classifier)


def load_offshelf(
    folder: Path,
    *,
    labels: Sequence[str] | None = None,
    prompt: str | None = None,
    device: torch.device | str = "cpu",
) -> Classifier:
    """A classifier with its weights, frozen, in float32.

    labels: CLIP's classes, which it can also be given later (`with_labels`); an image classifier has its own. prompt:
    the sentence that CLIP reads a label in, "a photo of a {}" by default. Raises UnusableFolder, MissingExtra.
    """
    facts = inspect_offshelf(folder)
    if facts.kind is Shelf.CLIP:
        clip = ClipGuide(
            _loaded(folder, transformers_package().CLIPModel),
            facts.image_input,
            tokenize=_tokenizer(folder),
            prompt=prompt or PROMPT,
        )
        return _frozen(clip.to(device).with_labels(labels) if labels is not None else clip.to(device))
    if labels is not None and tuple(labels) != facts.labels:
        raise UnusableFolder(f"{folder.name} has classes of its own, {listed(facts.labels)}; leave the labels out.")
    network = OffTheShelf(
        _loaded(folder, transformers_package().AutoModelForImageClassification),
        facts.image_input,
        outputs=_outputs(facts),
    )
    return _frozen((Attributes(network) if facts.head is Head.SIGMOID else network).to(device))


class Shown(nn.Module):
    """How images in [-1, 1] become a network's input: resized, then normalised, all of it differentiable."""

    mean: Tensor
    std: Tensor

    def __init__(self, image_input: ImageInput) -> None:
        super().__init__()
        self.image_input = image_input
        self.register_buffer("mean", torch.tensor(image_input.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(image_input.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, x: Tensor, *, normalised: bool) -> Tensor:
        """x: [N, 3, H, W] in [-1, 1] -> [N, 3, size, size]; still in [-1, 1] unless normalised."""
        size = (self.image_input.size, self.image_input.size)
        if x.shape[-2:] != size:
            x = F.interpolate(x, size, mode="bilinear", antialias=True, align_corners=False)
        if normalised:
            x = ((x + 1) / 2 - self.mean) / self.std
        return x.flip(1) if self.image_input.bgr else x


class OffTheShelf(Classifier):
    """An image classifier of `transformers`, trained on clean images."""

    takes_t = False

    def __init__(self, network: nn.Module, image_input: ImageInput, *, outputs: int) -> None:
        super().__init__()
        self.network = network
        self.shown = Shown(image_input)
        self.n_classes = outputs

    def forward(self, x: Tensor) -> Tensor:
        """x: images [N, 3, H, W] in [-1, 1], of any size -> logits [N, classes]."""
        logits: Tensor = self.network(pixel_values=self.shown(x, normalised=self.normalises)).logits
        return logits


Tokenize = Callable[[Sequence[str]], Mapping[str, Tensor]]
"""Texts to a text encoder's inputs, int64 [texts, tokens] each."""


class ClipGuide(Classifier):
    """CLIP as a classifier: how like its image and each class's text are (Radford et al., 2021, section 3.1.2)."""

    takes_t = False
    texts: Tensor

    def __init__(
        self,
        network: "CLIPModel",
        image_input: ImageInput,
        *,
        tokenize: Tokenize,
        labels: Sequence[str] = (),
        prompt: str = PROMPT,
    ) -> None:
        """Take a CLIPModel and its tokenizer. Raises UnusableFolder for a prompt without "{}" or texts too long."""
        super().__init__()
        if prompt.count("{}") != 1:
            raise UnusableFolder(f'The prompt "{prompt}" has no single place for the label; write one {{}} into it.')
        self.network = network
        self.shown = Shown(image_input)
        self.labels, self.prompt, self._tokenize = tuple(labels), prompt, tokenize
        self.n_classes = len(self.labels)
        self.register_buffer("texts", self._read() if labels else torch.empty(0), persistent=False)

    def with_labels(self, labels: Sequence[str]) -> "ClipGuide":
        """The same network with other classes, of any texts. Raises UnusableFolder for texts too long or none."""
        if not labels:
            raise UnusableFolder("CLIP needs at least one label to compare images with.")
        other = ClipGuide(
            self.network, self.shown.image_input, tokenize=self._tokenize, labels=labels, prompt=self.prompt
        )
        other.normalises = self.normalises
        return _frozen(other.to(next(self.network.parameters()).device))

    def forward(self, x: Tensor) -> Tensor:
        """x: images [N, 3, H, W] in [-1, 1], of any size -> logits [N, labels]: cosines times the learned scale."""
        if not self.n_classes:
            raise ValueError("This CLIP has no labels yet; give it some with with_labels.")
        pixels = self.shown(x, normalised=self.normalises)
        seen = self.network.visual_projection(self.network.vision_model(pixel_values=pixels).pooler_output)
        cosines: Tensor = F.normalize(seen, dim=1) @ self.texts.T
        return self.network.logit_scale.exp() * cosines

    @torch.no_grad()
    def _read(self) -> Tensor:
        """Unit features of the prompts with each label in them: [labels, width]."""
        device = next(self.network.parameters()).device
        tokens = self._tokenize([self.prompt.replace("{}", label) for label in self.labels])
        length, longest = tokens["input_ids"].shape[1], self.network.text_model.config.max_position_embeddings
        if length > longest:
            raise UnusableFolder(f"A prompt has {length} tokens, but this CLIP reads {longest}; shorten the labels.")
        read = self.network.text_model(**{name: value.to(device) for name, value in tokens.items()}).pooler_output
        return F.normalize(self.network.text_projection(read), dim=1)


def _frozen(classifier: AnyClassifier) -> AnyClassifier:
    return classifier.eval().requires_grad_(False)


def _outputs(facts: ShelfFacts) -> int:
    """Columns of the network itself: an attribute has one there."""
    return len(facts.labels) // 2 if facts.head is Head.SIGMOID else len(facts.labels)


def _loaded(folder: Path, family: Any) -> Any:  # Any: classes of the optional package
    try:
        network, report = family.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            dtype=torch.float32,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, ImportError, SafetensorError) as error:
        raise UnusableFolder(f"{folder.name} can't be loaded ({first_line(error)}).") from error
    # What a file lacks would be drawn at random, which guides nowhere.
    lacking = sorted(report["missing_keys"])
    if lacking:
        raise UnusableFolder(f"{folder.name} lacks the tensor {lacking[0]}, which its network needs.")
    return network


def _tokenizer(folder: Path) -> Tokenize:
    try:
        tokenizer = transformers_package().CLIPTokenizer.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError, TypeError) as error:
        raise UnusableFolder(f"{folder.name} has a tokenizer that can't be read ({first_line(error)}).") from error

    def tokenize(texts: Sequence[str]) -> Mapping[str, Tensor]:
        tokens: Mapping[str, Tensor] = tokenizer(list(texts), padding=True, return_tensors="pt")
        return tokens

    return tokenize
