"""Reproductions: the papers' experiments run again, from networks to report. For workers and commands only."""

import hashlib
import json
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from django.conf import settings

from generation.diffusion.checkpoints import inspect_checkpoint, load_classifier, load_denoiser
from generation.diffusion.classifiers import EncoderClassifier
from generation.diffusion.experiments.budgets import TRAINING_ENDS, TRAINING_SHARE, Budget
from generation.diffusion.experiments.gradcheck import CLEAN, NOISED, GradcheckPlan, Networks, gradcheck
from generation.diffusion.experiments.gradcheck_report import gradcheck_page
from generation.diffusion.experiments.pages import Page
from generation.diffusion.experiments.robust_ablation import (
    PAPERS_CHOICE,
    THREATS,
    VANILLA,
    AblationPlan,
    Guide,
    Threat,
    robust_ablation,
)
from generation.diffusion.experiments.robust_ablation_report import ablation_page
from generation.diffusion.experiments.settings import (
    Photographs,
    guide_plan,
    photographs_setting,
    photographs_within,
    shipped_judge,
    sportballs_setting,
)
from generation.diffusion.experiments.stages import Numbers, device_here
from generation.diffusion.experiments.trained import seconds_a_step, trained_classifier
from generation.diffusion.plans import SPORTBALLS, ClassifierPlan, Kind, plan_of
from generation.diffusion.seed_matched import sportballs_source
from generation.holds import Hold, Report, WorkImpossible
from generation.reproduction_options import GRADCHECK, ReproductionOptions

WEIGHTS = settings.BASE_DIR / "generation" / "weights"
SPORTBALLS_DENOISER = WEIGHTS / "sportballs-denoiser.safetensors"
GRADCHECK_STEPS = 200
CONTENT_TYPES = {".md": "text/markdown", ".json": "application/json", ".png": "image/png", ".svg": "image/svg+xml"}


@dataclass(frozen=True)
class Reproduced:
    """A report and all its numbers."""

    name: str
    page: Page
    numbers: Numbers

    def files(self) -> dict[str, bytes]:
        """The report's files: the page, its numbers, and its pictures under images/."""
        numbers = json.dumps(self.numbers, indent=1, sort_keys=True) + "\n"
        pictures = {f"images/{picture.name}": picture.data for picture in self.page.pictures}
        return {f"{self.name}.md": self.page.markdown().encode(), f"{self.name}.json": numbers.encode(), **pictures}


def reproduce(options: ReproductionOptions, *, folder: Path, report: Report) -> Reproduced:
    """Run an experiment in a folder, going on from what that holds."""
    run = _gradcheck if options.which == GRADCHECK else _ablation
    return run(options, folder=folder, report=report)


def do_reproduction(hold: Hold, report: Report) -> None:
    """Do the work of a reproduction: its files are the report's."""
    try:
        options = ReproductionOptions(**hold.work.options)
        Budget.parse(options.budget)
    except (TypeError, ValueError) as error:
        raise WorkImpossible(f"These options make no reproduction: {error}") from error
    done = reproduce(options, folder=folder_of(options), report=report)
    for name, data in done.files().items():
        # A work's files lie side by side.
        data = data.replace(b"](images/", b"](") if name.endswith(".md") else data
        hold.keep_file(Path(name).name, data, content_type=CONTENT_TYPES[Path(name).suffix])
    hold.finish(note=f"{done.page.title}: see {done.name}.md")


def folder_of(options: ReproductionOptions) -> Path:
    """Where an experiment keeps what it has, for the next call."""
    # Networks and steps of one data set are not another's.
    data = "" if options.data == SPORTBALLS else f"-{hashlib.sha256(options.data.encode()).hexdigest()[:8]}"
    return Path(settings.VAR_DIR) / "reproductions" / f"{options.which}{data}"


def write_report(done: Reproduced, out: Path) -> list[Path]:
    """Write a report's files into a folder; return their paths."""
    paths = []
    for name, data in done.files().items():
        path = out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        paths.append(path)
    return paths


def _gradcheck(options: ReproductionOptions, *, folder: Path, report: Report) -> Reproduced:
    budget = Budget.parse(options.budget)
    # Noise makes the task harder: three times as long.
    steps = options.training_steps or GRADCHECK_STEPS
    guides = {
        name: trained_classifier(plan, folder=folder / "weights", report=report)
        for name, plan in (
            (CLEAN, _gradcheck_plan(Kind.CLEAN, seed=21, steps=steps)),
            (NOISED, _gradcheck_plan(Kind.UNTIMED, seed=22, steps=3 * steps)),
        )
    }
    networks = Networks(
        source=sportballs_source(load_denoiser(SPORTBALLS_DENOISER, device=device_here())),
        denoiser_sha256=inspect_checkpoint(SPORTBALLS_DENOISER).sha256,
        guides={name: load_classifier(path, device=device_here()) for name, path in guides.items()},
        judge=shipped_judge(WEIGHTS),
        sha256={name: inspect_checkpoint(path).sha256 for name, path in guides.items()},
    )
    plan = GradcheckPlan(n=options.n, steps=options.steps, scale=options.scale)
    result = gradcheck(networks, plan=plan, folder=folder, report=report, is_spent=lambda: budget.spent(0.9))
    page = gradcheck_page(result, command=options.command(), made=_made())
    return Reproduced(options.which, page, result.facts())


