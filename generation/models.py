"""What the generation app remembers: checkpoints, arms, batches, their chunks, images, other long work, scores."""

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
        FEATURES = "features", "Feature network"

    class Head(models.TextChoices):
        SOFTMAX = "softmax", "One class of many"
        SIGMOID = "sigmoid", "Attributes"

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
    takes_labels = models.BooleanField(default=True, help_text="Whether a denoiser is told the class.")
    head = models.CharField(max_length=20, choices=Head, default=Head.SOFTMAX, help_text="What logits mean.")
    schedule = models.CharField(max_length=30, default="linear")
    timesteps = models.PositiveIntegerField(default=1000)
    # Two facts, because the word 'robust' means the first in one line of papers and the second in another.
    noise_trained = models.BooleanField(default=False)
    takes_timestep = models.BooleanField(default=False)
    adversarial = models.JSONField(
        null=True, help_text="Norm, eps, steps and step size of adversarial training, or nothing."
    )
    extra = models.CharField(max_length=30, blank=True, help_text="The optional extra that loading it needs.")
    facts = models.JSONField(default=dict, help_text="What else inspection found, and loading it again needs.")
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
        CLASSIFIER = "classifier", "A classifier"
        CLASSIFIER_FREE = "classifier_free", "Classifier-free"

    class Sampler(models.TextChoices):
        DDPM = "ddpm", "DDPM"
        DDIM = "ddim", "DDIM"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="arms")
    name = models.CharField(max_length=60)
    source = models.CharField(max_length=20, choices=Source, default=Source.GENERATED)
    denoiser = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, related_name="denoiser_arms")
    class_conditional = models.BooleanField(default=True, help_text="Off: the denoiser is given its null class.")
    guidance = models.CharField(max_length=20, choices=Guidance, default=Guidance.NONE)
    classifier = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, related_name="classifier_arms")
    scale = models.FloatField(default=0.0)
    sampler = models.CharField(max_length=20, choices=Sampler, default=Sampler.DDPM)
    settings = models.JSONField(default=dict, help_text="The rest of its recipe, where it differs from the default.")
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
                condition=Q(guidance__in=("none", "classifier_free"), classifier__isnull=True)
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

    class Precision(models.TextChoices):
        FLOAT32 = "float32", "float32"
        BFLOAT16 = "bfloat16", "bfloat16"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="batches")
    name = models.CharField(max_length=100)
    source = models.CharField(max_length=20, choices=Source, default=Source.GENERATED)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    arms = models.ManyToManyField(Arm, related_name="batches")
    class_table = models.JSONField(default=dict, help_text="Class index (as text, because JSON) -> label.")
    combined_classes = models.JSONField(
        default=dict, help_text="Class index (as text) -> the classes that are requested at once under it."
    )
    steps = models.PositiveIntegerField(null=True, help_text="Sampling steps, of the checkpoint's timesteps.")
    # Arithmetic depends on a forward's number of rows: recorded, so that the same bytes can be made again.
    forward_rows = models.PositiveIntegerField(null=True)
    precision = models.CharField(max_length=20, choices=Precision, default=Precision.FLOAT32)
    compile_mode = models.CharField(max_length=30, blank=True, help_text="torch.compile's mode; empty: not compiled.")
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
    def class_labels(self) -> list[str]:
        """The texts of all the classes that its arms know, in the order of their indices; empty for uploads."""
        for arm in self.arms.select_related("denoiser", "classifier"):
            for checkpoint in (arm.denoiser, arm.classifier):
                if checkpoint is not None and checkpoint.class_labels:
                    return list(checkpoint.class_labels)
        return []

    def requested(self, class_index: int) -> tuple[int, ...]:
        """Return the classes that are requested at once under this index: mostly itself alone."""
        return tuple(self.combined_classes.get(str(class_index), (class_index,)))

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


class Work(models.Model):
    """One piece of long work besides making images: a scoring, a figure, a training, a reproduction, a registration."""

    class Kind(models.TextChoices):
        SCORING = "scoring", "Scores"
        FIGURE = "figure", "Figure"
        TRAINING = "training", "Training"
        REPRODUCTION = "reproduction", "Reproduction"
        REGISTRATION = "registration", "Checkpoint"

    class Status(models.TextChoices):
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        CANCELLED = "cancelled", "Cancelled"

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="works")
    kind = models.CharField(max_length=20, choices=Kind)
    title = models.CharField(max_length=200)
    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, null=True, related_name="works")
    options = models.JSONField(default=dict)
    status = models.CharField(max_length=20, choices=Status, default=Status.QUEUED)
    claimed_by = models.CharField(max_length=100, blank=True)
    lease_until = models.DateTimeField(null=True, help_text="As a chunk's.")
    attempts = models.PositiveIntegerField(default=0)
    done_units = models.PositiveIntegerField(default=0)
    all_units = models.PositiveIntegerField(default=0, help_text="0: not known yet.")
    note = models.CharField(max_length=300, blank=True, help_text="What it is doing, or what came out, in a line.")
    problem = models.TextField(blank=True, help_text="Why it failed, in a sentence.")
    files = models.JSONField(default=list, help_text="Results: name, stored name and content type of each.")
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ("-created_at", "-pk")

    def __str__(self) -> str:
        return self.title

    @property
    def is_unfinished(self) -> bool:
        """Tell whether a worker still has something to do here."""
        return self.status in {self.Status.QUEUED, self.Status.RUNNING}

    @property
    def share(self) -> float:
        """How much of it is done, from 0 to 1."""
        return self.done_units / self.all_units if self.all_units else 0.0


class Score(models.Model):
    """One metric of one arm in one batch, with the number of images it was measured on."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="scores")
    arm = models.ForeignKey(Arm, on_delete=models.PROTECT, related_name="scores")
    work = models.ForeignKey(Work, on_delete=models.SET_NULL, null=True, related_name="scores")
    metric = models.CharField(max_length=60)
    value = models.FloatField(null=True)
    problem = models.TextField(blank=True, help_text="Why there is no value, in a sentence.")
    n = models.PositiveIntegerField()
    n_reference = models.PositiveIntegerField(null=True)
    class_index = models.PositiveIntegerField(null=True, help_text="Of this class only; empty: of all.")
    level = models.PositiveIntegerField(null=True, help_text="At this timestep only; empty: of all, or of none.")
    features = models.CharField(max_length=100, blank=True)
    reference = models.CharField(max_length=200, blank=True)
    judge = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, null=True, related_name="scores")
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ("batch_id", "metric", "class_index", "level", "arm_id", "-created_at", "-pk")
        constraints = (
            models.CheckConstraint(
                name="score_has_a_value_or_a_problem",
                condition=Q(value__isnull=False, problem="") | (Q(value__isnull=True) & ~Q(problem="")),
            ),
        )
        indexes = (models.Index(name="scores_of_a_batch", fields=("batch", "metric")),)

    def __str__(self) -> str:
        return f"{self.metric} of arm {self.arm_id} in batch {self.batch_id}"
