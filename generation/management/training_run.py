"""What the training commands share: a plan's options, the progress bar, and refusals as sentences."""

from argparse import BooleanOptionalAction
from collections.abc import Callable, Mapping
from dataclasses import fields
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from django.core.management.base import CommandError, CommandParser
from tqdm import tqdm

from generation.diffusion.plans import InvalidPlan, TrainingPlan, plan_of
from generation.diffusion.training import Progress
from generation.diffusion.training_runs import REFUSALS, state_path

Plan = TypeVar("Plan", bound=TrainingPlan)
Options = Mapping[str, Any]  # Any: what Django's parser returns
NOTHING: Options = {}


def add_training_arguments(
    parser: CommandParser, plan: type[TrainingPlan], published: Mapping[str, TrainingPlan]
) -> None:
    """An option for every field of a plan but `kind`, and those of the command itself.

    None stands for "not said", so that what is said overrides a published plan.
    """
    parser.add_argument("--out", type=Path, required=True, help="folder for the weights and the card")
    parser.add_argument("--resume", action="store_true", help="continue the run that --out holds")
    parser.add_argument(
        "--as-published", choices=sorted(published), help="a paper's settings; other options override them"
    )
    for one in fields(plan):
        if one.name != "kind":
            flag = f"--{one.name.replace('_', '-')}"
            about = (
                f"{one.metadata['help']} [{one.default}]" if one.default not in ("", False) else one.metadata["help"]
            )
            parser.add_argument(flag, default=None, help=about.replace("%", "%%"), **_form(one.type))


def asked_plan(kind: type[Plan], options: Options, *, published: Mapping[str, Plan], said: Options = NOTHING) -> Plan:
    """The plan that a command's options make. said: fields that the command works out itself. Raises CommandError."""
    names = {one.name for one in fields(kind)}
    changes = {name: value for name, value in options.items() if name in names and value is not None} | dict(said)
    try:
        return plan_of(kind, changes, base=published[options["as_published"]] if options["as_published"] else None)
    except InvalidPlan as error:
        raise CommandError(_as_option(error)) from error


def run_with_a_bar(run: Callable[..., Path], plan: TrainingPlan, options: Options) -> Path:
    """Train, with a progress bar. Raises CommandError for whatever the run refuses."""
    out: Path = options["out"]
    if state_path(plan, out).exists() and not options["resume"]:
        raise CommandError(
            f"{state_path(plan, out)} holds a run already: continue it with --resume, or name another --out."
        )
    try:
        with tqdm(total=plan.steps, desc=plan.name, unit="step", mininterval=1) as bar:
            return run(plan, out=out, on_step=_show(bar))
    except InvalidPlan as error:
        raise CommandError(_as_option(error)) from error
    except REFUSALS as error:
        raise CommandError(str(error)) from error


def _form(kind: Any) -> dict[str, Any]:  # Any: a field's type, and argparse's options
    if kind is bool:
        return {"action": BooleanOptionalAction}
    if issubclass(kind, StrEnum):
        return {"choices": [member.value for member in kind]}
    return {"type": kind}


def _as_option(error: InvalidPlan) -> str:
    return f"--{error.option.replace('_', '-')} {error.sentence}"


def _show(bar: "tqdm[Any]") -> Callable[[Progress], None]:
    def on_step(progress: Progress) -> None:
        bar.set_postfix(loss=f"{progress.loss:.4f}", refresh=False)
        bar.update(progress.step - bar.n)

    return on_step
