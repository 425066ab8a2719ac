"""Training plans: everything that decides a training run, and the papers' own values.

Free of torch, so that forms and commands can check a plan before a worker has it. Every field is a plain value, so a
plan is also a row's JSON. Attack sizes are in units of [-1, 1] pixels. Sources: Kawar, Ganz and Elad (2023), section
5.1 and appendix E, and where the text is silent their training scripts; Dhariwal and Nichol (2021), appendix H; Nichol
and Dhariwal (2021), section 3.
"""

from collections.abc import Callable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from enum import StrEnum
from fractions import Fraction
from pathlib import PurePath
from typing import Any, TypeVar

SPORTBALLS = "sportballs"
# Draws the SportBalls that accuracies are of: no training may draw them.
HELD_OUT_SEED = 987_654_321


class InvalidPlan(ValueError):
    """A training plan can't be carried out: `option` names the field, the sentence goes on from there."""

    def __init__(self, option: str, sentence: str) -> None:
        super().__init__(f"{option} {sentence}")
        self.option, self.sentence = option, sentence


class Optimiser(StrEnum):
    """Which optimiser trains a network."""

    ADAMW = "adamw"
    MUON = "muon"


class Norm(StrEnum):
    """How far an attacked image is from the original."""

    L2 = "l2"
    LINF = "linf"


class Kind(StrEnum):
    """What a classifier is trained on, in the words of Kawar et al. for the first two."""

    VANILLA = "vanilla"
    """Noised images, and it is told t."""
    ROBUST = "adversarial"
    """Noised and then attacked images, and it is told t."""
    CLEAN = "clean"
    """Clean images: a judge, or a guide for the stabilisers to tame."""
    UNTIMED = "noise-trained-without-t"
    """Noised images, but it is not told t (what Vaeth et al. call robust)."""


@dataclass(frozen=True, kw_only=True)
class Attack:
    """An attack within `eps` of the image, in at most `steps` steps of length `step`, in units of [-1, 1] pixels."""

    norm: Norm = Norm.L2
    eps: float = 0.5
    step: float = 0.083
    steps: int = 7

    @classmethod
    def parse(cls, text: str) -> "Attack":
        """Read NORM:EPS:STEPS:STEP, such as l2:0.5:7:0.083 or linf:8/255:7:0.01. Raises ValueError with a sentence."""
        try:
            norm, eps, steps, step = text.split(":")
            attack = cls(norm=Norm(norm), eps=float(Fraction(eps)), steps=int(steps), step=float(Fraction(step)))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(
                f"{text} is not NORM:EPS:STEPS:STEP with the norm l2 or linf, as l2:0.5:7:0.083."
            ) from error
        if min(attack.eps, attack.steps, attack.step) <= 0:
            raise ValueError(f"{text} attacks nothing: eps, steps and step must be more than 0.")
        return attack

    def facts(self) -> dict[str, str | float | int]:
        """The attack as a checkpoint records it."""
        return {**asdict(self), "norm": self.norm.value}

    def __str__(self) -> str:
        return f"{self.norm.upper()} PGD, eps {self.eps:g}, {self.steps} steps of {self.step:g}"


def option(default: Any, about: str) -> Any:  # Any: a default of every field's own type
    """A field of a plan: its default, and what a form or a command says of it."""
    return field(default=default, metadata={"help": about})


