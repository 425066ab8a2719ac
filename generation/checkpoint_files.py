"""Checkpoint files: what lies in the installation's checkpoint folder. Names only: a worker finds out what it is."""

from pathlib import Path

from django.conf import settings

ENDINGS = (".safetensors", ".pt", ".pth", ".pkl")
# A folder of weights has this beside them, as the libraries of the hub write it.
FOLDER_MARKS = ("config.json", "model_index.json")
DEEPEST = 4


class NotInFolder(Exception):
    """The checkpoint folder has no such thing; the message says what to do."""


def registrable() -> list[str]:
    """Return what lies in the checkpoint folder, as paths within it: weights files, and folders with a config."""
    folder: Path = settings.CHECKPOINT_DIR
    return sorted(str(path.relative_to(folder)) for path in _weights_in(folder, depth=DEEPEST))


def path_in_folder(path: str) -> Path:
    """Return where this is, if it is inside the checkpoint folder. Raises NotInFolder."""
    folder: Path = settings.CHECKPOINT_DIR.resolve()
    if not path.strip() or "\0" in path:
        raise NotInFolder("Name a file or folder of the checkpoint folder.")
    inside = (folder / path).resolve()
    if inside == folder or not inside.is_relative_to(folder):
        raise NotInFolder(f'"{path}" is not inside the checkpoint folder; only what lies there is registered.')
    if not inside.exists():
        raise NotInFolder(f'There is no "{path}" in the checkpoint folder; put it there first.')
    return inside


def _weights_in(folder: Path, *, depth: int) -> list[Path]:
    if not folder.is_dir():
        return []
    found: list[Path] = []
    for path in folder.iterdir():
        if path.is_dir():
            marked = any((path / mark).is_file() for mark in FOLDER_MARKS)
            found += [path] if marked else _weights_in(path, depth=depth - 1) if depth else []
        elif path.suffix in ENDINGS:
            found.append(path)
    return found
