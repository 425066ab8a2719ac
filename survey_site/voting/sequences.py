"""A rater's sequence: what the rater was shown and answered so far, and what the study's plan has next."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from typing import NamedTuple

from survey_site.design import check_plans
from survey_site.models import Rater, Trial
from survey_site.voting.pools import Pool
from survey_site.voting.statements import Statement

COLUMNS = (
    "pk",
    "position",
    "kind",
    "swapped",
    "expires_at",
    "lapsed_at",
    "comparison",
    "code_text",
    "answers",
    "answers__choice",
)


OWN = Statement(lambda rater: Trial.objects.filter(rater=rater).with_answers().values_list(*COLUMNS), n=1)


class Row(NamedTuple):
    """One trial of the rater's, as the driver gives it: times are UTC, on SQLite without saying so.

    vote, choice: its standing answer, if there is one. n_sent: answers on record.
    """

    pk: int
    position: int
    kind: str
    swapped: bool
    expires_at: datetime
    lapsed_at: datetime | None
    comparison: int
    code: str
    vote: int | None
    choice: str | None
    n_sent: int = 0

    @property
    def is_held(self) -> bool:
        """Tell whether the rater may have it on the screen."""
        return self.vote is None and self.lapsed_at is None

    def expires_before(self, moment: datetime) -> bool:
        """Tell whether the lease runs out before then."""
        return self.expires_at.replace(tzinfo=UTC) < moment

    @property
    def is_on_books(self) -> bool:
        """Tell whether it counts: answered, or held."""
        return self.vote is not None or self.lapsed_at is None


@dataclass(frozen=True)
class Sequence:
    """A rater's trials in the order of their positions; every act on them makes another sequence."""

    rater: Rater
    pool: Pool
    rows: tuple[Row, ...]

    def with_answer(self, row: Row, *, vote: int, choice: str) -> "Sequence":
        """Return the sequence after an answer to one of its trials."""
        answered = row._replace(vote=vote, choice=choice, n_sent=row.n_sent + 1)
        return replace(self, rows=tuple(answered if known.pk == row.pk else known for known in self.rows))

    def with_trial(self, row: Row) -> "Sequence":
        """Return the sequence after one more trial was leased."""
        return replace(self, rows=(*self.rows, row))

    @property
    def next_position(self) -> int:
        """Return the position of the trial that is leased next."""
        return self.rows[-1].position + 1 if self.rows else 0

    @cached_property
    def held(self) -> list[Row]:
        """The trials that the rater may have on the screen, the next first."""
        return [row for row in self.rows if row.is_held]

    @cached_property
    def lapsed(self) -> dict[int, Row]:
        """The normal trials that lapsed without an answer, by their comparisons."""
        return {row.comparison: row for row in self.rows if row.kind == Trial.Kind.NORMAL and not row.is_on_books}

    @cached_property
    def normal(self) -> list[Row]:
        """The normal trials that count."""
        return [row for row in self.rows if row.kind == Trial.Kind.NORMAL and row.is_on_books]

    @cached_property
    def n_slots(self) -> int:
        """How many trials of the plan, checks among them, are answered or held."""
        return sum(row.is_on_books and row.kind != Trial.Kind.PRACTICE for row in self.rows)

    @cached_property
    def n_practice(self) -> int:
        """How many practice trials were leased."""
        return sum(row.kind == Trial.Kind.PRACTICE for row in self.rows)

    @cached_property
    def n_votes(self) -> int:
        """How many trials are answered, practice left out."""
        return sum(row.vote is not None and row.kind != Trial.Kind.PRACTICE for row in self.rows)

    @cached_property
    def n_swapped(self) -> int:
        """How many of the normal trials that count have image b on the left."""
        return sum(row.swapped for row in self.normal)

    @cached_property
    def shown(self) -> Counter[int]:
        """How many normal trials of each class count."""
        spots = self.pool.spots([row.comparison for row in self.normal])
        return Counter(spot.class_no for spot in spots.values())

    @cached_property
    def seen(self) -> list[int]:
        """The comparisons of all normal trials; what lapsed comes back as the same trial, never as another."""
        return [row.comparison for row in self.rows if row.kind == Trial.Kind.NORMAL]

    @cached_property
    def last_class(self) -> int | None:
        """The class of the last trial that counts, if the study's own comparisons show it too."""
        shown = (row for row in reversed(self.rows) if row.is_on_books)
        return next((self.pool.class_of(row.comparison) for row in shown), None)

    @cached_property
    def last_answered(self) -> Row | None:
        """The trial that was answered last, practice left out."""
        answered = (row for row in self.rows if row.vote is not None and row.kind != Trial.Kind.PRACTICE)
        return max(answered, key=lambda row: row.vote or 0, default=None)

    @cached_property
    def n_wanted(self) -> int:
        """How many normal trials the rater is to get."""
        return min(self.pool.design.order.trials_per_rater or len(self.pool), len(self.pool))

    @cached_property
    def n_planned(self) -> int:
        """How many trials the rater is to get, checks included."""
        rater = self.rater
        checks = self.pool.design.checks
        return check_plans.n_trials(self.n_wanted, checks=checks, key=rater.order_key, secret=rater.study.secret)

    @property
    def next_kind(self) -> str:
        """Return what the plan has for the next trial: "normal", or the kind of a check."""
        if self.n_slots >= self.n_planned:
            return check_plans.NORMAL
        checks, key, secret = self.pool.design.checks, self.rater.order_key, self.rater.study.secret
        return check_plans.kind_at(self.n_slots, checks=checks, key=key, secret=secret)

    @property
    def is_practising(self) -> bool:
        """Tell whether practice is open; nothing else is leased until it is done."""
        return any(row.kind == Trial.Kind.PRACTICE for row in self.held)

    @property
    def is_full(self) -> bool:
        """Tell whether the rater has all normal trials that are wanted, answered or not."""
        return len(self.normal) >= self.n_wanted


def sequence_of(rater: Rater, *, pool: Pool) -> Sequence:
    """Read a rater's sequence: one query, of as many rows as the rater has trials."""
    rows: dict[int, Row] = {}
    for values in OWN.rows(rater.pk):
        row = Row(*values)
        # A trial with several answers has as many rows; the last one stands.
        known = rows.get(row.pk)
        rows[row.pk] = row._replace(n_sent=(known.n_sent if known else 0) + 1) if row.vote is not None else row
    return Sequence(rater, pool, tuple(rows.values()))
