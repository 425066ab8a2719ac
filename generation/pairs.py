"""Pairs of a batch: which classes and seeds a figure of it shows."""

from collections.abc import Sequence

from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from generation.models import Batch, Image

Pair = tuple[int, int]
"""Class index and seed."""


def choose_pairs(
    batch: Batch, *, classes: Sequence[int] = (), seeds: Sequence[int] = (), count: int, made_by: Sequence[int] = ()
) -> list[Pair]:
    """Return at most `count` pairs, in the order of classes and seeds: the lowest seeds of every class in turn.

    classes, seeds: only these; empty: all. made_by: keys of arms that must all have made their image of the pair.
    """
    images = Image.objects.filter(batch=batch)
    if classes:
        images = images.filter(class_index__in=classes)
    if seeds:
        images = images.filter(seed__in=seeds)
    if made_by:
        images = images.filter(arm__in=made_by).exclude(name="")
    found = images.order_by().values("class_index", "seed").annotate(n_arms=Count("arm", distinct=True))
    if made_by:
        found = found.filter(n_arms=len(set(made_by)))
    place = Window(RowNumber(), partition_by=[F("class_index")], order_by=[F("seed")])
    rows = found.annotate(place=place).order_by("place", "class_index")[:count]
    return sorted((row["class_index"], row["seed"]) for row in rows)
