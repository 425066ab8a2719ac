"""How the API knows a rater's browser."""

from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class RaterCookie(SessionAuthentication):
    """Nobody signs in here: the views look for the rater's cookie. But a POST must show the page's CSRF token."""

    def authenticate(self, request: Request) -> None:
        """Refuse a POST that another site made this browser send."""
        self.enforce_csrf(request)
