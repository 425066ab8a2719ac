"""What a training can be asked for. Free of torch, so that a form can check it."""

from typing import Any

from generation.diffusion.plans import ClassifierPlan, DenoiserPlan, InvalidPlan, plan_of
from generation.models import Checkpoint

PLANS: dict[str, type[ClassifierPlan] | type[DenoiserPlan]] = {
    Checkpoint.Role.CLASSIFIER.value: ClassifierPlan,
    Checkpoint.Role.DENOISER.value: DenoiserPlan,
}


class InvalidTraining(Exception):
    """These options make no training; the message says why."""


def training_plan(
    role: str, changes: dict[str, Any]
) -> ClassifierPlan | DenoiserPlan:  # Any: values as forms and JSON have them
    """Return the plan of a training of this role. Raises InvalidTraining."""
    if role not in PLANS:
        raise InvalidTraining(f'There is no training of a "{role}"; choose {" or ".join(PLANS)}.')
    try:
        return plan_of(PLANS[role], changes)
    except InvalidPlan as error:
        raise InvalidTraining(f"{error.option.replace('_', ' ').capitalize()} {error.sentence}") from error
