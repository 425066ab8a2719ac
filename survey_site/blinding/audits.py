"""Is a study blind? Raters are played, and the arm is guessed from everything their browsers get but the pixels."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from itertools import combinations
from operator import attrgetter

import numpy as np
from django.utils import timezone

from survey_site.blinding.audit_columns import side, sided_numbers, sided_texts, whole_numbers, whole_texts
from survey_site.blinding.audit_plays import CannotPlay, SeenImage, SeenPair, play
from survey_site.blinding.audit_statistics import ROUNDS, Finding, Observable, Power, guess_arms, power_of
from survey_site.blinding.study_copies import NothingToCopy, StudyCopy, copy_study, in_memory
from survey_site.models import Study

PAIRS = 60
# Of a study with many arms.
MOST_PAIRS = 600


class CannotAudit(Exception):
    """There is nothing to be audited; the message says why, and what to do."""


@dataclass(frozen=True)
class PairingAudit:
    """What tells two arms apart."""

    arms: tuple[str, str]
    n_pairs: int
    findings: tuple[Finding, ...]
    power: Power
    explained: tuple[str, ...]
    """Sentences on what differs between the files and follows from their pixels."""

    @property
    def alarms(self) -> list[Finding]:
        """The findings that were there twice, the surest first."""
        return sorted((finding for finding in self.findings if finding.is_alarm), key=attrgetter("p_holm"))


@dataclass(frozen=True)
class Audit:
    """An audit of one study."""

    slug: str
    audited_at: datetime
    n_comparisons: int
    n_pairs: int
    seed: int
    rounds: int
    pairings: tuple[PairingAudit, ...]

    @property
    def is_alarm(self) -> bool:
        """Tell whether anything tells any two arms apart."""
        return any(pairing.alarms for pairing in self.pairings)

    def as_json(self) -> dict[str, object]:
        """Return all figures as JSON values."""
        return {
            **asdict(self),
            "audited_at": self.audited_at.isoformat(),
            "alarm": self.is_alarm,
            "alarms": {
                " / ".join(pairing.arms): [finding.name for finding in pairing.alarms] for pairing in self.pairings
            },
        }


def audit_blinding(
    study: Study, *, pairs: int = PAIRS, rounds: int = ROUNDS, seed: int = 0, seconds: float | None = None
) -> Audit:
    """Play raters until `pairs` pairs of every two arms were seen, or the time is over, and guess. Changes nothing.

    An alarm is raised by what is found twice, with other raters: of a hundred audits of a blind study one would find
    something, of ten thousand one would find it again. Raises `CannotAudit`.
    """
    n_pairings = max(1, study.arms.count() * (study.arms.count() - 1) // 2)
    try:
        rows = copy_study(study, at_most=min(pairs * n_pairings, MOST_PAIRS), seed=seed)
        first = _played(rows, rounds=rounds, seed=seed, seconds=seconds)
        again = _played(rows, rounds=rounds, seed=seed + 1, seconds=seconds) if any(p.alarms for p in first) else []
    except (NothingToCopy, CannotPlay) as reason:
        raise CannotAudit(str(reason)) from reason
    if not first:
        raise CannotAudit("No pair could be played in the time given, so nothing can be said. Give it more seconds.")
    return Audit(
        slug=study.slug,
        audited_at=timezone.now(),
        n_comparisons=rows.n_comparisons,
        n_pairs=sum(pairing.n_pairs for pairing in first),
        seed=seed,
        rounds=rounds,
        pairings=tuple(_confirmed(first, again)),
    )


def _played(rows: StudyCopy, *, rounds: int, seed: int, seconds: float | None) -> list[PairingAudit]:
    with in_memory(rows):
        seen = list(play(rows.study, at_most=len(rows.comparisons), seconds=seconds, rng=random.Random(seed)))
    by_arms: dict[tuple[str, str], list[SeenPair]] = {}
    for pair in seen:
        first, second = sorted(pair.arms)
        by_arms.setdefault((first, second), []).append(pair)
    names = sorted(arm.name for arm in rows.arms)
    return [
        _guessed(by_arms[arms], arms=arms, rounds=rounds, seed=seed)
        for arms in combinations(names, 2)
        if arms in by_arms
    ]


def _guessed(seen: Sequence[SeenPair], *, arms: tuple[str, str], rounds: int, seed: int) -> PairingAudit:
    groups = np.unique([pair.group for pair in seen], return_inverse=True)[1].astype(np.int64)
    findings = guess_arms(
        list(_observables(seen)),
        first_is_left=np.array([pair.arms[0] == arms[0] for pair in seen]),
        groups=groups,
        seed=seed,
        rounds=rounds,
    )
    power = power_of(findings, n_groups=int(groups.max()) + 1, rounds=rounds)
    return PairingAudit(arms, len(seen), tuple(findings), power, tuple(_explained(seen)))


def _observables(seen: Sequence[SeenPair]) -> Iterator[Observable]:
    """Yield everything that a rater could go by, in the order in which a browser meets it."""
    images = [(pair.left, pair.right) for pair in seen]
    yield side(len(seen))
    yield whole_numbers("Place in the sequence", [pair.position for pair in seen])
    yield whole_texts("Code of the trial", [pair.code for pair in seen])
    yield whole_texts("Page", [pair.page for pair in seen])
    yield whole_texts("Answer of the API", [pair.entry for pair in seen])
    yield whole_texts("Reply to the vote", [pair.reply for pair in seen])
    yield sided_numbers("Order in the page", [_order(left, right) for left, right in images])
    yield sided_texts("Tag of the image", [(left.tag, right.tag) for left, right in images])
    yield sided_texts("Around the image", [(left.around, right.around) for left, right in images])
    yield sided_texts("Address of the image", [(left.address, right.address) for left, right in images])
    yield sided_numbers("Status", [((left.status,), (right.status,)) for left, right in images])
    for name in sorted({name for pair in images for image in pair for name in image.headers}):
        told = [(left.headers.get(name, ""), right.headers.get(name, "")) for left, right in images]
        yield sided_texts(f"Header {name}", told)
    yield sided_numbers("Length in bytes", [((left.n_bytes,), (right.n_bytes,)) for left, right in images])
    yield sided_numbers("Size in pixels", [(_size(left), _size(right)) for left, right in images])
    yield sided_texts("Kind of file", [(left.file.kind, right.file.kind) for left, right in images])
    yield sided_texts("Texts in the file", [(left.file.extras, right.file.extras) for left, right in images])
    yield sided_numbers("Encoder of the file", [(_encoder(left), _encoder(right)) for left, right in images])
    if not all(image.file.is_own for pair in images for image in pair):
        yield sided_numbers("End of the picture", [((_n(left),), (_n(right),)) for left, right in images])
    yield sided_texts("What follows the picture", [(_tail(left), _tail(right)) for left, right in images])
    yield sided_numbers("Time of the first answer", [((left.first_ms,), (right.first_ms,)) for left, right in images])
    yield sided_numbers("Time of later answers", [((left.later_ms,), (right.later_ms,)) for left, right in images])


def _order(left: SeenImage, right: SeenImage) -> tuple[tuple[bool], tuple[bool]]:
    # Whichever comes first says something, not only the left one when it does.
    return (left.place < right.place,), (right.place < left.place,)


def _size(image: SeenImage) -> tuple[int, int]:
    return image.file.width, image.file.height


def _encoder(image: SeenImage) -> tuple[int, bool]:
    return image.file.beyond_pixels, image.file.is_own


def _n(image: SeenImage) -> int:
    return image.file.n_picture


def _tail(image: SeenImage) -> str:
    # The shorter of two must be followed by something: which is the shorter follows from the pixels.
    return "" if image.file.tail in {"zeros", "the other's end"} and image.file.is_own else image.file.tail


def _explained(seen: Sequence[SeenPair]) -> Iterator[str]:
    images = [image for pair in seen for image in (pair.left, pair.right)]
    n_own = sum(image.file.is_own for image in images)
    if n_own == len(images):
        yield (
            "Every file is, byte by byte, what this site's encoder makes of its pixels. So where a picture ends within "
            "its file tells nothing that its pixels do not."
        )
    else:
        yield (
            f"{len(images) - n_own} of {len(images)} files are not what this site's encoder makes of their pixels; "
            "they were written by another program or another version of it."
        )


def _confirmed(first: Sequence[PairingAudit], again: Sequence[PairingAudit]) -> Iterator[PairingAudit]:
    """Keep the alarms that both audits raise; a finding that was not there again keeps the larger p-value."""
    second: Mapping[tuple[str, str], Mapping[str, Finding]] = {
        pairing.arms: {finding.name: finding for finding in pairing.findings} for pairing in again
    }
    for pairing in first:
        others = second.get(pairing.arms, {})
        yield replace(pairing, findings=tuple(_weaker(one, others.get(one.name)) for one in pairing.findings))


def _weaker(one: Finding, other: Finding | None) -> Finding:
    if not one.is_alarm:
        return one
    if other is None or other.p_holm is None:
        return replace(one, p=1.0, p_holm=1.0)
    return one if (one.p_holm or 0) >= other.p_holm else other
