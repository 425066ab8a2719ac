"""Rao and Kupper's model: another way to have ties, to see whether the ratings hang on Davidson's.

Rao, Kupper (1967), JASA 62:194. Where Davidson's ratings exist so do these. Compare log-likelihoods, never thetas.
"""

from __future__ import annotations

import math

from analysis.ranking.counts import Tally
from analysis.ranking.davidson import by_arm
from analysis.ranking.estimates import has_ties, sum_to_zero
from analysis.ranking.likelihood import maximise
from analysis.ranking.models import PLAIN, RAO_KUPPER
from analysis.ranking.ratings import RaoKupper


def rao_kupper(tally: Tally) -> RaoKupper:
    """Fit an identified tally; without any Same kappa is 1."""
    told = sum_to_zero(len(tally.arms))
    model = RAO_KUPPER if has_ties(tally.outcomes) else PLAIN
    fit = maximise(model, tally.outcomes[None].astype(float), design=tally.incidence @ told)
    return RaoKupper(
        theta=by_arm(tally.arms, told @ fit.linear[0]),
        kappa=math.exp(float(fit.shape[0])),
        loglik=float(fit.loglik[0]),
    )
