"""The ablation of Kawar et al. (2023), appendix E: threat models, attack steps and guidance scales.

Every classifier of the ablation is trained from scratch in the same way but for the attack, and guides the same
denoiser on the same seeds. On SportBalls with a small network this is another quantity than the paper's FID on
CIFAR-10; the report says what can be compared.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from generation.diffusion.attacks import Attack, Norm
from generation.diffusion.classifiers import CleanClassifier, EncoderClassifier
from generation.diffusion.experiments.budgets import rounds
from generation.diffusion.experiments.measures import (
    Difference,
    Measured,
    features_of,
    frechet_difference,
    measured,
    share_interval,
)
from generation.diffusion.experiments.sampled_sets import SetPlan, sampled_set
from generation.diffusion.experiments.stages import Numbers, Pixels, Report, Stages
from generation.diffusion.guides import guide_of
from generation.diffusion.metrics import FrechetTarget, Moments
from generation.diffusion.recipes import Guidance, Recipe
from generation.diffusion.seed_matched import GuidedArm, Source

VANILLA = "vanilla"
SCALES = (0.0625, 0.125, 0.25, 0.5)
ABLATED_SCALE = 0.25
ATTACKED_LEVELS = (0, 200, 400, 500, 600)


@dataclass(frozen=True, kw_only=True)
class Threat:
    """A threat model: a norm, the bound eps (in units of [-1, 1] pixels), and the attacker's steps."""

    norm: Norm
    eps: float
    steps: int

    @property
    def name(self) -> str:
        """Short, for files and tables."""
        bound = f"{self.eps:g}" if self.norm is Norm.L2 else f"{round(self.eps * 255)}-255ths"
        return f"{self.norm}-{bound}-{self.steps}-steps"

    @property
    def attack(self) -> Attack:
        """The attack of the ablation: steps of 2.5 eps / steps (Kawar et al., appendix E)."""
        return Attack(norm=self.norm, eps=self.eps, step=2.5 * self.eps / self.steps, steps=self.steps)


PAPERS_CHOICE = Threat(norm=Norm.L2, eps=0.5, steps=7)
# The most telling first, so that a small budget still holds the paper's own choice.
THREATS = (
    PAPERS_CHOICE,
    Threat(norm=Norm.L2, eps=0.25, steps=7),
    Threat(norm=Norm.L2, eps=1.0, steps=7),
    Threat(norm=Norm.LINF, eps=4 / 255, steps=7),
    Threat(norm=Norm.LINF, eps=8 / 255, steps=7),
    Threat(norm=Norm.L2, eps=0.5, steps=5),
    Threat(norm=Norm.L2, eps=0.5, steps=9),
)


@dataclass(frozen=True, kw_only=True)
class AblationPlan:
    """How much to measure: n images an arm in so many sampling steps; held_out items a classifier is tried on.

    null_scale: of a second set, in which the denoiser is not told the class, so that the guide alone decides it.
    """

    n: int = 64
    steps: int = 25
    chunk: int = 32
    held_out: int = 200
    attacked: int = 60
    references: int = 2000
    null_scale: float = 10.0
    bf16: bool = True


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What the ablation is run on: data drawn as references, the denoiser, the judge, the classes."""

    name: str
    source: Source
    denoiser_sha256: str
    judge: CleanClassifier
    class_labels: Sequence[str]
    references: Callable[[int], Pixels]
    accuracies: Callable[..., dict[int, float]]
    """(classifier, levels=, count=, attack=) -> share named right by level, on held-out items."""


@dataclass(frozen=True, kw_only=True)
class Guide:
    """A trained classifier of the ablation and its file's sha256; threat is None for the vanilla one."""

    name: str
    classifier: EncoderClassifier
    sha256: str
    threat: Threat | None = None


@dataclass(frozen=True, kw_only=True)
class AblationResult:
    """What came out: accuracies by guide, and images judged, told the class (as in the paper) and not told it.

    robust_against_vanilla: by scale, the Frechet distance of the paper's choice minus that of the vanilla guide.
    """

    plan: AblationPlan
    accuracies: Mapping[str, Numbers]
    threats: Sequence[Measured]
    scales: Sequence[Measured]
    untold: Sequence[Measured]
    robust_against_vanilla: Mapping[str, Difference]
    images: Mapping[str, Pixels]

    def facts(self) -> Numbers:
        """The result as JSON has it, without the images."""
        return {
            "plan": asdict(self.plan),
            "accuracies": dict(self.accuracies),
            "robust_against_vanilla": {scale: asdict(found) for scale, found in self.robust_against_vanilla.items()},
            **{name: [one.facts() for one in getattr(self, name)] for name in ("threats", "scales", "untold")},
        }


