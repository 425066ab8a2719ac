"""What a reproduction can be asked for. Free of torch, so that a form can check it."""

from dataclasses import dataclass, fields

from generation.diffusion.experiments.budgets import Budget

GRADCHECK, ROBUST_ABLATION = "gradcheck", "robust-ablation"
TITLES = {
    GRADCHECK: "GradCheck on SportBalls (Vaeth et al. 2024, 2025)",
    ROBUST_ABLATION: "Robust ablation (Kawar et al. 2023, appendix E)",
}
DEFAULT_STEPS = {GRADCHECK: 40, ROBUST_ABLATION: 25}


class InvalidReproduction(ValueError):
    """These options make no reproduction; the message says why."""


@dataclass(frozen=True, kw_only=True)
class ReproductionOptions:
    """Which experiment, and how much of it.

    budget: time for one call ("2h"); what is left out then is done at the next. n: images an arm at most. steps: of
    sampling, 0 for the experiment's own. scale: of GradCheck's gradients of length 1. training_steps: of the
    classifiers, 0 for the experiment's own or, in the ablation, for as many as the budget allows. data: "sportballs",
    or photographs to train everything on.
    """

    which: str
    budget: str = "2h"
    n: int = 64
    steps: int = 0
    scale: float = 10.0
    training_steps: int = 0
    data: str = "sportballs"

    def __post_init__(self) -> None:
        if self.which not in TITLES:
            raise InvalidReproduction(f'There is no experiment "{self.which}"; choose {" or ".join(TITLES)}.')
        Budget.parse(self.budget)
        if not 16 <= self.n <= 50_000:
            raise InvalidReproduction(f"n is {self.n}; ask for 16 to 50000 images an arm.")
        if not 0 <= self.steps <= 1000:
            raise InvalidReproduction(f"{self.steps} sampling steps; the denoiser has 1000 (0: the experiment's own).")
        if not 0 < self.scale <= 100:
            raise InvalidReproduction(f"The scale is {self.scale:g}; choose one above 0, up to 100.")
        if self.training_steps < 0:
            raise InvalidReproduction(f"{self.training_steps} training steps; choose 0 for what the budget allows.")
        object.__setattr__(self, "steps", self.steps or DEFAULT_STEPS[self.which])

    def command(self) -> str:
        """The command that does the same."""
        words = [f"python manage.py reproduce {self.which}"]
        for option in fields(self):
            value = getattr(self, option.name)
            if option.name != "which" and value != option.default:
                words.append(f"--{option.name.replace('_', '-')} {value}")
        return " ".join(words)
