"""What the API says to a rater's page, blind to arms."""

from typing import Any

from django.urls import reverse

from survey_site.voting.checks import Feedback
from survey_site.voting.standings import Card, Desk

Said = dict[str, Any]  # Any: what JSON can hold


def desk_as_json(desk: Desk, *, feedback: Feedback | None = None) -> Said:
    """Write what lies before a rater, and what to tell about the practice answer that was just given."""
    return {
        "trials": [_card(card) for card in desk.cards],
        **desk.progress._asdict(),
        "last": {**_card(desk.last), "choice": desk.last_choice} if desk.last else None,
        "feedback": _feedback(feedback) if feedback else None,
    }


def _card(card: Card) -> Said:
    return {
        "code": str(card.code),
        "key": str(card.key),
        "class_label": card.class_label,
        "left": reverse("rate-image-left", args=[card.code]),
        "right": reverse("rate-image-right", args=[card.code]),
        "width": card.width,
        "height": card.height,
        "is_practice": card.is_practice,
    }


def _feedback(feedback: Feedback) -> Said:
    return {"expected": feedback.expected, "is_right": feedback.is_right, "explanation": feedback.explanation}
