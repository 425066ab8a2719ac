"""How raters come in, and in which words they are met: persons, invitations, steps, endings."""
