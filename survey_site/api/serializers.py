"""What the API says: a rater's queue, blind to arms."""

from uuid import uuid4

from django.urls import reverse
from rest_framework import serializers

from survey_site.models import Trial
from survey_site.trials import Queue


class TrialSerializer(serializers.Serializer[Trial]):
    """One open trial: what a page needs to show it, and a fresh key to send the vote with."""

    code = serializers.UUIDField()
    key = serializers.SerializerMethodField()
    class_label = serializers.CharField(source="comparison.class_label")
    left = serializers.SerializerMethodField()
    right = serializers.SerializerMethodField()
    width = serializers.IntegerField(source="left_image.width")
    height = serializers.IntegerField(source="left_image.height")
    is_practice = serializers.SerializerMethodField()

    def get_key(self, trial: Trial) -> str:
        """Draw the idempotency key of this sending."""
        return str(uuid4())

    def get_is_practice(self, trial: Trial) -> bool:
        """Tell practice from the rest; nothing tells a check."""
        return trial.kind == Trial.Kind.PRACTICE

    def get_left(self, trial: Trial) -> str:
        """Return the path of the image on the left."""
        return reverse("rate-image-left", args=[trial.code])

    def get_right(self, trial: Trial) -> str:
        """Return the path of the image on the right."""
        return reverse("rate-image-right", args=[trial.code])


class QueueSerializer(serializers.Serializer[Queue]):
    """A rater's open trials, the next first, and how far the rater is."""

    trials = TrialSerializer(many=True)
    standing = serializers.CharField()
    n_votes = serializers.IntegerField()
    n_comparisons = serializers.IntegerField()
    break_due = serializers.BooleanField()
    last = TrialSerializer(allow_null=True)
    feedback = serializers.SerializerMethodField()

    def get_feedback(self, queue: Queue) -> None:
        """Nothing yet: the right answer to practice."""
