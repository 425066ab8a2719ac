"""What raters look at: the images of their own trials, under addresses and in bytes that tell no arm."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from generation.images import MissingFile, read_bytes
from survey_site.limits import Act, limited
from survey_site.models import Study, Trial
from survey_site.rater_requests import UnknownTrial, own_trial

# A trial's images are shown within minutes of being fetched; what a browser keeps outlives the study no longer.
HOUR = 3600


@limited(Act.IMAGE)
# no-transform: a proxy that compresses on the way would tell how well each of the two compresses.
@cache_control(private=True, max_age=HOUR, immutable=True, no_transform=True)
@require_GET
def image(request: HttpRequest, code: UUID, side: str) -> HttpResponse:
    """Send one image of the rater's own trial; both images of a pair come in equally many bytes.

    A paused study still shows what a rater has on the screen; a closed one shows nothing.
    """
    shown = _shown_or_404(request, code)
    try:
        left, right = read_bytes(shown.left_image), read_bytes(shown.right_image)
    except MissingFile as error:
        raise Http404(_("This image cannot be found. Please tell the person who sent you here.")) from error
    data, other = (left, right) if side == "left" else (right, left)
    return HttpResponse(_padded(data, other=other), content_type="image/png")


def _padded(data: bytes, *, other: bytes) -> bytes:
    """Return a PNG as long as the longer of two: decoders stop at its IEND, and what follows is the other's end.

    Both are read for either, so that both take equally long; and zeros would give the length away to whoever packs
    the answer once more.
    """
    return data + other[len(data) :]


def _shown_or_404(request: HttpRequest, code: UUID) -> Trial:
    try:
        trial = own_trial(request, code, among=Trial.objects.with_images())
    except UnknownTrial as error:
        raise Http404(str(error)) from error
    if trial.rater.study.status == Study.Status.CLOSED:
        raise Http404(_("This study is closed, and its images are no longer shown."))
    return trial
