"""Batches made elsewhere: checked whole, then stored whole, or not at all."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from generation.archives import opened
from generation.image_folders import read_image_folder
from generation.images import MadeWith, Png, encode_png, remove_files, save_pngs
from generation.models import Arm, Batch, Image
from generation.sample_arrays import read_sample_arrays
from generation.stimuli import InvalidUpload, Source, Upload, check_pairs

__all__ = ["InvalidUpload", "Upload", "import_batch"]


def import_batch(
    uploads: Sequence[Upload],
    *,
    owner: User | None,
    name: str,
    arms: Sequence[str] = (),
    class_texts: Sequence[str] = (),
    on_image: Callable[[int, int], None] = lambda done, wanted: None,
) -> Batch:
    """Store one zip of images with its metadata, or one `.npz` an arm, as a complete batch.

    `arms`: the names to expect, if the researcher says. `class_texts`: texts of the labels 0, 1, 2, ... of arrays.
    Raises InvalidUpload, with nothing stored, if anything is wrong anywhere.
    """
    if not name.strip():
        raise InvalidUpload("The batch has no name; give it one that you will recognise.")
    with ExitStack() as files, TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        source = _source(uploads, class_texts=class_texts, files=files)
        check_pairs(source.stimuli, arms=arms)
        # Decoding takes long, so it comes before the transaction: no rater's vote waits for it.
        sizes = _spool(source, Path(folder), on_image=on_image)
        return _store(source, _spooled(Path(folder), sizes), owner=owner, name=name.strip())


def _source(uploads: Sequence[Upload], *, class_texts: Sequence[str], files: ExitStack) -> Source:
    kinds = {PurePath(upload.name).suffix.lower() for upload in uploads}
    if kinds == {".zip"} and len(uploads) == 1:
        return read_image_folder(files.enter_context(opened(uploads[0])), name=uploads[0].name)
    if kinds == {".npz"}:
        return read_sample_arrays(uploads, class_texts=class_texts, files=files)
    names = ", ".join(upload.name for upload in uploads) or "nothing"
    raise InvalidUpload(f"Upload either one .zip with images and metadata, or one .npz an arm; this was {names}.")


def _spool(source: Source, folder: Path, *, on_image: Callable[[int, int], None]) -> list[tuple[int, int]]:
    sizes: list[tuple[int, int]] = []
    of_pair: dict[tuple[int, int], int] = {}
    for position, (stimulus, pixels) in enumerate(zip(source.stimuli, source.pixels, strict=True)):
        png = encode_png(pixels)
        sizes.append((png.width, png.height))
        first = of_pair.setdefault(stimulus.pair, position)
        if sizes[first] != sizes[position]:
            width, height = sizes[first]
            raise InvalidUpload(
                f"{stimulus.where}: the image is {png.width} x {png.height}, its partner "
                f"({source.stimuli[first].where}) {width} x {height}; sizes must agree within a pair."
            )
        (folder / str(position)).write_bytes(png.data)
        on_image(position + 1, len(source.stimuli))
    return sizes


def _spooled(folder: Path, sizes: Sequence[tuple[int, int]]) -> Iterator[Png]:
    for position, (width, height) in enumerate(sizes):
        yield Png((folder / str(position)).read_bytes(), width, height)


def _store(source: Source, pngs: Iterator[Png], *, owner: User | None, name: str) -> Batch:
    images: list[Image] = []
    try:
        with transaction.atomic():
            batch = _batch(source, owner=owner, name=name)
            arms = {arm: _arm(arm, owner=owner) for arm in dict.fromkeys(row.arm for row in source.stimuli)}
            batch.arms.set(arms.values())
            images = Image.objects.bulk_create(
                [
                    Image(
                        batch=batch,
                        arm=arms[row.arm],
                        class_index=row.class_index,
                        seed=row.seed,
                        original_name=row.original_name[-300:],
                    )
                    for row in source.stimuli
                ],
                batch_size=1000,
            )
            save_pngs(zip(images, pngs, strict=True), made_with=MadeWith())
    except BaseException:
        # Their rows are gone with the transaction.
        remove_files(images)
        raise
    return batch


def _batch(source: Source, *, owner: User | None, name: str) -> Batch:
    return Batch.objects.create(
        owner=owner,
        name=name,
        source=Batch.Source.UPLOADED,
        status=Batch.Status.COMPLETE,
        class_table={str(index): text for index, text in source.class_table.items()},
        precision="",
        finished_at=timezone.now(),
    )


def _arm(name: str, *, owner: User | None) -> Arm:
    known = Arm.objects.filter(owner=owner, name=name, source=Arm.Source.UPLOADED).first()
    return known or Arm.objects.create(owner=owner, name=name, source=Arm.Source.UPLOADED)
