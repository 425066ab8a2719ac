"""The API of what images are made with: checkpoints, published recipes, arms."""

from typing import Any

from django.shortcuts import get_object_or_404
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from generation.arms import InvalidArm, create_arm, recipe_of
from generation.diffusion.recipes import PRESETS, InvalidRecipe, Recipe
from generation.models import Arm, Checkpoint
from generation.recipe_files import recipe_file
from survey_site.api.research import Refusal, endpoint, paged
from survey_site.forms.methods import Method, methods
from survey_site.researchers import researcher_of


class CheckpointSerializer(serializers.ModelSerializer[Checkpoint]):
    """A registered checkpoint's facts; where its file lies is nobody's business."""

    class Meta:
        model = Checkpoint
        exclude = ("path",)


class RecipeSerializer(serializers.Serializer[Method]):
    """A published recipe."""

    key = serializers.CharField(source="preset.key")
    name = serializers.CharField(source="preset.name")
    paper = serializers.CharField(source="preset.paper")
    about = serializers.CharField(source="sentence")
    classifier = serializers.CharField(source="preset.classifier")
    description = serializers.CharField(source="preset.recipe.describe")
    fingerprint = serializers.CharField(source="preset.recipe.fingerprint")
    settings = serializers.DictField(source="preset.recipe.settings")


class ArmSerializer(serializers.BaseSerializer[Arm]):
    """An arm with all settings of its recipe, as a recipe file has them."""

    def to_representation(self, instance: Arm) -> dict[str, Any]:  # Any: what JSON can hold
        """Return the recipe file with the arm's key; little is known of an arm that was made elsewhere."""
        known: dict[str, Any] = {"id": instance.pk, "name": instance.name, "source": instance.source}
        if instance.source == Arm.Source.GENERATED:
            known |= recipe_file(instance) | {"description": recipe_of(instance).describe()}
        return known


class NewArmSerializer(serializers.Serializer[Arm]):
    """What makes an arm: checkpoints by their names, and a published recipe, settings, or both."""

    name = serializers.CharField(max_length=60)
    denoiser = serializers.SlugRelatedField(
        slug_field="name", queryset=Checkpoint.objects.filter(role=Checkpoint.Role.DENOISER)
    )
    classifier = serializers.SlugRelatedField(
        slug_field="name",
        queryset=Checkpoint.objects.filter(role=Checkpoint.Role.CLASSIFIER),
        required=False,
        allow_null=True,
        default=None,
    )
    preset = serializers.ChoiceField(choices=[*PRESETS], required=False)
    recipe = serializers.DictField(required=False, default=dict, help_text="Settings; over a preset, those to change.")
    class_conditional = serializers.BooleanField(required=False, allow_null=True, default=None)


@endpoint("GET")
def checkpoints(request: Request) -> Response:
    """List what is registered."""
    return paged(request, Checkpoint.objects.all(), lambda row: CheckpointSerializer(row).data)


@endpoint("GET")
def recipes(request: Request) -> Response:
    """List the published recipes."""
    return Response([RecipeSerializer(method).data for method in methods()])


@endpoint("GET")
def recipe(request: Request, key: str) -> Response:
    """Return one published recipe."""
    found = next((method for method in methods() if method.preset.key == key), None)
    if found is None:
        raise Refusal(f'There is no recipe "{key}"; there are {", ".join(PRESETS)}.', status=404)
    return Response(RecipeSerializer(found).data)


@endpoint("GET", "POST")
def arms(request: Request) -> Response:
    """List the arms, or make one. An arm that is there already is returned as it is."""
    if request.method == "POST":
        return Response(ArmSerializer(_new_arm(request)).data, status=201)
    rows = Arm.objects.select_related("denoiser", "classifier").order_by("-pk")
    return paged(request, rows, lambda row: ArmSerializer(row).data)


@endpoint("GET")
def arm(request: Request, pk: int) -> Response:
    """Return one arm."""
    return Response(ArmSerializer(get_object_or_404(Arm.objects.select_related("denoiser", "classifier"), pk=pk)).data)


def _new_arm(request: Request) -> Arm:
    asked = NewArmSerializer(data=request.data)
    asked.is_valid(raise_exception=True)
    data = asked.validated_data
    start = PRESETS[data["preset"]].recipe.settings() if "preset" in data else {}
    try:
        return create_arm(
            owner=researcher_of(request._request),
            name=data["name"],
            denoiser=data["denoiser"],
            classifier=data["classifier"],
            recipe=Recipe.from_settings({**start, **data["recipe"]}),
            class_conditional=data["class_conditional"],
        )
    except (InvalidRecipe, InvalidArm) as error:
        raise Refusal(str(error)) from error
