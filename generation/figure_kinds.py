"""Which figures there are, and what may be chosen for each: what forms, commands and workers agree on."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class InvalidFigure(Exception):
    """This figure cannot be drawn; the message says what is wrong and what to do."""


class Takes(StrEnum):
    """What an option's value is, as JSON has it."""

    ARMS = "arms"
    """Keys of arms of the batch; none: all."""
    ARM = "arm"
    """The key of one arm of the batch; none: its first."""
    CLASSES = "classes"
    """Indices of classes; none: all."""
    SEEDS = "seeds"
    """Seeds; none: the first there are."""
    CLASSIFIERS = "classifiers"
    """Keys of checkpoints; none: those that guide the batch's arms."""
    BATCHES = "batches"
    """Keys of further batches."""
    TIMESTEPS = "timesteps"
    """Indices of noise levels, 0 = least noise."""
    COUNT = "count"
    """A whole number from least to most."""
    NUMBER = "number"
    """A number from least to most, or nothing."""
    CHOICE = "choice"
    """One of the choices."""
    TEXT = "text"
    """A text, maybe empty."""
    FOLDER = "folder"
    """The path of a folder on the worker's machine; for commands only."""


class Shows(StrEnum):
    """Where the images come from that classifiers are shown."""

    BATCH = "batch"
    SPORTBALLS = "sportballs"
    FOLDER = "folder"


Value = tuple[int, ...] | int | float | str | None
"""What an option's value can be, before JSON makes lists of tuples."""

# The classes of SportBalls, for those who may not import what draws them.
SPORTBALLS_LABELS = ("baseball", "basketball", "volleyball", "soccer ball")


@dataclass(frozen=True, kw_only=True)
class Option:
    """One thing to choose; least and most bound a number, most the length of a list too."""

    key: str
    title: str
    help: str
    takes: Takes
    default: Value = None
    least: float = 0
    most: float = 0
    choices: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class FigureKind:
    """One kind of figure. is_plot: it is kept as SVG and PDF too. batch_needed: it is always about a batch."""

    key: str
    title: str
    help: str
    options: Sequence[Option]
    is_plot: bool = False
    batch_needed: bool = True

    def option(self, key: str) -> Option | None:
        """Return the option of this key, or nothing."""
        return next((option for option in self.options if option.key == key), None)


_ARMS = Option(key="arms", title="Arms", help="Which arms, in this order; none chosen: all.", takes=Takes.ARMS)
_CLASSES = Option(key="classes", title="Classes", help="Only these classes; none chosen: all.", takes=Takes.CLASSES)
_SEEDS = Option(
    key="seeds",
    title="Seeds",
    help="All of these (of SportBalls: these balls); none given: the first ones.",
    takes=Takes.SEEDS,
)
_STEPS = Option(
    key="steps",
    title="Sampling steps",
    help="Fewer steps are quicker, and another trajectory; empty: as many as the batch.",
    takes=Takes.NUMBER,
    least=1,
    most=1000,
)
_SHOWN = (
    Option(
        key="classifiers",
        title="Classifiers",
        help="Whose gradients; none chosen: those that guide the batch's arms.",
        takes=Takes.CLASSIFIERS,
    ),
    Option(
        key="images",
        title="Images",
        help="What the classifiers are shown.",
        takes=Takes.CHOICE,
        default=Shows.BATCH.value,
        choices=tuple(Shows),
    ),
    Option(
        key="folder",
        title="Folder",
        help="A folder with one folder of images for each class, named like the class.",
        takes=Takes.FOLDER,
        default="",
    ),
    Option(key="arm", title="Arm", help="Whose images of the batch; none chosen: the first.", takes=Takes.ARM),
    _CLASSES,
    _SEEDS,
)


def _count(title: str, default: int, most: int) -> Option:
    return Option(
        key="count",
        title=title,
        help=f"How many, from 1 to {most}, where no seeds are named.",
        takes=Takes.COUNT,
        default=default,
        least=1,
        most=most,
    )


_KINDS = (
    FigureKind(
        key="pairs",
        title="Seed-matched rows",
        help="The images of all arms, one row an arm, one column a class and seed.",
        options=(_ARMS, _CLASSES, _SEEDS, _count("Columns", 8, 24)),
    ),
    FigureKind(
        key="gradients",
        title="Gradients on images",
        help="What classifiers would change in an image, at several noise levels (Kawar et al., figure 3).",
        options=(
            *_SHOWN,
            _count("Images", 2, 12),
            Option(
                key="timesteps",
                title="Timesteps",
                help="Noise levels, 0 = least noise.",
                takes=Takes.TIMESTEPS,
                default=(0, 200, 400, 600, 800),
                most=20,
            ),
        ),
        batch_needed=False,
    ),
    FigureKind(
        key="targeted",
        title="Towards a class",
        help="Images changed to raise one class's probability, at t = 0 (Kawar et al., figure 4).",
        options=(
            *_SHOWN,
            _count("Images", 3, 12),
            Option(
                key="targets",
                title="Target classes",
                help="Towards which classes; none chosen: the first four.",
                takes=Takes.CLASSES,
                most=20,
            ),
            Option(
                key="eps",
                title="Radius",
                help="Euclidean, in pixels of [-1, 1]; empty: the paper's 100 at 128 px, in proportion to the side.",
                takes=Takes.NUMBER,
                least=0.001,
                most=10_000,
            ),
            Option(
                key="attack_steps",
                title="Steps",
                help="Each is 2.5 times the radius divided by the number of steps.",
                takes=Takes.COUNT,
                default=7,
                least=1,
                most=200,
            ),
        ),
        batch_needed=False,
    ),
    FigureKind(
        key="trajectory",
        title="Estimates along the trajectory",
        help="Each arm's estimate of the final image on the way from noise (Kawar et al., figure 5).",
        options=(
            _ARMS,
            _CLASSES,
            _SEEDS,
            _count("Pairs", 1, 8),
            Option(
                key="columns",
                title="Columns",
                help="At how many evenly spaced steps.",
                takes=Takes.COUNT,
                default=8,
                least=2,
                most=20,
            ),
            _STEPS,
        ),
    ),
    FigureKind(
        key="stability",
        title="Steadiness of gradients",
        help="Cosine similarity of consecutive gradients and gradient norms along the trajectory (GradCheck).",
        options=(_ARMS, _CLASSES, _SEEDS, _count("Pairs", 16, 2000), _STEPS),
        is_plot=True,
    ),
    FigureKind(
        key="sweep",
        title="Scores against the scale",
        help="A stored score of arms that differ in their scale only, a line per classifier.",
        options=(
            Option(key="metric", title="Score", help="Which stored score.", takes=Takes.TEXT, default=""),
            _ARMS,
            Option(
                key="batches",
                title="Further batches",
                help="Batches whose arms are drawn too.",
                takes=Takes.BATCHES,
            ),
            Option(
                key="features",
                title="Features",
                help="Only scores on these features; empty: those of the newest score.",
                takes=Takes.TEXT,
                default="",
            ),
            Option(
                key="reference",
                title="Reference",
                help="Only scores against this reference; empty: that of the newest score.",
                takes=Takes.TEXT,
                default="",
            ),
        ),
        is_plot=True,
    ),
)
FIGURES: dict[str, FigureKind] = {kind.key: kind for kind in _KINDS}