@dataclass(frozen=True, kw_only=True)
class TrainingPlan:
    """What every training sets. Raises InvalidPlan. An empty text or a 0 means the default that its help names."""

    name: str = option("", "file name, without ending (default: of the data and the kind)")
    data: str = option(SPORTBALLS, "sportballs, a folder of class folders, or a .tar of train/CLASS and test/CLASS")
    attributes: str = option("", "CSV table of 0/1 attributes; --data is then a folder of its files")
    image_size: int = option(0, "side in pixels, 8 times a power of two (default: 64 for sportballs, else 32)")
    held_out_folder: str = option("", "folder of held-out images (default: a share of --data)")
    held_out_share: float = option(0.1, "share of a folder's images that is never trained on")
    split_seed: int = option(0, "which images those are")
    flips: bool = option(False, "mirror every second image")
    crops: bool = option(False, "cut a random window of 80 to 100 percent of the shorter side")
    smallest_ball: int = option(20, "smallest diameter of sportballs, px (the papers': 9)")
    largest_ball: int = option(40, "largest diameter of sportballs, px (the papers': 25)")
    width: int = option(0, "channels of the first level (default: 32)")
    dropout: float = option(0.0, "share of activations dropped inside the blocks")
    steps: int = option(1500, "steps to train")
    anneal_steps: int = option(0, "where the learning rate reaches 0 (default: --steps)")
    constant_rate: bool = option(False, "keep the learning rate as it is")
    warmup_steps: int = option(100, "steps in which the learning rate rises")
    batch_size: int = option(32, "images in a step")
    learning_rate: float = option(6e-4, "the highest learning rate")
    weight_decay: float = option(0.05, "decoupled weight decay")
    clip_norm: float = option(1.0, "most that the gradient's norm may be (0: whatever it is)")
    optimiser: Optimiser = option(Optimiser.ADAMW, "AdamW, or Muon inside the blocks")  # noqa: RUF009  # a field
    ema_decay: float = option(0.999, "decay of the averaged weights (0: the last step's weights)")
    seed: int = option(0, "decides every random draw")
    init_from: str = option("", "weights to start from, of the same architecture")
    keep_every: int = option(0, "steps between averaged weights that are kept (0: only the last)")
    save_every: int = option(250, "steps between resumable states")
    threads: int = option(0, "CPU threads (default: torch's own choice)")
    workers: int = option(1, "parts of a batch trained on at once")
    parts: int = option(1, "parts of a worker's rows trained on one after another, which saves memory")
    bf16: bool = option(False, "multiply in bfloat16 (faster on recent processors)")
    device: str = option("", "cpu or cuda (default: cuda where there is one)")
    float32_file: bool = option(False, "store the weights as float32, not float16")

    def __post_init__(self) -> None:
        for one in fields(self):
            # Plans come back from JSON, where a closed set is a text and 1.0 may be 1.
            object.__setattr__(self, one.name, _typed(one, getattr(self, one.name)))
        if not self.name:
            object.__setattr__(self, "name", f"{PurePath(self.data).name.partition('.')[0]}-{self.word}")
        _check(self)

    @property
    def word(self) -> str:
        """What the file is called after its data."""
        return "denoiser"

    @property
    def side(self) -> int:
        """The image size, resolved."""
        return self.image_size or (64 if self.data == SPORTBALLS else 32)

    @property
    def anneal(self) -> int | None:
        """Where the learning rate reaches 0, None if it never falls."""
        return None if self.constant_rate else self.anneal_steps or self.steps


@dataclass(frozen=True, kw_only=True)
class ClassifierPlan(TrainingPlan):
    """How to train a classifier. architecture: "small" (the project's own) or a published one, see presets.py."""

    kind: Kind = option(Kind.VANILLA, "what it is trained on")  # noqa: RUF009  # a field
    architecture: str = option("small", "small, or one of Kawar et al.'s: imagenet, cifar")
    norm: Norm = option(Norm.L2, "in which norm the attack is bounded")  # noqa: RUF009  # a field
    eps: float = option(0.5, "how far an attack may go")
    attack_step: float = option(0.083, "length of one attack step (0: 2.5 eps / steps)")
    attack_steps: int = option(7, "steps of an attack, at most")
    held_out: int = option(500, "items that the card's accuracies are of; a fifth is attacked")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.held_out < 5:
            raise InvalidPlan("held_out", f"must be at least 5, not {self.held_out}.")
        if self.architecture not in ("small", "imagenet", "cifar"):
            raise InvalidPlan("architecture", f"is small, imagenet or cifar, not {self.architecture!r}.")
        if self.kind is Kind.ROBUST:
            self._check_attack()

    def _check_attack(self) -> None:
        if self.attributes:
            raise InvalidPlan("attributes", "can't be attacked: no paper says when an attribute table is fooled.")
        if self.eps <= 0:
            raise InvalidPlan("eps", f"must be more than 0, not {self.eps:g}: an attack needs room.")
        if self.attack_step < 0:
            raise InvalidPlan("attack_step", f"must be 0 (2.5 eps / steps) or more, not {self.attack_step:g}.")
        if self.attack_steps < 1:
            raise InvalidPlan("attack_steps", f"must be at least 1, not {self.attack_steps}.")

    @property
    def word(self) -> str:
        """What the file is called after its data."""
        return {Kind.VANILLA: "vanilla", Kind.ROBUST: "robust", Kind.CLEAN: "clean", Kind.UNTIMED: "untimed"}[self.kind]

    @property
    def attack(self) -> Attack:
        """The attack of these settings, whether or not the kind uses one."""
        step = self.attack_step or 2.5 * self.eps / self.attack_steps
        return Attack(norm=self.norm, eps=self.eps, step=step, steps=self.attack_steps)


