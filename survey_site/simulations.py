"""Simulated raters in a real study: they enter, get trials and vote through the verbs that people's pages call.

The study says from the first moment, and for good, that programs voted in it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple
from uuid import uuid4

import numpy as np
from django.db import transaction

from analysis.simulated_designs import SimulatedDesign
from analysis.simulated_panel import Panel, Shown, draw_panel
from survey_site.entrance.raters import enter_study
from survey_site.logs.vote_logs import PairRow, pair_rows
from survey_site.models import Rater, Study, Trial, Vote
from survey_site.studies import require_open
from survey_site.voting.checks import expected_choice
from survey_site.voting.trials import EnoughVotes, VoteDetails, lease_trials, queue_of, record_vote

# Simulated raters bear a name where a person has a code, so that exports and charts tell them apart.
NAME = "simulated-"


class PeopleHaveVoted(Exception):
    """The study holds answers of people, which must not be mixed with simulated ones."""


class Frame(NamedTuple):
    """What is fixed by a study: its arms by name, and how many classes and seeds it shows."""

    arms: tuple[str, ...]
    groups: int


@dataclass(frozen=True)
class Simulation:
    """A panel that is about to vote in a study; iterating over `votes` makes it do so."""

    study: Study
    panel: Panel
    n_wanted: int
    votes: Iterator[Vote]


def frame_of(study: Study) -> Frame:
    """Return what a design must take from an open study. Raises `StudyClosed` or `StudyPaused`."""
    require_open(study)
    pairs = pair_rows(study)
    arms = tuple(sorted({arm for row in pairs for arm in (row.arm_a, row.arm_b)}))
    return Frame(arms, groups=len({row.group_id for row in pairs}))


def simulate_votes(study: Study, design: SimulatedDesign, *, rng: np.random.Generator) -> Simulation:
    """Mark an open study as simulated and return the panel that will vote in it.

    design: how pairs, raters and sides matter, with the arms and groups of `frame_of(study)`.
    Raises `PeopleHaveVoted`, `StudyClosed` or `StudyPaused`.
    """
    frame = frame_of(study)
    assert (design.arms, design.groups) == (frame.arms, frame.groups), "the design is of another study"
    pairs = {row.pk: row for row in pair_rows(study)}
    _mark_as_simulated(study)
    panel = draw_panel(design, rng=rng)
    most = min(study.how.order.trials_per_rater or len(pairs), len(pairs))
    n_wanted = int(np.minimum(panel.sizes, most).sum())
    return Simulation(study, panel, n_wanted, votes=_votes(study, panel, pairs=pairs, rng=rng))


def _mark_as_simulated(study: Study) -> None:
    with transaction.atomic():
        locked = Study.objects.select_for_update().get(pk=study.pk)
        people = Vote.objects.filter(trial__rater__study=study).exclude(trial__rater__external_id__startswith=NAME)
        if people.exists():
            raise PeopleHaveVoted(
                f"People have voted in {study.title}: simulated votes must not be mixed with theirs. "
                "Set up another study on the same batch."
            )
        # Written before the first simulated vote, so that no moment shows such votes without their label.
        locked.is_simulated = True
        locked.save(update_fields=["is_simulated"])
    study.is_simulated = True


def _votes(study: Study, panel: Panel, *, pairs: dict[int, PairRow], rng: np.random.Generator) -> Iterator[Vote]:
    shown_in = _shown(panel, pairs)
    questions = [question.key for question in study.how.page.questions]
    n_before = study.raters.filter(external_id__startswith=NAME).count()
    for number, size in enumerate(panel.sizes.tolist()):
        rater = _entered(study, n_before + number + 1)
        for trial in _trials_of(rater, at_most=size):
            if trial.comparison_id in pairs:
                # A repeat is looked at like any other pair.
                choice, milliseconds = panel.answer(shown_in(trial, number), rng=rng)
            else:
                choice, milliseconds = panel.answer_known(number, expected_choice(trial), rng=rng)
            details = VoteDetails(others=dict.fromkeys(questions, choice))
            try:
                yield record_vote(trial, choice, response_ms=milliseconds, key=uuid4(), details=details)
            except EnoughVotes:
                # Another rater was quicker. The trial has lapsed; the next one is asked for.
                continue


def _shown(panel: Panel, pairs: dict[int, PairRow]) -> Callable[[Trial, int], Shown]:
    """Return what tells what a rater of the panel sees in a trial, in the panel's own numbers."""
    arms = {name: index for index, name in enumerate(panel.design.arms)}
    groups = {group: index for index, group in enumerate(dict.fromkeys(row.group_id for row in pairs.values()))}

    def shown(trial: Trial, number: int) -> Shown:
        row = pairs[trial.comparison_id]
        left, right = (row.arm_b, row.arm_a) if trial.swapped else (row.arm_a, row.arm_b)
        return Shown(number, groups[row.group_id], left=arms[left], right=arms[right])

    return shown


def _entered(study: Study, number: int) -> Rater:
    rater = enter_study(study)
    rater.external_id = f"{NAME}{number:03d}"
    rater.save(update_fields=["external_id"])
    return rater


def _trials_of(rater: Rater, *, at_most: int) -> Iterator[Trial]:
    if rater.outcome:
        # Turned away: the study has all its raters, or all its votes.
        return
    queue = lease_trials(rater)
    while at_most and queue.trials:
        # All that are held are answered before the queue is read anew, as on the rating page.
        for trial in queue.trials:
            if at_most:
                yield trial
                # What a panel's raters are to give are votes that count; checks and practice come on top.
                at_most -= trial.kind == Trial.Kind.NORMAL
        queue = queue_of(rater)
