"""`study_design`: how a study asks, shown, checked and set from a file, as its page does it."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from survey_site.design.design_files import as_toml, read_design
from survey_site.design.designs import Design, InvalidDesign
from survey_site.drafts.design_changes import DesignFrozen, change_design
from survey_site.drafts.design_sizes import DesignSize, size_of
from survey_site.drafts.design_words import counted, described
from survey_site.drafts.gold_pairs import fitting
from survey_site.drafts.pairings import NotPairable
from survey_site.management.named_studies import named_study
from survey_site.models import Study


class Command(BaseCommand):
    """Print a design in words, or with --json all of it; check a file against a study, or give it to a draft."""

    help = (
        "Show how a study asks, or set it from a TOML or JSON file while the study is a draft. "
        "Examples: manage.py study_design balls; manage.py study_design balls --toml > design.toml; "
        "manage.py study_design balls --check design.toml; manage.py study_design balls --set design.toml"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("study", help="The study's slug; the page /studies/ lists them.")
        acts = parser.add_mutually_exclusive_group()
        acts.add_argument("--show", action="store_true", help="Show the study's design; what happens without an act.")
        acts.add_argument("--check", metavar="FILE", type=Path, help="Say whether the study could ask like this file.")
        acts.add_argument("--set", metavar="FILE", type=Path, help="Give a draft the design of this file.")
        forms = parser.add_mutually_exclusive_group()
        forms.add_argument("--toml", action="store_true", help="Print the design as TOML, which --set reads.")
        forms.add_argument("--json", action="store_true", help="Print everything as JSON.")

    # Django hands parsed options over untyped.
    def handle(self, *args: Any, **options: Any) -> None:
        study = named_study(options["study"])
        path = options["check"] or options["set"]
        design = _fitting(study, _read(path)) if path else study.how
        size = _size(study, design) if path or study.status == Study.Status.DRAFT else None
        if options["set"]:
            study = _changed(study, design)
        if options["toml"]:
            self.stdout.write(as_toml(design), ending="")
        elif options["json"]:
            self.stdout.write(json.dumps(_document(study, design, size=size), indent=2))
        else:
            self.stdout.write("\n".join(_lines(study, design, size=size)))


def _read(path: Path) -> Design:
    try:
        return read_design(path.read_bytes(), name=path.name)
    except OSError as error:
        raise CommandError(f"Cannot read {path}: {error.strerror}.") from error
    except InvalidDesign as error:
        raise CommandError(f"{path} is no design. {error}.") from error


def _fitting(study: Study, design: Design) -> Design:
    # A command does what it is told or nothing: it leaves no gold pair out by itself, as the page does with a warning.
    _, n_lost = fitting(study, design)
    if n_lost:
        raise CommandError(
            f"checks.gold: the images of {counted(n_lost, 'pair')} are not of this study's batches; take them out."
        )
    return design


def _size(study: Study, design: Design) -> DesignSize:
    try:
        return size_of(study, design, votes_wanted=study.votes_wanted)
    except NotPairable as error:
        raise CommandError(str(error)) from error


def _changed(study: Study, design: Design) -> Study:
    try:
        return change_design(study, design)
    except DesignFrozen as error:
        raise CommandError(str(error)) from error


# Any: what JSON can hold.
def _document(study: Study, design: Design, *, size: DesignSize | None) -> dict[str, Any]:
    return {
        "study": study.slug,
        "status": study.status,
        "frozen_sha256": study.design_sha256,
        "sha256": design.sha256,
        "size": asdict(size) if size else None,
        "design": design.as_json(),
    }


def _lines(study: Study, design: Design, *, size: DesignSize | None) -> list[str]:
    lines = [f"{what}: {'. '.join(sentences)}." for what, sentences in described(design)]
    if size:
        needed = f"; {size.raters_needed:,} raters needed" if size.raters_needed else ""
        lines.append(
            f"Comes to: {size.comparisons:,} comparisons; a rater judges {size.trials:,}, in about {size.minutes} "
            f"min{needed}."
        )
    frozen = "frozen" if study.design_sha256 else "not frozen yet"
    return [*lines, f"sha256 {design.sha256} ({frozen})"]