@dataclass(frozen=True, kw_only=True)
class DenoiserPlan(TrainingPlan):
    """How to train a denoiser. It knows a null class where labels are dropped (classifier-free guidance needs one)."""

    steps: int = option(6000, "steps to train")
    learning_rate: float = option(8e-4, "the highest learning rate")
    weight_decay: float = option(0.0, "decoupled weight decay")
    architecture: str = option("small", "small, or Kawar et al.'s: cifar")
    schedule: str = option("linear", "noise schedule: linear or cosine")
    unconditional: bool = option(False, "learn no classes")
    label_dropout: float = option(0.1, "share of labels made null; 0: the denoiser has no null class")
    uniform_levels: bool = option(False, "let every noise level count the same, whatever the next two say")
    snr_cap: float = option(5.0, "SNR from which levels count less")
    boost: float = option(10.0, "most that a very noisy level counts")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.label_dropout <= 1:
            raise InvalidPlan("label_dropout", f"is a share between 0 and 1, not {self.label_dropout:g}.")
        if self.snr_cap <= 0:
            raise InvalidPlan("snr_cap", f"must be more than 0, not {self.snr_cap:g}.")
        if self.boost < 1:
            raise InvalidPlan("boost", f"must be at least 1, not {self.boost:g}.")
        if self.architecture not in ("small", "cifar"):
            raise InvalidPlan("architecture", f"is small or cifar, not {self.architecture!r}.")
        if self.schedule not in ("linear", "cosine"):
            raise InvalidPlan("schedule", f"is linear or cosine, not {self.schedule!r}.")
        if self.attributes and not self.unconditional:
            raise InvalidPlan("attributes", "are not classes: a denoiser of such data must be unconditional.")


Plan = TypeVar("Plan", bound=TrainingPlan)


def plan_of(kind: type[Plan], changes: Mapping[str, Any], *, base: Plan | None = None) -> Plan:  # Any: field values
    """A plan from a form's, a command's or a row's values. Raises InvalidPlan, also for a name that is no field."""
    known = {one.name for one in fields(kind)}
    unknown = sorted(set(changes) - known)
    if unknown:
        raise InvalidPlan(unknown[0], "is no option of this training.")
    return kind(**changes) if base is None else replace(base, **changes)


_CHECKS: dict[str, tuple[Callable[[Any], bool], str]] = {  # Any: a value of the field's own type
    **dict.fromkeys(
        ("steps", "batch_size", "learning_rate", "save_every", "workers", "parts"), (lambda v: v > 0, "more than 0")
    ),
    **dict.fromkeys(
        ("anneal_steps", "warmup_steps", "weight_decay", "clip_norm", "keep_every", "threads", "width", "split_seed"),
        (lambda v: v >= 0, "0 or more"),
    ),
    "ema_decay": (lambda v: 0 <= v < 1, "at least 0 and less than 1"),
    "dropout": (lambda v: 0 <= v < 1, "at least 0 and less than 1"),
    "held_out_share": (lambda v: 0 < v < 1, "more than 0 and less than 1"),
    "width": (lambda v: v >= 0 and v % 8 == 0, "a multiple of 8"),
    "device": (lambda v: v in ("", "cpu", "cuda"), "cpu or cuda"),
}


