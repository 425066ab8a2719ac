"""Can the votes tell the arms' ratings at all? Asked before any fit, in this order.

1. Do votes link every arm to every other? 2. Did anybody choose a side? 3. Is there a direction in which the ratings
could move for ever while the votes only get more likely (separation)? Software that leaves these questions out turns
an unidentified model into numbers by a penalty or a limit on its steps.
"""

from __future__ import annotations

import numpy as np
from scipy import optimize, sparse

from analysis.intervals import Floats
from analysis.ranking.counts import FIRST, SECOND, TIE, Tally
from analysis.ranking.ratings import Identifiability
from analysis.records import Unavailable
from analysis.votes import Ints

LARGEST_OPTIMUM = 1e-7


def identifiability(tally: Tally) -> Identifiability:
    """What can be said before fitting; separation is None where arms are not linked or nobody chose a side."""
    parts = components(tally.wins + tally.ties)
    askable = len(parts) == 1 and bool(tally.wins.any())
    return Identifiability(
        connected=len(parts) == 1,
        components=tuple(tuple(tally.arms[k] for k in part) for part in parts),
        ties_present=bool(tally.ties.any()),
        separation=is_separated(tally.outcomes, design=tally.incidence) if askable else None,
        zero_win_arms=tuple(tally.arms[k] for k in np.flatnonzero(~tally.wins.any(axis=1))),
        zero_loss_arms=tuple(tally.arms[k] for k in np.flatnonzero(~tally.wins.any(axis=0))),
    )


def obstacle(found: Identifiability) -> Unavailable | None:
    """Why Davidson's ratings do not exist: the first check that fails, or None."""
    if not found.connected:
        parts = "; ".join(", ".join(part) for part in found.components)
        return Unavailable(
            "disconnected_comparison_graph",
            f"no vote links these parts of the arms, so their ratings have no common scale: {parts}",
        )
    if len(found.zero_win_arms) == len(found.components[0]):
        return Unavailable("no_side_votes", "every vote is Same, so there is no preference to rate")
    if found.separation:
        return Unavailable("separation", _endless(found))
    return None


def components(votes_between: Ints) -> list[list[int]]:
    """The arms that votes link to each other, [K, K] counts of either direction; in the order of the arms."""
    n, label = sparse.csgraph.connected_components(sparse.csr_array(votes_between), directed=False)
    return [np.flatnonzero(label == part).tolist() for part in range(n)]


def is_separated(outcomes: Ints, *, design: Floats) -> bool:
    """Could the parameters grow for ever while every vote gets at least as likely, and some more likely?

    outcomes: int64 [M, 3]. design: [M, q], of the margin. After Albert, Anderson (1984), Biometrika 71:1: maximise the
    sum of D d over D d >= 0, where each row of D is an observed outcome minus another possible one.
    """
    differences = _differences(outcomes, design)
    bound = np.zeros(len(differences))
    best = optimize.linprog(-differences.sum(axis=0), A_ub=-differences, b_ub=bound, bounds=(-1, 1), method="highs")
    # 0 is always a feasible answer and every one is bounded, so there is an optimum.
    return best.fun is not None and -best.fun > LARGEST_OPTIMUM


def _differences(outcomes: Ints, design: Floats) -> Floats:
    # In Davidson's model the log-chance of an outcome is linear: half the margin, minus half of it, or ln nu.
    nothing = np.zeros((len(design), 1))
    terms = {
        FIRST: np.hstack([design / 2, nothing]),
        SECOND: np.hstack([-design / 2, nothing]),
        TIE: np.hstack([np.zeros_like(design), nothing + 1]),
    }
    # Without any Same the model has no ties: nu = 0.
    possible = (FIRST, SECOND, TIE) if outcomes[:, TIE].any() else (FIRST, SECOND)
    rows = [
        (terms[seen] - terms[other])[outcomes[:, seen] > 0] for seen in possible for other in possible if other != seen
    ]
    return np.unique(np.concatenate(rows), axis=0)


def _endless(found: Identifiability) -> str:
    never_won = f"never preferred: {', '.join(found.zero_win_arms)}" if found.zero_win_arms else ""
    never_lost = f"never rejected: {', '.join(found.zero_loss_arms)}" if found.zero_loss_arms else ""
    named = "; ".join(part for part in (never_won, never_lost) if part)
    reason = named or "some arms won every vote against some others"
    return f"the votes set no bound to how far arms are apart ({reason}); ask for more votes on them"
