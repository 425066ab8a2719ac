"""The site's back office: rows to look at. What must agree with files and with each other is not edited by hand."""

from django.contrib import admin
from django.http import HttpRequest

from generation.models import Arm, Batch, Checkpoint


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # Django's class takes no parameter at run time
    """Lists and shows; acts belong to the verbs."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Rows are made by the site."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Rows are changed by the site."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: object = None) -> bool:
        """Studies depend on rows."""
        return False


@admin.register(Checkpoint)
class CheckpointAdmin(ReadOnlyAdmin):
    """Weights files."""

    list_display = ("name", "role", "architecture", "image_size", "noise_trained", "adversarial", "registered_at")


@admin.register(Arm)
class ArmAdmin(ReadOnlyAdmin):
    """Ways to make an image."""

    list_display = ("name", "source", "denoiser", "guidance", "classifier", "scale", "created_at")
    list_select_related = ("denoiser", "classifier")


@admin.register(Batch)
class BatchAdmin(ReadOnlyAdmin):
    """Generation runs and uploads."""

    list_display = ("name", "source", "status", "steps", "forward_rows", "created_at", "finished_at")