def _check(plan: TrainingPlan) -> None:
    for name, (holds, must) in _CHECKS.items():
        value = getattr(plan, name)
        if not holds(value):
            raise InvalidPlan(name, f"must be {must}, not {value}.")
    if not plan.name or "/" in plan.name or plan.name.startswith("."):
        raise InvalidPlan("name", f"is a file name without folder and ending, not {plan.name!r}.")
    if plan.seed < 0 or plan.seed == HELD_OUT_SEED:
        raise InvalidPlan("seed", f"must be 0 or more, and not {HELD_OUT_SEED}, which draws the held-out items.")
    if plan.anneal is not None and plan.anneal < plan.steps:
        raise InvalidPlan("anneal_steps", f"{plan.anneal} would end before steps {plan.steps}.")
    if plan.side < 16 or plan.side & (plan.side - 1):
        raise InvalidPlan("image_size", f"must be a power of two from 16 on, not {plan.side}.")
    if plan.dropout and plan.workers > 1:
        raise InvalidPlan("workers", "must be 1 with dropout, or a resumed run would drop others; use parts.")
    if plan.attributes and plan.data == SPORTBALLS:
        raise InvalidPlan("attributes", "belong to a folder of images; name it as data.")


def _typed(one: "Field[Any]", value: Any) -> Any:  # Any: a value of the field's own type
    kind: Any = one.type
    try:
        return kind(value)
    except (TypeError, ValueError) as error:
        raise InvalidPlan(one.name, f"can't be {value!r}.") from error


# Neither warm-up, nor clipping, nor averaged weights: none is in the published training loop.
_PUBLISHED: dict[str, Any] = {  # Any: fields of several types
    "learning_rate": 3e-4,
    "weight_decay": 0.05,
    "anneal_steps": 300_000,
    "warmup_steps": 0,
    "clip_norm": 0.0,
    "ema_decay": 0.0,
    "flips": True,
    "crops": True,
    "save_every": 5000,
    "held_out": 1000,
    "float32_file": True,
}
_IMAGENET = {**_PUBLISHED, "image_size": 128, "architecture": "imagenet"}
_CIFAR = {**_PUBLISHED, "image_size": 32, "architecture": "cifar", "steps": 200_000, "keep_every": 50_000}

PUBLISHED_CLASSIFIERS: dict[str, ClassifierPlan] = {
    "kawar-imagenet-vanilla": ClassifierPlan(
        **_IMAGENET, name="imagenet-vanilla", kind=Kind.VANILLA, batch_size=256, steps=300_000
    ),
    "kawar-imagenet-robust": ClassifierPlan(
        **_IMAGENET, name="imagenet-robust", kind=Kind.ROBUST, batch_size=128, steps=240_000, attack_step=0.083
    ),
    "kawar-cifar-vanilla": ClassifierPlan(**_CIFAR, name="cifar-vanilla", kind=Kind.VANILLA, batch_size=128),
    "kawar-cifar-robust": ClassifierPlan(
        **_CIFAR, name="cifar-robust", kind=Kind.ROBUST, batch_size=128, attack_step=0.0
    ),
}
PUBLISHED_DENOISERS: dict[str, DenoiserPlan] = {
    "kawar-cifar": DenoiserPlan(
        name="cifar-denoiser",
        image_size=32,
        architecture="cifar",
        dropout=0.1,
        steps=200_000,
        constant_rate=True,
        warmup_steps=0,
        batch_size=128,
        learning_rate=1e-4,
        clip_norm=0.0,
        ema_decay=0.9999,
        label_dropout=0.0,
        uniform_levels=True,
        flips=True,
        keep_every=50_000,
        save_every=5000,
        float32_file=True,
    ),
}
