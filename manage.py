#!/usr/bin/env python
"""Twinseed's commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line
from django.db.utils import OperationalError, ProgrammingError

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey_site.settings")
    try:
        # Read the settings here: a mistake in them is one sentence, not a stack trace.
        settings.INSTALLED_APPS  # noqa: B018 - the access is what loads them
    except ImproperlyConfigured as error:
        sys.exit(f"Twinseed cannot start: {error}")
    try:
        execute_from_command_line(sys.argv)
    except (OperationalError, ProgrammingError) as error:
        # A database without its tables, or none at all: a sentence, and the whole story for who asks for it.
        if "--traceback" in sys.argv:
            raise
        sys.exit(f"The database said: {error}. If it is new or older than the code: .venv/bin/python manage.py migrate")
