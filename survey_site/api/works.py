"""The API of other long work: ask for it, follow it, cancel, repeat, take its files."""

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from generation.commissions import create_reproduction, create_training
from generation.diffusion.experiments.budgets import InvalidBudget
from generation.drawings import create_figure
from generation.figure_kinds import InvalidFigure, Takes
from generation.intake import InvalidRegistration, create_registration
from generation.models import Batch, Work
from generation.reproduction_options import InvalidReproduction
from generation.scorings import InvalidScoring, create_scoring, reference_folder
from generation.training_options import InvalidTraining
from generation.works import MissingResult, NothingToRepeat, WorkFinished, cancel_work, read_file, repeat_work
from survey_site.api.research import Refusal, endpoint, paged
from survey_site.forms.trainings import ForbiddenPlace, placed, reproduction_options
from survey_site.researchers import researcher_of

Options = dict[str, Any]  # Any: what JSON can hold


class WorkSerializer(serializers.ModelSerializer[Work]):
    """A work, with the paths of its files."""

    files = serializers.SerializerMethodField()

    class Meta:
        model = Work
        fields = (
            "id", "kind", "title", "batch", "options", "status", "share", "note", "problem", "files",
            "created_at", "started_at", "finished_at",
        )  # fmt: skip

    def get_files(self, work: Work) -> list[dict[str, str]]:
        """Name every file, its type and where it is."""
        return [
            {
                "name": file["name"],
                "content_type": file["content_type"],
                "path": reverse("api-work-file", args=[work.pk, file["name"]]),
            }
            for file in work.files
        ]


class NewWorkSerializer(serializers.Serializer[Work]):
    """What is asked for. batch: of scores and figures. figure: which, for a figure."""

    kind = serializers.ChoiceField(choices=Work.Kind.choices)
    batch = serializers.PrimaryKeyRelatedField(
        queryset=Batch.objects.all(), required=False, allow_null=True, default=None
    )
    figure = serializers.CharField(required=False, default="")
    options = serializers.DictField(required=False, default=dict)


@endpoint("GET", "POST")
def works(request: Request) -> Response:
    """List the works, or ask for one."""
    if request.method == "POST":
        return Response(WorkSerializer(_new_work(request)).data, status=201)
    return paged(request, Work.objects.all(), lambda row: WorkSerializer(row).data)


@endpoint("GET")
def work(request: Request, pk: int) -> Response:
    """Return a work and how far it is."""
    return Response(WorkSerializer(_work(pk)).data)


@endpoint("POST")
def cancel(request: Request, pk: int) -> Response:
    """Stop a work."""
    try:
        cancel_work(_work(pk))
    except WorkFinished as error:
        raise Refusal(str(error), status=409) from error
    return Response(WorkSerializer(_work(pk)).data)


@endpoint("POST")
def repeat(request: Request, pk: int) -> Response:
    """Queue a stopped work again."""
    try:
        repeat_work(_work(pk))
    except NothingToRepeat as error:
        raise Refusal(str(error), status=409) from error
    return Response(WorkSerializer(_work(pk)).data)


@endpoint("GET")
def file(request: Request, pk: int, name: str) -> HttpResponse:
    """Return a result's bytes."""
    try:
        data, content_type = read_file(_work(pk), name)
    except MissingResult as error:
        raise Refusal(str(error), status=404) from error
    headers = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(data, content_type=content_type, headers=headers)


def _work(pk: int) -> Work:
    return get_object_or_404(Work, pk=pk)


def _new_work(request: Request) -> Work:
    asked = NewWorkSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    data = asked.validated_data
    try:
        return _CREATES[data["kind"]](data, researcher_of(request._request))
    except _REFUSALS as error:
        raise Refusal(str(error)) from error


def _scoring(data: Options, owner: User) -> Work:
    if data["batch"] is None:
        raise Refusal("Scores are measured of a batch; name it by its id.")
    return create_scoring(data["batch"], options=data["options"], owner=owner, inside=reference_folder())


def _figure(data: Options, owner: User) -> Work:
    # Folders of the worker's machine are for commands only.
    if data["options"].get(Takes.FOLDER.value):
        raise Refusal("A folder of images can be drawn by the command only; choose other images.")
    return create_figure(data["batch"], kind=data["figure"], options=data["options"], owner=owner)


def _registration(data: Options, owner: User) -> Work:
    options = data["options"]
    said = options.get("said") or {}
    if not isinstance(said, dict):
        raise InvalidRegistration('"said" must be an object, such as {"image_size": 64}.')
    return create_registration(
        owner=owner,
        path=str(options.get("path", "")),
        name=str(options.get("name", "")),
        said=said,
        role=str(options.get("role", "")),
    )


def _training(data: Options, owner: User) -> Work:
    options = data["options"]
    plan = options.get("plan", {})
    if not isinstance(plan, dict):
        raise Refusal("The plan of a training is an object of settings.")
    return create_training(owner=owner, role=str(options.get("role", "")), changes=placed(plan))


def _reproduction(data: Options, owner: User) -> Work:
    return create_reproduction(owner=owner, options=reproduction_options(data["options"]))


_REFUSALS = (
    ForbiddenPlace,
    InvalidBudget,
    InvalidFigure,
    InvalidRegistration,
    InvalidReproduction,
    InvalidScoring,
    InvalidTraining,
)
_CREATES: Mapping[str, Callable[[Options, User], Work]] = {
    Work.Kind.SCORING: _scoring,
    Work.Kind.FIGURE: _figure,
    Work.Kind.REGISTRATION: _registration,
    Work.Kind.TRAINING: _training,
    Work.Kind.REPRODUCTION: _reproduction,
}
