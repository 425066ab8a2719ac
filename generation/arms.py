"""Arms: made once of a recipe and its checkpoints, checked against what is known about these, never changed."""

from importlib.util import find_spec

from django.contrib.auth.models import User

from generation.diffusion.recipes import Guidance, InvalidRecipe, Reads, Recipe
from generation.models import RESERVED_ARM_NAMES, Arm, Checkpoint

# These settings have columns of their own; the others are kept as a document.
COLUMNS = ("guidance", "scale", "sampler")


class InvalidArm(Exception):
    """These checkpoints and this guidance do not make an arm; the message says why."""


def create_arm(
    *,
    owner: User | None,
    name: str,
    denoiser: Checkpoint,
    classifier: Checkpoint | None = None,
    recipe: Recipe | None = None,
    class_conditional: bool | None = None,
) -> Arm:
    """Return the owner's arm of this name and make, new if there is none yet.

    class_conditional: whether the denoiser is told the class; by default wherever it can be.
    """
    recipe = recipe or Recipe()
    told = denoiser.takes_labels if class_conditional is None else class_conditional
    arm = Arm(
        owner=owner,
        name=name.strip(),
        denoiser=denoiser,
        guidance=Arm.Guidance(recipe.guidance.value),
        classifier=classifier,
        scale=recipe.scale,
        class_conditional=told,
        sampler=Arm.Sampler(recipe.sampler.value),
        settings={key: value for key, value in recipe.settings().items() if key not in COLUMNS},
    )
    check_arm(arm)
    made, _ = Arm.objects.get_or_create(
        owner=owner,
        name=arm.name,
        source=Arm.Source.GENERATED,
        denoiser=denoiser,
        guidance=arm.guidance,
        classifier=classifier,
        scale=arm.scale,
        class_conditional=told,
        sampler=arm.sampler,
        settings=arm.settings,
    )
    return made


def recipe_of(arm: Arm) -> Recipe:
    """Return the recipe of an arm that generates. Raises InvalidArm if its row holds none."""
    try:
        columns = {"guidance": arm.guidance, "scale": arm.scale, "sampler": arm.sampler}
        return Recipe.from_settings({**columns, **arm.settings})
    except InvalidRecipe as error:
        raise InvalidArm(f'Arm "{arm.name}": {error}') from error


def class_labels_of(arm: Arm) -> list[str]:
    """Return the texts of the classes an arm can be asked for: the denoiser's, or else its classifier's."""
    known = [checkpoint.class_labels for checkpoint in (arm.denoiser, arm.classifier) if checkpoint is not None]
    return next((list(labels) for labels in known if labels), [])


def check_arm(arm: Arm) -> None:
    """Raise InvalidArm, with a sentence, if this arm cannot make images."""
    if not arm.name:
        raise InvalidArm("An arm has no name; give it one that you will recognise in the results.")
    if arm.name in RESERVED_ARM_NAMES:
        raise InvalidArm(f'No arm can be called "{arm.name}": results have a column of that name. Choose another.')
    if arm.denoiser is None:
        raise InvalidArm(f'Arm "{arm.name}" was made elsewhere; only arms with a denoiser can generate images.')
    _check_denoiser(arm, arm.denoiser)
    for checkpoint in filter(None, (arm.denoiser, arm.classifier)):
        _check_extra(checkpoint, arm=arm.name)
    recipe = recipe_of(arm)
    if recipe.needs_classifier and arm.classifier is None:
        raise InvalidArm(f'Arm "{arm.name}" is to be guided by a classifier; choose which.')
    if arm.classifier is not None:
        if not recipe.needs_classifier:
            raise InvalidArm(
                f'Arm "{arm.name}" has a classifier, but its guidance is "{arm.guidance}"; '
                "choose classifier guidance, or no classifier."
            )
        _check_classifier(arm.classifier, arm.denoiser, arm=arm.name)
        _check_reading(arm.classifier, arm.denoiser, recipe=recipe, arm=arm.name)


