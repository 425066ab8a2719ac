"""Doing a work: hold it, do what its kind does, note how it ended. Imports torch: for workers only."""

import logging
from collections.abc import Callable

from generation.arms import InvalidArm
from generation.checkpoints import InvalidCheckpoint, UnusableCheckpoint
from generation.figures_at_work import do_figure
from generation.holds import Hold, LostWork, Report, WorkImpossible, hold_work
from generation.models import Work
from generation.registrations import register
from generation.reproductions import do_reproduction
from generation.run_scores import do_scoring
from generation.trainings import train_network

log = logging.getLogger(__name__)


class ShuttingDown(Exception):
    """The worker has been asked to stop."""


Doing = Callable[[Hold, Report], None]
"""Do a work and finish the hold. Raises WorkImpossible with a sentence."""

KINDS: dict[str, Doing] = {
    Work.Kind.FIGURE: do_figure,
    Work.Kind.REGISTRATION: register,
    Work.Kind.REPRODUCTION: do_reproduction,
    Work.Kind.SCORING: do_scoring,
    Work.Kind.TRAINING: train_network,
}


def do_work(work_id: int, *, stop_wanted: Callable[[], bool] = lambda: False) -> None:
    """Do a work, unless another worker does. What goes wrong is written to its row, in a sentence."""
    try:
        hold = hold_work(work_id)
    except LostWork as reason:
        log.info("%s", reason)
        return

    def report(done: int, total: int, note: str = "") -> None:
        if stop_wanted():
            raise ShuttingDown
        hold.report(done, total, note)

    try:
        KINDS[hold.work.kind](hold, report)
    except LostWork as reason:
        log.info("%s", reason)
    except ShuttingDown:
        log.info("Work %s is given back: the worker is shutting down.", hold.work.pk)
        hold.give_back()
    except (WorkImpossible, UnusableCheckpoint, InvalidCheckpoint, InvalidArm) as problem:
        hold.fail(str(problem))
    except Exception as error:
        log.exception("Work %s failed.", hold.work.pk)
        line = str(error).splitlines()[0] if str(error) else "no message"
        hold.fail(f"It failed with {type(error).__name__}: {line}. The worker's log has the details.")
    except BaseException:
        hold.give_back()
        raise


def kinds_known() -> tuple[str, ...]:
    """The kinds of work that can be done here."""
    return tuple(kind for kind in Work.Kind.values if kind in KINDS)
