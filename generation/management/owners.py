"""Whose a row is that a command makes."""

from django.contrib.auth.models import User
from django.core.management.base import CommandError


def named_owner(name: str | None) -> User | None:
    """Return the researcher of this user name, the installation's first without one. Raises CommandError."""
    if name is None:
        return User.objects.order_by("pk").first()
    owner = User.objects.filter(username=name).first()
    if owner is None:
        raise CommandError(f'There is no researcher "{name}".')
    return owner
