"""Arms: made once, checked against what is known about their checkpoints, never changed."""

import math

from django.contrib.auth.models import User

from generation.models import RESERVED_ARM_NAMES, Arm, Checkpoint

# Published scales end at 10; what lies beyond 100 is a slip of the keyboard.
LARGEST_SCALE = 100.0


class InvalidArm(Exception):
    """These checkpoints and this guidance do not make an arm; the message says why."""


def create_arm(
    *,
    owner: User | None,
    name: str,
    denoiser: Checkpoint,
    classifier: Checkpoint | None = None,
    scale: float = 0.0,
    class_conditional: bool = True,
) -> Arm:
    """Return the owner's arm of this name and make, new if there is none yet."""
    guidance = Arm.Guidance.NONE if classifier is None else Arm.Guidance.CLASSIFIER
    arm = Arm(
        owner=owner,
        name=name.strip(),
        denoiser=denoiser,
        guidance=guidance,
        classifier=classifier,
        scale=scale,
        class_conditional=class_conditional,
    )
    check_arm(arm)
    made, _ = Arm.objects.get_or_create(
        owner=owner,
        name=arm.name,
        source=Arm.Source.GENERATED,
        denoiser=denoiser,
        guidance=guidance,
        classifier=classifier,
        scale=scale,
        class_conditional=class_conditional,
    )
    return made


def check_arm(arm: Arm) -> None:
    """Raise InvalidArm, with a sentence, if this arm cannot make images."""
    if not arm.name:
        raise InvalidArm("An arm has no name; give it one that you will recognise in the results.")
    if arm.name in RESERVED_ARM_NAMES:
        raise InvalidArm(f'No arm can be called "{arm.name}": results have a column of that name. Choose another.')
    if arm.denoiser is None:
        raise InvalidArm(f'Arm "{arm.name}" was made elsewhere; only arms with a denoiser can generate images.')
    if arm.denoiser.role != Checkpoint.Role.DENOISER:
        raise InvalidArm(f'Arm "{arm.name}": checkpoint "{arm.denoiser}" is a {arm.denoiser.role}, not a denoiser.')
    if not arm.class_conditional and arm.denoiser.null_class is None:
        raise InvalidArm(
            f'Arm "{arm.name}": denoiser "{arm.denoiser}" was trained without a null class, '
            "so it cannot sample without a class."
        )
    if not math.isfinite(arm.scale) or not 0 <= arm.scale <= LARGEST_SCALE:
        raise InvalidArm(f'Arm "{arm.name}": the scale is {arm.scale}; choose one from 0 to {LARGEST_SCALE:g}.')
    if arm.classifier is not None:
        _check_classifier(arm.classifier, arm.denoiser, arm=arm.name)


def _check_classifier(classifier: Checkpoint, denoiser: Checkpoint, *, arm: str) -> None:
    if classifier.role != Checkpoint.Role.CLASSIFIER:
        raise InvalidArm(f'Arm "{arm}": checkpoint "{classifier}" is a {classifier.role}, not a classifier.')
    if not (classifier.noise_trained and classifier.takes_timestep):
        raise InvalidArm(
            f'Arm "{arm}": classifier "{classifier}" was not trained on noised images with the timestep; '
            "guidance on x_t needs one that was."
        )
    if classifier.image_size != denoiser.image_size:
        raise InvalidArm(
            f'Arm "{arm}": classifier "{classifier}" takes images of {classifier.image_size} px, '
            f'denoiser "{denoiser}" makes {denoiser.image_size} px.'
        )
    if classifier.class_labels != denoiser.class_labels:
        raise InvalidArm(
            f'Arm "{arm}": the class labels of classifier "{classifier}" are not those of denoiser "{denoiser}".'
        )
    if classifier.timesteps != denoiser.timesteps:
        raise InvalidArm(
            f'Arm "{arm}": classifier "{classifier}" counts {classifier.timesteps} timesteps, '
            f'denoiser "{denoiser}" {denoiser.timesteps}.'
        )
