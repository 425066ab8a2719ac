"""Checkpoints in words, and fields to choose one."""

from collections.abc import Iterator

from django import forms
from django.db.models import Model

from generation.models import Checkpoint


class CheckpointField(forms.ModelChoiceField):  # type: ignore[type-arg]  # takes no parameter at run time
    """A checkpoint to choose, each with what it is: a name alone says too little."""

    def label_from_instance(self, obj: Model) -> str:
        """Name a checkpoint and what it is."""
        assert isinstance(obj, Checkpoint)
        return f"{obj.name} ({facts_in_words(obj)})"


def facts_in_words(checkpoint: Checkpoint) -> str:
    """Say in a line what a checkpoint is and how it was trained."""
    return ", ".join(_facts(checkpoint))


def training_in_words(checkpoint: Checkpoint) -> str:
    """Say what a classifier was trained on: the two facts behind the word 'robust' of two lines of papers."""
    return f"{'noise-trained' if checkpoint.noise_trained else 'clean-trained'}, {_adversarial(checkpoint)}"


def _facts(checkpoint: Checkpoint) -> Iterator[str]:
    yield f"{checkpoint.image_size} px"
    n_labels = len(checkpoint.class_labels)
    if checkpoint.role == Checkpoint.Role.DENOISER:
        if not checkpoint.takes_labels:
            yield "unconditional"
        else:
            yield f"{n_labels} classes"
            yield "knows 'no class'" if checkpoint.null_class is not None else "always told a class"
    elif checkpoint.role == Checkpoint.Role.CLASSIFIER:
        noun = "attributes" if checkpoint.head == Checkpoint.Head.SIGMOID else "classes"
        yield f"{n_labels} {noun}" if n_labels else "reads class texts"
        yield training_in_words(checkpoint)
    if checkpoint.extra:
        yield f"needs the extra {checkpoint.extra}"


def _adversarial(checkpoint: Checkpoint) -> str:
    attack = checkpoint.adversarial
    if not attack:
        return "not adversarial"
    return f"adversarial ({attack.get('norm', 'norm unknown')}, eps {attack.get('eps', 'unknown')})"
