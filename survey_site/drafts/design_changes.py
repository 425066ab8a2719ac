"""Acts on designs: change a draft's, freeze it when the study opens."""

from django.db import transaction

from survey_site.design.designs import Design
from survey_site.models import Study


class DesignFrozen(Exception):
    """The study has opened, so how it asks can never change."""


def change_design(study: Study, design: Design) -> Study:
    """Give a draft another design. Raises `DesignFrozen` once the study has opened."""
    with transaction.atomic():
        study = _locked_draft(study)
        study.design = design.as_json()
        study.save(update_fields=["design"])
    return study


def want_votes(study: Study, votes_wanted: int | None) -> Study:
    """Give a draft another number of votes wanted per comparison. Raises `DesignFrozen` once the study has opened."""
    with transaction.atomic():
        study = _locked_draft(study)
        study.votes_wanted = votes_wanted
        study.save(update_fields=["votes_wanted"])
    return study


def freeze_design(study: Study) -> None:
    """Set the design, with every setting named, and its hash on a study that is about to open; the caller saves it.

    Raises `InvalidDesign` where the stored design cannot be followed.
    """
    design = study.how
    study.design, study.design_sha256 = design.as_json(), design.sha256


def _locked_draft(study: Study) -> Study:
    study = Study.objects.select_for_update().get(pk=study.pk)
    if study.status != Study.Status.DRAFT:
        raise DesignFrozen(
            "How a study asks is frozen when it opens, so that all raters are asked alike. "
            "Set up another study to ask differently."
        )
    return study
