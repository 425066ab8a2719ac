"""Every method of the report by its name in the JSON: what it is called, assumes, comes from and means."""

from itertools import chain

from analysis import (
    agreement,
    bootstrap,
    classes,
    multiplicity,
    position,
    precision,
    preference,
    ranking,
    rater_filters,
    rater_quality,
    sequential,
    significance,
    times,
)
from analysis.records import Method

METHODS: dict[str, Method] = {
    method.name: method
    for method in chain(
        preference.METHODS,
        significance.METHODS.values(),
        position.METHODS,
        ranking.METHODS,
        agreement.METHODS,
        bootstrap.METHODS,
        classes.METHODS,
        rater_quality.METHODS,
        rater_filters.METHODS,
        multiplicity.METHODS,
        times.METHODS,
        sequential.METHODS,
        precision.METHODS,
    )
}