def _gradcheck_plan(kind: Kind, *, seed: int, steps: int) -> ClassifierPlan:
    # Other widths and seeds than the judge's: a guide is never a judge.
    changes = {"name": kind.value, "kind": kind, "seed": seed, "width": 24, "steps": steps, "held_out": 100}
    return plan_of(ClassifierPlan, {**changes, "learning_rate": 2e-3, "ema_decay": 0.99})


def _ablation(options: ReproductionOptions, *, folder: Path, report: Report) -> Reproduced:
    budget = Budget.parse(options.budget)
    photographs = None
    if options.data != SPORTBALLS:
        photographs = _photographs(options.data, budget=budget, folder=folder / "weights")
    setting = (
        sportballs_setting(WEIGHTS)
        if photographs is None
        else photographs_setting(photographs, folder=folder / "weights", report=report)
    )
    steps = options.training_steps or _steps_within(budget, photographs, folder=folder / "weights")
    guides, left_out = _guides(options.data, photographs, steps=steps, budget=budget, folder=folder, report=report)
    plan = AblationPlan(n=options.n, steps=options.steps)
    result = robust_ablation(
        setting, guides, plan=plan, folder=folder, report=report, is_spent=lambda: budget.spent(0.9)
    )
    page = ablation_page(
        result,
        {guide.name: guide.threat for guide in guides if guide.threat is not None},
        setting=setting.name,
        class_labels=setting.class_labels,
        trained=_training_in_words(options.data, photographs, steps=steps),
        left_out=left_out,
        command=options.command(),
        made=_made(),
    )
    return Reproduced(options.which, page, {**result.facts(), "training_steps": steps, "left_out": left_out})


def _photographs(data: str, *, budget: Budget, folder: Path) -> Photographs:
    """The data with the steps that fit, kept for the next call, which is to go on with the same networks."""
    kept = folder / "photographs.json"
    if kept.exists():
        return Photographs(**json.loads(kept.read_text(encoding="utf-8")))
    photographs = photographs_within(Photographs(data=data), seconds=budget.left, folder=folder)
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(asdict(photographs)), encoding="utf-8")
    return photographs


def _steps_within(budget: Budget, photographs: Photographs | None, *, folder: Path) -> int:
    """How many steps all classifiers can be trained for, kept for the next call, which is to go on with them."""
    kept = folder / "training-steps.json"
    if kept.exists():
        return int(json.loads(kept.read_text(encoding="utf-8")))
    probe = guide_plan(
        photographs.data if photographs else SPORTBALLS,
        attack=PAPERS_CHOICE.attack,
        name="probe",
        steps=4,
        photographs=photographs,
    )
    # An attack that still succeeds early stops early; later in training a step takes about half as long again.
    seconds = 1.5 * seconds_a_step(probe, folder=folder)
    steps = int(TRAINING_SHARE * budget.left / (seconds * (len(THREATS) + 0.25)))
    steps = max(20, min(steps // 10 * 10, 200_000))
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(steps), encoding="utf-8")
    return steps


def _guides(
    data: str, photographs: Photographs | None, *, steps: int, budget: Budget, folder: Path, report: Report
) -> tuple[list[Guide], list[str]]:
    """The classifiers there was time for (two there always is), and the names of the others."""
    guides: list[Guide] = []
    left_out: list[str] = []
    threats: Sequence[Threat | None] = (None, *THREATS)
    for threat in threats:
        name = threat.name if threat else VANILLA
        attack = threat.attack if threat else None
        plan = guide_plan(data, attack=attack, name=name, steps=steps, photographs=photographs)
        there = (folder / "weights" / f"{name}.safetensors").exists()
        if threat not in (None, PAPERS_CHOICE) and not there and budget.spent(TRAINING_ENDS):
            left_out.append(name)
            continue
        path = trained_classifier(plan, folder=folder / "weights", report=report)
        classifier = load_classifier(path, device=device_here())
        if not isinstance(classifier, EncoderClassifier):
            raise WorkImpossible(f"{path.name} is no classifier of noised images; remove it and run again.")
        guides.append(Guide(name=name, classifier=classifier, sha256=inspect_checkpoint(path).sha256, threat=threat))
    return guides, left_out


def _training_in_words(data: str, photographs: Photographs | None, *, steps: int) -> str:
    plan = guide_plan(data, attack=None, name=VANILLA, steps=steps, photographs=photographs)
    return (
        f"with classifiers trained from scratch for {steps} steps of {plan.batch_size} images "
        f"({plan.optimiser}, learning rate {plan.learning_rate:g} falling to {1 - steps / plan.anneal_steps:.0%} of it)"
    )


def _made() -> dict[str, str]:
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else f"{platform.machine()} CPU"
    return {
        "sampled on": f"{device}, {torch.get_num_threads()} threads",
        "precision of sampling": "bfloat16 multiplications, float32 steps",
        "torch": torch.__version__,
    }
