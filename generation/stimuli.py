"""What an upload brings: stimuli with their places in its files, matched to pairs before anything is stored."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from generation.images import Pixels
from generation.models import RESERVED_ARM_NAMES

MOST_IMAGES = 50_000
MOST_PIXELS = 4096 * 4096
LARGEST_SEED = 2**63 - 1


class InvalidUpload(Exception):
    """The files cannot become a batch; the message names the file and the row."""


@dataclass(frozen=True)
class Upload:
    """One file as it came from the researcher. `arm` is read for arrays only: an archive names its arms itself."""

    name: str
    file: BinaryIO
    arm: str = ""


@dataclass(frozen=True)
class Stimulus:
    """One image to be: what it shows, by whom, from which noise, and where it was named."""

    arm: str
    class_index: int
    label: str
    seed: int
    where: str
    original_name: str

    @property
    def pair(self) -> tuple[int, int]:
        """What the images of one pair share."""
        return self.class_index, self.seed

    def __str__(self) -> str:
        return f'class "{self.label}", seed {self.seed}'


@dataclass(frozen=True)
class Source:
    """The stimuli of an upload, and their pixels, decoded one by one in the same order."""

    stimuli: Sequence[Stimulus]
    class_table: Mapping[int, str]
    pixels: Iterator[Pixels]


def check_pairs(stimuli: Sequence[Stimulus], *, arms: Sequence[str]) -> None:
    """Raise InvalidUpload unless every class and seed is there exactly once in each of two or more arms.

    `arms` are the names that the researcher expects; none means whatever the files name.
    """
    if not stimuli:
        raise InvalidUpload("The upload has no images; put at least one pair into it.")
    by_arm = _by_arm(stimuli, expected=arms)
    if len(by_arm) < 2:
        raise InvalidUpload(
            f'{stimuli[0].where}: "{stimuli[0].arm}" is the only arm of this upload; a comparison needs two or more.'
        )
    # The fullest arm is what the others are held against: a mistyped name makes a small arm, and is blamed.
    fullest = max(by_arm, key=lambda arm: len(by_arm[arm]))
    for arm, images in by_arm.items():
        _check_against(images, by_arm[fullest], arm=arm, fullest=fullest)


def check_name(arm: str, *, where: str) -> str:
    """Return an arm's name without outer blanks, or raise InvalidUpload."""
    name = arm.strip()
    if not name:
        raise InvalidUpload(f"{where}: the arm is empty; write which arm made this image.")
    if len(name) > 60:
        raise InvalidUpload(f'{where}: arm "{name[:30]}..." is longer than 60 characters.')
    if name in RESERVED_ARM_NAMES:
        raise InvalidUpload(f'{where}: no arm can be called "{name}": results have a column of that name. Rename it.')
    return name


def _by_arm(stimuli: Sequence[Stimulus], *, expected: Sequence[str]) -> dict[str, dict[tuple[int, int], Stimulus]]:
    by_arm: dict[str, dict[tuple[int, int], Stimulus]] = {}
    for stimulus in stimuli:
        if expected and stimulus.arm not in expected:
            raise InvalidUpload(
                f'{stimulus.where}: unknown arm "{stimulus.arm}"; the arms of this upload are {", ".join(expected)}.'
            )
        images = by_arm.setdefault(stimulus.arm, {})
        if (first := images.get(stimulus.pair)) is not None:
            raise InvalidUpload(
                f'{stimulus.where}: {stimulus} of arm "{stimulus.arm}" was named before ({first.where}).'
            )
        images[stimulus.pair] = stimulus
    return by_arm


def _check_against(
    images: Mapping[tuple[int, int], Stimulus],
    others: Mapping[tuple[int, int], Stimulus],
    *,
    arm: str,
    fullest: str,
) -> None:
    began = next(iter(images.values())).where
    for pair, stimulus in others.items():
        if pair not in images:
            raise InvalidUpload(
                f'{stimulus.where}: {stimulus} is there for arm "{fullest}" but not for arm "{arm}", '
                f"which is first named in {began}."
            )
    for pair, stimulus in images.items():
        if pair not in others:
            raise InvalidUpload(f'{stimulus.where}: {stimulus} is there for arm "{arm}" but not for arm "{fullest}".')
