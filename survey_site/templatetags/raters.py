"""How raters' states read."""

from django import template

from survey_site.drafts.design_words import OUTCOMES

register = template.Library()
NAMES = {outcome.value: name for outcome, name in OUTCOMES.items()}


@register.filter
def state_name(state: str) -> str:
    """Show how far a rater came, such as Quota full."""
    return NAMES.get(state, state.capitalize())
