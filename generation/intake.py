"""Intake: asking a worker to inspect and register what lies in the checkpoint folder."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.models import User

from generation.checkpoint_files import NotInFolder, path_in_folder
from generation.models import Checkpoint, Work
from generation.works import create_work


class InvalidRegistration(Exception):
    """This cannot be registered; the message says why."""


def create_registration(
    *,
    owner: User | None,
    path: str,
    name: str = "",
    said: Mapping[str, Any] | None = None,  # Any: what JSON can hold
    role: str = "",
    queue: bool = True,
) -> Work:
    """Queue the registration of a file or folder, called after it if without a name. Raises InvalidRegistration.

    said: what the weights don't say of themselves, as `diffusion.facts.Options` stores it. role: what they must be.
    """
    try:
        inside = path_in_folder(path)
    except NotInFolder as error:
        raise InvalidRegistration(str(error)) from error
    name = name.strip() or (inside.name if inside.is_dir() else inside.stem)
    if len(name) > NAME_LENGTH:
        raise InvalidRegistration(f"The name has {len(name)} characters; give it one of at most {NAME_LENGTH}.")
    if Checkpoint.objects.filter(name=name).exists():
        raise InvalidRegistration(f'A checkpoint is called "{name}" already; choose another name.')
    if role and role not in Checkpoint.Role.values:
        raise InvalidRegistration(f'There is no role "{role}"; choose one of {", ".join(Checkpoint.Role.values)}.')
    options = {"path": path, "name": name, "said": dict(said or {}), "role": role}
    kind, title = Work.Kind.REGISTRATION, f"Register {name}"
    return create_work(owner=owner, kind=kind, title=title, options=options, queue=queue)


NAME_LENGTH = 100
