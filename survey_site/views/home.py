"""The front door."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render


def home(request: HttpRequest) -> HttpResponse:
    """Send researchers to their studies and tell everybody else what this is."""
    if request.user.is_authenticated:
        return redirect("studies")
    return render(request, "home.html")