def robust_ablation(
    setting: Setting,
    guides: Sequence[Guide],
    *,
    plan: AblationPlan,
    folder: Path,
    report: Report,
    is_spent: Callable[[], bool] = lambda: False,
) -> AblationResult:
    """Measure the guides, the vanilla one first, going on from what the folder holds.

    is_spent: asked after every chunk of images of all arms; the result's plan says how many there are in the end.
    """
    stages = Stages(folder)
    reference = FrechetTarget(Moments.of(features_of(setting.references(plan.references), judge=setting.judge)))
    told = _told(guides)
    untold = [_arm("unguided", None, scale=0, told=False)]
    untold += [_arm(guide.name, guide, scale=plan.null_scale, told=False) for guide in guides]
    accuracies = {}
    for done, guide in enumerate(guides):
        report(done, len(guides), f"accuracies, {guide.name}")
        accuracies[guide.name] = _accuracies(setting, guide, plan=plan, stages=stages)
    sets: dict[str, dict[str, Pixels]] = {}
    for n in rounds(plan.n, chunk=plan.chunk, is_spent=is_spent):
        plan = replace(plan, n=n)
        for name, arms in (("told", told), ("untold", untold)):
            images = _set_plan(setting, plan, guides, arms, name=name)
            sets[name] = sampled_set(setting.source, arms, plan=images, stages=stages, report=report)
    wanted = [i % len(setting.class_labels) for i in range(plan.n)]

    def judged(images: Mapping[str, Pixels]) -> list[Measured]:
        return measured(images, wanted, judge=setting.judge, reference=reference, report=report)

    threats = ["unguided", *(_at(guide.name, ABLATED_SCALE) for guide in guides)]
    scales = ["unguided", *(_at(guide.name, scale) for guide in _swept(guides) for scale in SCALES)]
    return AblationResult(
        plan=plan,
        accuracies=accuracies,
        threats=judged({name: sets["told"][name] for name in threats}),
        scales=judged({name: sets["told"][name] for name in scales}),
        untold=judged(sets["untold"]),
        robust_against_vanilla=_against_vanilla(sets["told"], judge=setting.judge, reference=reference),
        images=sets["untold"],
    )


def _against_vanilla(
    images: Mapping[str, Pixels], *, judge: CleanClassifier, reference: FrechetTarget
) -> dict[str, Difference]:
    pairs = {f"{scale:g}": (_at(PAPERS_CHOICE.name, scale), _at(VANILLA, scale)) for scale in SCALES}
    return {
        scale: frechet_difference(images[robust], images[vanilla], judge=judge, reference=reference)
        for scale, (robust, vanilla) in pairs.items()
        if robust in images and vanilla in images
    }


def _told(guides: Sequence[Guide]) -> list[GuidedArm]:
    """The paper's arms: no guidance, every guide at the ablation's scale, and two guides at every scale."""
    arms = [_arm("unguided", None, scale=0, told=True)]
    arms += [_arm(_at(guide.name, ABLATED_SCALE), guide, scale=ABLATED_SCALE, told=True) for guide in guides]
    for guide in _swept(guides):
        others = [scale for scale in SCALES if scale != ABLATED_SCALE]
        arms += [_arm(_at(guide.name, scale), guide, scale=scale, told=True) for scale in others]
    return arms


def _swept(guides: Sequence[Guide]) -> list[Guide]:
    """The vanilla guide and that of the paper's choice."""
    return [guide for guide in guides if guide.threat in (None, PAPERS_CHOICE)]


def _at(name: str, scale: float) -> str:
    return f"{name}, s = {scale:g}"


def _arm(name: str, guide: Guide | None, *, scale: float, told: bool) -> GuidedArm:
    if guide is None:
        return GuidedArm(name=name, class_conditional=told)
    recipe = Recipe(guidance=Guidance.CLASSIFIER, scale=scale)
    return GuidedArm(name=name, recipe=recipe, guide=guide_of(guide.classifier, recipe), class_conditional=told)


def _set_plan(
    setting: Setting, plan: AblationPlan, guides: Sequence[Guide], arms: Sequence[GuidedArm], *, name: str
) -> SetPlan:
    sha256 = {guide.name: guide.sha256 for guide in guides}
    return SetPlan(
        name=name,
        count=plan.n,
        classes=len(setting.class_labels),
        steps=plan.steps,
        chunk=plan.chunk,
        bf16=plan.bf16,
        denoiser=setting.denoiser_sha256,
        weights={arm.name: sha256.get(arm.name.split(", s = ")[0], "") for arm in arms},
    )


def _accuracies(setting: Setting, guide: Guide, *, plan: AblationPlan, stages: Stages) -> Numbers:
    """Held-out accuracy by noise level, unattacked, under the paper's attack and under the guide's own."""
    attacks = {"": None, "under the paper's attack": PAPERS_CHOICE.attack}
    if guide.threat not in (None, PAPERS_CHOICE):
        attacks["under its own attack"] = guide.threat.attack
    settings = {"sha256": guide.sha256, "held_out": plan.held_out, "attacked": plan.attacked, "attacks": list(attacks)}

    def measure() -> Numbers:
        return {
            name or "unattacked": _tried(
                setting, guide, attack=attack, count=plan.attacked if attack else plan.held_out
            )
            for name, attack in attacks.items()
        }

    return stages.numbers(f"accuracies/{guide.name}", settings, measure)


def _tried(setting: Setting, guide: Guide, *, attack: Attack | None, count: int) -> list[Numbers]:
    shares = setting.accuracies(guide.classifier, levels=ATTACKED_LEVELS, count=count, attack=attack)
    return [
        {"t": level, "n": count, "accuracy": share, "interval": share_interval(round(share * count), count)}
        for level, share in shares.items()
    ]
