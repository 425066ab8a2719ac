"""What raters look at: the images of their own trials, under addresses and in bytes that tell no arm."""

from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from generation.images import MissingFile, read_bytes
from generation.models import Image
from survey_site.limits import Act, limited
from survey_site.models import Study, Trial
from survey_site.rater_requests import UnknownTrial, own_trial, rater_of, visited_study

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
    return _sent(shown.left_image, shown.right_image, side=side)


@limited(Act.IMAGE)
@cache_control(private=True, max_age=HOUR, immutable=True, no_transform=True)
@require_GET
def example(request: HttpRequest, slug: str, side: str) -> HttpResponse:
    """Send one image of the pair that the instructions show, the first for practice, to a rater of the study."""
    study = visited_study(slug)
    is_shown = rater_of(request, study) is not None and study.status != Study.Status.CLOSED
    comparison = study.comparisons.for_practice().first() if is_shown else None
    if comparison is None:
        raise Http404(_("There is no example to show. Open the study's page to continue."))
    return _sent(comparison.image_a, comparison.image_b, side=side)


def _sent(left: Image, right: Image, *, side: str) -> HttpResponse:
    try:
        both = read_bytes(left), read_bytes(right)
    except MissingFile as error:
        raise Http404(_("This image cannot be found. Please tell the person who sent you here.")) from error
    data, other = both if side == "left" else both[::-1]
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
