"""Is a study blind? `manage.py audit_blinding STUDY`: 0 for no alarm, 1 for an alarm, 2 where it cannot be audited."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.blinding.audit_sentences import sentence_on, sentence_on_power
from survey_site.blinding.audit_statistics import ROUNDS, Finding
from survey_site.blinding.audits import PAIRS, Audit, CannotAudit, audit_blinding
from survey_site.models import Study

ALARM, ERROR = 1, 2


class Command(BaseCommand):
    """Play raters, and try to guess the arm from everything their browsers get but the pixels."""

    help = "Try to guess the arms from everything but the pixels. Example: manage.py audit_blinding k3m9q2xd"

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Ask for the study; the rest has defaults."""
        parser.add_argument("slug", help="The study's slug, as in its link. Any study with images, a draft as well.")
        parser.add_argument("--json", action="store_true", help="All figures as JSON.")
        parser.add_argument("--pairs", type=int, default=PAIRS, help="Pairs of every two arms (default %(default)s).")
        parser.add_argument("--rounds", type=int, default=ROUNDS, help="Permutations (default %(default)s).")
        parser.add_argument("--seed", type=int, default=0, help="Of the pairs, answers and permutations.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        """Audit, print, and end with a status that a script can go by."""
        study = Study.objects.filter(slug=options["slug"]).first()
        if study is None:
            message = f"There is no study {options['slug']!r}. The page /studies/ lists them."
            raise CommandError(message, returncode=ERROR)
        try:
            audit = audit_blinding(study, pairs=options["pairs"], rounds=options["rounds"], seed=options["seed"])
        except CannotAudit as reason:
            raise CommandError(f"Study {study.slug} cannot be audited. {reason}", returncode=ERROR) from reason
        self.stdout.write(json.dumps(audit.as_json(), indent=2) if options["json"] else "\n".join(_lines(audit)))
        if audit.is_alarm:
            named = sorted({finding.name for pairing in audit.pairings for finding in pairing.alarms})
            raise CommandError(f"The study is not blind. The arm can be told by: {', '.join(named)}.", returncode=ALARM)


def _lines(audit: Audit) -> Iterator[str]:
    for pairing in audit.pairings:
        yield f"{' against '.join(pairing.arms)}: {pairing.n_pairs} pairs of {audit.n_comparisons} comparisons"
        yield f"  {'':<34}{'guessed right':>14}{'p':>9}{'Holm':>9}"
        for finding in pairing.findings:
            yield _line(finding)
        yield from (f"  {sentence_on(finding)}" for finding in pairing.alarms)
        yield from (f"  {sentence}" for sentence in (*pairing.explained, sentence_on_power(pairing.power)))
    if not audit.is_alarm:
        yield "No alarm."


def _line(finding: Finding) -> str:
    if finding.auc is None or finding.p is None or finding.p_holm is None:
        return f"  {finding.name:<34}{'the same':>14}"
    mark = "  ALARM" if finding.is_alarm else ""
    return f"  {finding.name:<34}{finding.auc:>13.0%} {finding.p:>9.4f}{finding.p_holm:>9.4f}{mark}"
