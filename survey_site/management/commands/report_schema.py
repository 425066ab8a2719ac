"""`report_schema`: print the JSON schema of a report, as docs/report.schema.json holds it."""

import json
from typing import Any

from django.core.management.base import BaseCommand

from analysis.files.schema import report_schema


class Command(BaseCommand):
    """Print the schema that the records define now."""

    help = "Print the JSON schema of a report. Example: manage.py report_schema > docs/report.schema.json"
    requires_system_checks = ()

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write(json.dumps(report_schema(), indent=1))
