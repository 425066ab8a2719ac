"""Researchers: the people with an account."""

from django.contrib.auth.models import User
from django.http import HttpRequest


def researcher_of(request: HttpRequest) -> User:
    """Return who is signed in; for views that let nobody else through."""
    assert isinstance(request.user, User), "login_required lets nobody else through"
    return request.user
