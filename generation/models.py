"""What the generation app remembers: checkpoints, arms, batches, their chunks of work, and images."""

from datetime import datetime

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone


class Checkpoint(models.Model):
    """A weights file: its sha256, what it is and how it was trained. Facts are written by a process that has torch."""

    class Role(models.TextChoices):
        DENOISER = "denoiser", "Denoiser"
        CLASSIFIER = "classifier", "Classifier"

    name = models.CharField(max_length=100, unique=True)
    role = models.CharField(max_length=20, choices=Role)
    path = models.CharField(max_length=500, help_text="Absolute, or relative to the project's folder.")
    sha256 = models.CharField(max_length=64, unique=True)
    architecture = models.CharField(max_length=50)
    image_size = models.PositiveIntegerField()
    class_labels = models.JSONField(default=list, help_text="Texts of classes 0, 1, 2, ...")
    null_class = models.PositiveIntegerField(
        null=True, help_text="Index that means 'no class', if the denoiser knows one."
    )
    timesteps = models.PositiveIntegerField(default=1000)
    # Two facts, because the word 'robust' means the first in one line of papers and the second in another.
    noise_trained = models.BooleanField(default=False)
    takes_timestep = models.BooleanField(default=False)
    adversarial = models.JSONField(
        null=True, help_text="Norm, eps, steps and step size of adversarial training, or nothing."
    )
    registered_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name",)

    def __str__(self) -> str:
        return self.name


# Columns of every result stand under these names.
RESERVED_ARM_NAMES = ("same", "no_preference")


class Arm(models.Model):
    """One way to make an image. Rows are never changed: another scale is another arm."""

    class Source(models.TextChoices):
        GENERATED = "generated", "Generated here"
        UPLOADED = "uploaded", "Made elsewhere"

    class Guidance(models.TextChoices):
        NONE = "none", "None"
        CLASSIFIER = "classifier", "Classifier on x_t"

    class Sampler(models.TextChoices):
        DDPM = "ddpm", "DDPM"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="arms")
    name = models.CharField(max_length=60)
    source = models.CharField(max_length=20, choices=Source, default=Source.GENERATED)
    denoiser = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, related_name="denoiser_arms")
    class_conditional = models.BooleanField(default=True, help_text="Off: the denoiser is given its null class.")
    guidance = models.CharField(max_length=20, choices=Guidance, default=Guidance.NONE)
    classifier = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, related_name="classifier_arms")
    scale = models.FloatField(default=0.0)
    sampler = models.CharField(max_length=20, choices=Sampler, default=Sampler.DDPM)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("name", "pk")
        constraints = (
            models.CheckConstraint(name="arm_name_is_not_reserved", condition=~Q(name__in=RESERVED_ARM_NAMES)),
            models.CheckConstraint(
                name="arm_has_a_denoiser_iff_generated",
                condition=Q(source="generated", denoiser__isnull=False) | Q(source="uploaded", denoiser__isnull=True),
            ),
            models.CheckConstraint(
                name="arm_has_a_classifier_iff_guided",
                condition=Q(guidance="none", classifier__isnull=True)
                | Q(guidance="classifier", classifier__isnull=False),
            ),
        )

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """One generation run or one upload: classes x seeds x arms, with its class table."""

    class Source(models.TextChoices):
        GENERATED = "generated", "Generated here"
        UPLOADED = "uploaded", "Uploaded"
        IMPORTED = "imported", "Imported with its votes"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        COMPLETE = "complete", "Complete"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="batches")
    name = models.CharField(max_length=100)
    source = models.CharField(max_length=20, choices=Source, default=Source.GENERATED)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    arms = models.ManyToManyField(Arm, related_name="batches")
    class_table = models.JSONField(default=dict, help_text="Class index (as text, because JSON) -> label.")
    steps = models.PositiveIntegerField(null=True, help_text="Sampling steps, of the checkpoint's timesteps.")
    # Arithmetic depends on a forward's number of rows: recorded, so that the same bytes can be made again.
    forward_rows = models.PositiveIntegerField(null=True)
    precision = models.CharField(max_length=20, default="float32")
    problem = models.TextField(blank=True, help_text="Why it failed, in a sentence.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.name

    def label_of(self, class_index: int) -> str:
        """Return the text shown for a class of this batch."""
        return str(self.class_table[str(class_index)])

    @property
    def is_unfinished(self) -> bool:
        """Tell whether a worker still has something to do here."""
        return self.status in {self.Status.QUEUED, self.Status.RUNNING}


class Chunk(models.Model):
    """A few pairs of a batch that one task makes in one forward; claimed by a conditional UPDATE."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="chunks")
    position = models.PositiveIntegerField()
    claimed_by = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, help_text="Lengthened by the worker's heartbeat.")
    steps_done = models.PositiveIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("batch_id", "position")
        constraints = (models.UniqueConstraint(name="one_chunk_a_position", fields=("batch", "position")),)
        indexes = (models.Index(name="chunks_not_done", fields=("lease_until",), condition=Q(done_at__isnull=True)),)

    def __str__(self) -> str:
        return f"{self.batch_id}/{self.position}"

    def is_free_at(self, now: datetime) -> bool:
        """Tell whether no living worker holds this chunk."""
        return self.done_at is None and (self.lease_until is None or self.lease_until < now)


class Image(models.Model):
    """One stimulus. The row exists from the start; `name` and the facts about its bytes come when it is made."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="images")
    chunk = models.ForeignKey(Chunk, on_delete=models.CASCADE, null=True, related_name="images")
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="images")
    class_index = models.PositiveIntegerField()
    seed = models.BigIntegerField()
    name = models.CharField(
        max_length=80, blank=True, help_text="Opaque name in storage; empty until the file is there."
    )
    sha256 = models.CharField(max_length=64, blank=True)
    n_bytes = models.PositiveIntegerField(default=0)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    noise_sha256 = models.CharField(max_length=64, blank=True, help_text="sha256 of x_T as little-endian float32.")
    torch_version = models.CharField(max_length=40, blank=True)
    device = models.CharField(max_length=80, blank=True)
    precision = models.CharField(max_length=20, blank=True)
    original_name = models.CharField(max_length=300, blank=True, help_text="File name in the researcher's upload.")

    class Meta:
        ordering = ("batch_id", "class_index", "seed", "arm_id")
        constraints = (
            models.UniqueConstraint(name="one_image_a_stimulus", fields=("batch", "arm", "class_index", "seed")),
            models.UniqueConstraint(name="one_image_a_name", fields=("name",), condition=~Q(name="")),
            models.CheckConstraint(
                name="image_file_and_facts_together",
                condition=Q(name="", sha256="", n_bytes=0)
                | (~Q(name="") & ~Q(sha256="") & Q(n_bytes__gt=0, width__gt=0, height__gt=0)),
            ),
        )

    def __str__(self) -> str:
        return f"{self.batch_id}: class {self.class_index}, seed {self.seed}, arm {self.arm_id}"

    @property
    def is_made(self) -> bool:
        """Tell whether the file is there."""
        return self.name != ""
