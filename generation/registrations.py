"""Registrations: a worker inspects what lies in the checkpoint folder, so that the web process need not have torch."""

from generation.checkpoint_files import NotInFolder, path_in_folder
from generation.checkpoints import register_checkpoint
from generation.diffusion.facts import Options
from generation.holds import Hold, Report, WorkImpossible


def register(hold: Hold, report: Report) -> None:
    """Register the file or folder that the work names."""
    options = hold.work.options
    try:
        path = path_in_folder(str(options["path"]))
    except NotInFolder as error:
        raise WorkImpossible(str(error)) from error
    report(0, 1, f"inspecting {options['path']}")
    try:
        said = Options.of(options.get("said") or {})
    except (TypeError, ValueError) as error:
        raise WorkImpossible(f"What is said of {options['path']} can't be read: {error}.") from error
    checkpoint = register_checkpoint(
        path, name=options.get("name") or None, options=said, role=options.get("role") or None
    )
    # Known by its sha256 already: then it keeps the name it has.
    again = "" if checkpoint.name == options.get("name") else ", which was registered already"
    hold.finish(note=f"{checkpoint.get_role_display()} {checkpoint.name}{again}")
