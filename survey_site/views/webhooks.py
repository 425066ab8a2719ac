"""Where crowd platforms report what became of a rater's part."""

from django.http import HttpRequest, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from survey_site.crowds.webhooks import LONGEST_BODY, Message, TooLong, WebhookRefused, headers_of, receive


# A platform has no cookie and no CSRF token: its signature says who it is.
@csrf_exempt
@require_POST
def message(request: HttpRequest, platform: str, slug: str) -> JsonResponse:
    """Take one signed message."""
    try:
        receipt = receive(platform, slug, message=_message(request, platform))
    except WebhookRefused as refusal:
        return JsonResponse({"detail": str(refusal)}, status=refusal.status)
    return JsonResponse({"result": receipt})


def _message(request: HttpRequest, platform: str) -> Message:
    # Before the body is read: Django reads up to what settings allow for forms.
    if int(request.META.get("CONTENT_LENGTH") or 0) > LONGEST_BODY:
        raise TooLong(f"At most {LONGEST_BODY} bytes are read. Send one event a message.")
    names = headers_of(platform)
    return Message(
        body=request.body,
        signature=request.headers.get(names.signature, ""),
        timestamp=request.headers.get(names.timestamp, ""),
        event_id=request.headers.get(names.event_id, ""),
    )
