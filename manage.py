#!/usr/bin/env python
"""Twinseed's commands."""

import os
import sys

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "survey_site.settings")
    try:
        # Read the settings here: a mistake in them is one sentence, not a stack trace.
        settings.INSTALLED_APPS  # noqa: B018 - the access is what loads them
    except ImproperlyConfigured as error:
        sys.exit(f"Twinseed cannot start: {error}")
    execute_from_command_line(sys.argv)
