"""The results bundle as a download."""

import tempfile
from contextlib import ExitStack

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_GET

from analysis import InvalidVotes
from survey_site.bundles import write_study_bundle
from survey_site.models import Study


@login_required
@require_GET
def download(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Everything that the study's figures follow from, in one zip; it takes some seconds, as all charts are drawn."""
    study = get_object_or_404(Study, slug=slug)
    with ExitStack() as opened:
        # On disk, not in memory: the votes of a large study fill hundreds of megabytes.
        file = opened.enter_context(tempfile.TemporaryFile())
        try:
            write_study_bundle(study, file)
        except InvalidVotes as error:
            return JsonResponse(error.as_json(), status=409)
        # From here on the response holds the file, and closes it when it is sent.
        opened.pop_all()
    file.seek(0)
    return FileResponse(file, as_attachment=True, filename=f"{study.slug}-results.zip", content_type="application/zip")