def _check_denoiser(arm: Arm, denoiser: Checkpoint) -> None:
    if denoiser.role != Checkpoint.Role.DENOISER:
        raise InvalidArm(f'Arm "{arm.name}": checkpoint "{denoiser}" is a {denoiser.role}, not a denoiser.')
    if arm.class_conditional and not denoiser.takes_labels:
        raise InvalidArm(
            f'Arm "{arm.name}": denoiser "{denoiser}" is unconditional, so it cannot be told a class; '
            "let the arm sample without one."
        )
    if not arm.class_conditional and denoiser.takes_labels and denoiser.null_class is None:
        raise InvalidArm(
            f'Arm "{arm.name}": denoiser "{denoiser}" was trained without a null class, '
            "so it cannot sample without a class."
        )
    if arm.guidance == Guidance.CLASSIFIER_FREE:
        if denoiser.null_class is None:
            raise InvalidArm(
                f'Arm "{arm.name}": classifier-free guidance needs a denoiser with a null class, '
                f'and "{denoiser}" has none.'
            )
        if not arm.class_conditional:
            raise InvalidArm(f'Arm "{arm.name}": classifier-free guidance tells the denoiser the class; let it.')


def _check_extra(checkpoint: Checkpoint, *, arm: str) -> None:
    # Found, not imported: the web process does without torch.
    if checkpoint.extra and find_spec(checkpoint.extra) is None:
        raise InvalidArm(
            f'Arm "{arm}": checkpoint "{checkpoint}" needs the optional extra {checkpoint.extra}, which is not '
            "installed; run: pip install -r requirements-extras.txt"
        )


def _check_classifier(classifier: Checkpoint, denoiser: Checkpoint, *, arm: str) -> None:
    if classifier.role != Checkpoint.Role.CLASSIFIER:
        raise InvalidArm(f'Arm "{arm}": checkpoint "{classifier}" is a {classifier.role}, not a classifier.')
    # An off-the-shelf classifier resizes what it is shown.
    if not classifier.facts.get("resizes") and classifier.image_size != denoiser.image_size:
        raise InvalidArm(
            f'Arm "{arm}": classifier "{classifier}" takes images of {classifier.image_size} px, '
            f'denoiser "{denoiser}" makes {denoiser.image_size} px.'
        )
    if not classifier.class_labels and not denoiser.class_labels:
        raise InvalidArm(f'Arm "{arm}": neither "{classifier}" nor "{denoiser}" has classes to ask for.')
    # A classifier without labels of its own (image and text) takes the denoiser's; an unconditional denoiser has none.
    if classifier.class_labels and denoiser.class_labels and classifier.class_labels != denoiser.class_labels:
        raise InvalidArm(
            f'Arm "{arm}": the class labels of classifier "{classifier}" are not those of denoiser "{denoiser}": '
            f"{_first_difference(classifier.class_labels, denoiser.class_labels)}."
        )
    if classifier.takes_timestep and classifier.timesteps != denoiser.timesteps:
        raise InvalidArm(
            f'Arm "{arm}": classifier "{classifier}" counts {classifier.timesteps} timesteps, '
            f'denoiser "{denoiser}" {denoiser.timesteps}.'
        )


def _check_reading(classifier: Checkpoint, denoiser: Checkpoint, *, recipe: Recipe, arm: str) -> None:
    if recipe.reads is Reads.X_T and denoiser.facts.get("latent"):
        raise InvalidArm(
            f'Arm "{arm}": denoiser "{denoiser}" works on latents, which a classifier of images cannot read; '
            "let the classifier read x_0."
        )
    if recipe.softplus_beta is not None and classifier.facts.get("relus", 1) == 0:
        raise InvalidArm(
            f'Arm "{arm}": classifier "{classifier}" has no ReLU, so Softplus has nothing to replace; '
            "leave softplus_beta empty."
        )


def _first_difference(ours: list[str], theirs: list[str]) -> str:
    if len(ours) != len(theirs):
        return f"{len(ours)} against {len(theirs)} classes"
    index = next(i for i, (one, other) in enumerate(zip(ours, theirs, strict=True)) if one != other)
    return f'class {index} is "{ours[index]}" there and "{theirs[index]}" here'
