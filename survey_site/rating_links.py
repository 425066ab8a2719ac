"""The links that a researcher gives away, one for each way of entering, and how each is used."""

from dataclasses import dataclass

from survey_site.design.designs import Entry
from survey_site.entrance.platforms import CONNECT, MTURK, NAMES, OTHER, PROLIFIC

# What Prolific puts in place of its own names.
PLACEHOLDERS = "&".join(f"{name}={{{{%{name}%}}}}" for name in ("PROLIFIC_PID", "STUDY_ID", "SESSION_ID"))
HINTS = {
    PROLIFIC: "Paste this as the study link of Prolific, and choose that participants are recorded by URL parameters.",
    MTURK: "The address of an ExternalQuestion: MTurk itself adds workerId, assignmentId and the rest.",
    CONNECT: "Paste this as the project's link: Connect itself adds {names}.",
    OTHER: "The platform puts its ids in place of the words in capitals.",
}


@dataclass(frozen=True)
class RatingLink:
    """An address and what to do with it."""

    address: str
    hint: str


def rating_link(entry: Entry, *, address: str) -> RatingLink:
    """Return the link to give away. address: the study's own, with its site."""
    if entry.way == "invited":
        return RatingLink(address, "It asks for a code. Each invitation has a link of its own with the code in it.")
    if entry.way == "open":
        return RatingLink(address, "Anyone with it may rate, once in a browser.")
    if entry.platform == PROLIFIC:
        return RatingLink(f"{address}?{PLACEHOLDERS}", HINTS[PROLIFIC])
    if entry.platform == OTHER:
        names = [name for name in (entry.person_parameter, entry.submission_parameter) if name]
        query = "&".join(f"{name}={name.upper()}" for name in names)
        return RatingLink(f"{address}?{query}", HINTS[OTHER])
    return RatingLink(address, HINTS[entry.platform].format(names=_named(entry)))


def _named(entry: Entry) -> str:
    names = NAMES[entry.platform]
    return ", ".join((names.person, names.submission, *names.kept))
