"""The API of batches: list, make, follow, cancel, and their scores."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from generation.arms import class_labels_of
from generation.batches import (
    DEFAULT_STEPS,
    PAIRS_PER_CHUNK,
    BatchFinished,
    InvalidBatch,
    NothingToRetry,
    cancel_batch,
    create_batch,
    progress_of,
    retry_batch,
)
from generation.models import Arm, Batch, Score
from survey_site.api.research import Refusal, endpoint, paged
from survey_site.researchers import researcher_of


class BatchSerializer(serializers.ModelSerializer[Batch]):
    """A batch as a list shows it."""

    arms: serializers.SlugRelatedField[Arm] = serializers.SlugRelatedField(slug_field="name", many=True, read_only=True)

    class Meta:
        model = Batch
        exclude = ("owner",)


class NewBatchSerializer(serializers.Serializer[Batch]):
    """What makes a batch. classes: indices; empty: all, unless there are combinations."""

    name = serializers.CharField(max_length=100)
    arms = serializers.PrimaryKeyRelatedField(
        many=True, queryset=Arm.objects.select_related("denoiser", "classifier"), allow_empty=False
    )
    classes = serializers.ListField(child=serializers.IntegerField(min_value=0), required=False, default=list)
    combined = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField(min_value=0)), required=False, default=list
    )
    seeds_per_class = serializers.IntegerField(min_value=1)
    steps = serializers.IntegerField(min_value=1, required=False, default=DEFAULT_STEPS)
    first_seed = serializers.IntegerField(min_value=0, required=False, default=0)
    shared_seeds = serializers.BooleanField(required=False, default=False)
    precision = serializers.ChoiceField(
        choices=Batch.Precision.choices, required=False, default=Batch.Precision.FLOAT32
    )
    pairs_per_chunk = serializers.IntegerField(min_value=1, max_value=256, required=False, default=PAIRS_PER_CHUNK)


class ScoreSerializer(serializers.ModelSerializer[Score]):
    """One score of one arm."""

    arm: serializers.SlugRelatedField[Arm] = serializers.SlugRelatedField(slug_field="name", read_only=True)
    judge = serializers.CharField(source="judge.name", default=None)

    class Meta:
        model = Score
        exclude = ("batch",)


@endpoint("GET", "POST")
def batches(request: Request) -> Response:
    """List the batches, or make one."""
    if request.method == "POST":
        return Response(_detail(_new_batch(request)), status=201)
    rows = Batch.objects.prefetch_related("arms")
    return paged(request, rows, lambda row: BatchSerializer(row).data)


@endpoint("GET")
def batch(request: Request, pk: int) -> Response:
    """Return a batch and how far it is."""
    return Response(_detail(_batch(pk)))


@endpoint("POST")
def cancel(request: Request, pk: int) -> Response:
    """Stop a batch."""
    try:
        cancel_batch(_batch(pk))
    except BatchFinished as error:
        raise Refusal(str(error), status=409) from error
    return Response(_detail(_batch(pk)))


@endpoint("POST")
def retry(request: Request, pk: int) -> Response:
    """Queue what is missing in a stopped batch."""
    try:
        retry_batch(_batch(pk))
    except NothingToRetry as error:
        raise Refusal(str(error), status=409) from error
    return Response(_detail(_batch(pk)))


@endpoint("GET")
def scores(request: Request, pk: int) -> Response:
    """List all scores of a batch, older measurements too."""
    rows = Score.objects.filter(batch=_batch(pk)).select_related("arm", "judge")
    return paged(request, rows, lambda row: ScoreSerializer(row).data)


def _batch(pk: int) -> Batch:
    return get_object_or_404(Batch, pk=pk)


def _detail(batch: Batch) -> dict[str, Any]:  # Any: what JSON can hold
    progress = progress_of(batch)
    so_far = {
        "made": progress.made,
        "wanted": progress.wanted,
        "share": progress.share,
        "seconds_left": progress.seconds_left,
    }
    return {**BatchSerializer(batch).data, "progress": so_far}


def _new_batch(request: Request) -> Batch:
    asked = NewBatchSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    data = asked.validated_data
    classes = data.pop("classes")
    if not classes and not data["combined"]:
        classes = range(len(next((labels for labels in map(class_labels_of, data["arms"]) if labels), [])))
    try:
        return create_batch(owner=researcher_of(request._request), class_indices=classes, **data)
    except InvalidBatch as error:
        raise Refusal(str(error)) from error
