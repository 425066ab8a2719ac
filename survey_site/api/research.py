"""What the researchers' endpoints share: who may come in, pages of lists, refusals as one sentence."""

import json
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db.models import Model, QuerySet
from django.http import HttpResponse
from rest_framework.authentication import BasicAuthentication, SessionAuthentication
from rest_framework.decorators import api_view, authentication_classes, parser_classes, permission_classes
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.parsers import JSONParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

P = ParamSpec("P")
M = TypeVar("M", bound=Model)


class Refusal(Exception):
    """A request that is understood and cannot be done; carries the sentence and the HTTP status."""

    def __init__(self, detail: str, *, status: int = 400) -> None:
        super().__init__(detail)
        self.status = status


class TextParser(JSONParser):
    """JSON without the character NUL, which no text column of PostgreSQL keeps."""

    # Any: what JSON can hold, and what Django REST framework hands over.
    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        """Read the body as JSON; raises `ParseError`, which is answered with 400."""
        data = super().parse(stream, media_type, parser_context)
        if "\\u0000" in json.dumps(data):
            raise ParseError("A text in this request holds the character NUL; leave it out.")
        return data


class Pages(PageNumberPagination):
    """Lists in pages of 50; `?page_size=` up to 500."""

    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 500


def endpoint(*methods: str) -> Callable[[Callable[Concatenate[Request, P], HttpResponse]], Any]:  # Any: DRF's view type
    """Make a view an endpoint for researchers, signed in by session or by HTTP basic authentication."""

    def decorated(view: Callable[Concatenate[Request, P], HttpResponse]) -> Any:  # Any: as above
        @wraps(view)
        def answering(request: Request, *args: P.args, **kwargs: P.kwargs) -> HttpResponse:
            try:
                return view(request, *args, **kwargs)
            except Refusal as refusal:
                return Response({"detail": str(refusal)}, status=refusal.status)
            except ValidationError as error:
                return Response({"detail": _sentence(error.detail)}, status=error.status_code)

        protected = permission_classes([IsAuthenticated])(parser_classes([TextParser])(answering))
        # Basic first: without credentials a client is told that these are wanted (401), not only turned away (403).
        return api_view(methods)(authentication_classes([BasicAuthentication, SessionAuthentication])(protected))

    return decorated


def paged(request: Request, rows: QuerySet[M], serialize: Callable[[M], Any]) -> Response:  # Any: what JSON can hold
    """Answer with one page of a list, each row as `serialize` writes it."""
    pages = Pages()
    page = pages.paginate_queryset(rows, request)
    return pages.get_paginated_response([serialize(row) for row in page or ()])


def _sentence(detail: Any, *, where: str = "") -> str:  # Any: DRF nests lists and dicts
    """The first complaint of a serializer, with the field it is about."""
    if isinstance(detail, dict):
        name, inner = next(iter(detail.items()))
        here = "" if name == "non_field_errors" else f"{where}.{name}" if where else str(name)
        return _sentence(inner, where=here or where)
    if isinstance(detail, list):
        return _sentence(next((item for item in detail if item), ""), where=where)
    return f"{where}: {detail}" if where else str(detail)
