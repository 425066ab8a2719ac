"""Uploads that are right become a complete batch of bare PNGs."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
from django.contrib.auth.models import User
from django.core.files.storage import FileSystemStorage, default_storage
from django.core.management import CommandError, call_command

from generation.images import read_bytes
from generation.models import Arm, Batch
from generation.uploads import Upload, import_batch
from tests.generation.upload_files import (
    LABELS,
    ROWS,
    csv_text,
    folder_files,
    jsonl_text,
    npz_of,
    picture,
    samples,
    zip_of,
)

pytestmark = pytest.mark.django_db


def pixels_of(batch: Batch, *, arm: str, seed: int) -> np.ndarray:
    image = batch.images.filter(arm__name=arm, seed=seed).order_by("class_index").first()
    assert image is not None
    return np.asarray(PIL.Image.open(BytesIO(read_bytes(image))))


def test_a_zip_becomes_a_complete_batch_of_pairs() -> None:
    batch = import_batch([zip_of(folder_files())], owner=None, name="mine")
    assert (batch.status, batch.source, batch.class_table) == ("complete", "uploaded", {"0": "cat", "1": "dog"})
    stored = batch.images.values_list("arm__name", "class_index", "seed", "original_name", "width", "height")
    expected = [(arm, int(label == "dog"), seed, name, 8, 6) for name, arm, label, seed in ROWS]
    assert sorted(stored) == sorted(expected)


def test_metadata_may_lie_in_one_folder_with_names_relative_to_it() -> None:
    batch = import_batch([zip_of(folder_files(folder="set/"))], owner=None, name="mine")
    assert batch.images.filter(original_name="set/old/cat-0.png").exists()


def test_json_lines_say_the_same_as_csv() -> None:
    files = folder_files()
    del files["metadata.csv"]
    batch = import_batch([zip_of({**files, "metadata.jsonl": jsonl_text(ROWS)})], owner=None, name="mine")
    assert batch.images.count() == 8


def test_a_table_saved_by_a_spreadsheet_is_read() -> None:
    files = {**folder_files(), "metadata.csv": "\ufeff" + csv_text(ROWS, newline="\r\n")}
    assert import_batch([zip_of(files)], owner=None, name="mine").images.count() == 8


def test_photographs_are_turned_upright_and_lose_their_metadata() -> None:
    exif = PIL.Image.Exif()
    exif[0x0112] = 6  # orientation: the camera lay on its side
    exif[0x010E] = "taken by Ada"
    buffer = BytesIO()
    PIL.Image.new("RGB", (8, 6), "red").save(buffer, "JPEG", exif=exif)
    pictures = {str(row[0]): buffer.getvalue() for row in ROWS}
    batch = import_batch([zip_of(folder_files(pictures=pictures))], owner=None, name="mine")
    image = batch.images.first()
    assert image is not None
    assert (image.width, image.height) == (6, 8)
    assert b"Ada" not in read_bytes(image)


def test_transparency_is_laid_on_white() -> None:
    buffer = BytesIO()
    PIL.Image.new("RGBA", (8, 6), (0, 0, 0, 0)).save(buffer, "PNG")
    batch = import_batch([zip_of(folder_files(pictures={"old/cat-0.png": buffer.getvalue()}))], owner=None, name="mine")
    assert pixels_of(batch, arm="old", seed=0).min() == 255


def test_arrays_are_paired_by_position_pixel_by_pixel() -> None:
    uploads = [npz_of("old.npz", samples(), LABELS), npz_of("x.npz", samples(shade=100), LABELS, arm="new")]
    batch = import_batch(uploads, owner=None, name="mine")
    assert batch.class_table == {"3": "class 3", "7": "class 7"}
    assert list(batch.images.filter(arm__name="new").order_by("seed").values_list("class_index", flat=True)) == [
        7,
        7,
        3,
        7,
    ]
    assert (pixels_of(batch, arm="new", seed=2) == samples(shade=100)[2]).all()


def test_arrays_take_their_class_names_from_a_list() -> None:
    uploads = [npz_of("old.npz", samples(), LABELS % 2), npz_of("new.npz", samples(), LABELS % 2)]
    batch = import_batch(uploads, owner=None, name="mine", class_texts=["cat", "dog"])
    assert batch.class_table == {"1": "dog"}


def test_stored_names_tell_nothing() -> None:
    batch = import_batch([zip_of(folder_files())], owner=None, name="mine")
    names = list(batch.images.values_list("name", flat=True))
    assert len(set(names)) == 8
    assert not any(word in name for name in names for word in ("old", "new", "cat", "dog"))


def test_a_researchers_arm_is_the_same_in_the_next_upload() -> None:
    ada, bob = User.objects.create_user("ada"), User.objects.create_user("bob")
    for owner in (ada, ada, bob):
        import_batch([zip_of(folder_files())], owner=owner, name="mine")
    assert Arm.objects.filter(owner=ada).count() == 2
    assert Arm.objects.filter(owner=bob).count() == 2


def test_images_are_made_known_one_by_one() -> None:
    seen: list[tuple[int, int]] = []
    import_batch([zip_of(folder_files())], owner=None, name="mine", on_image=lambda *at: seen.append(at))
    assert seen == [(at, 8) for at in range(1, 9)]


def test_a_failure_while_storing_leaves_no_row_and_no_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    write: Callable[[FileSystemStorage, str, object], str] = FileSystemStorage._save
    saved: list[str] = []

    def fills_up(disk: FileSystemStorage, name: str, content: object) -> str:
        if len(saved) == 5:
            raise OSError(28, "No space left on device")
        saved.append(name)
        return write(disk, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", fills_up)
    with pytest.raises(OSError, match="No space left"):
        import_batch([zip_of(folder_files())], owner=None, name="mine")
    assert not Batch.objects.exists()
    assert not any(default_storage.exists(name) for name in saved)


def test_the_command_prints_the_batch_last(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, shade in (("old.npz", 0), ("other.npz", 9)):
        np.savez(tmp_path / name, samples(shade=shade), LABELS)
    call_command("upload_batch", str(tmp_path / "old.npz"), "--arm", f"new={tmp_path / 'other.npz'}", "--name", "mine")
    batch = Batch.objects.get()
    assert capsys.readouterr().out.splitlines()[-1] == str(batch.pk)
    assert [arm.name for arm in batch.arms.all()] == ["new", "old"]


def test_the_command_refuses_in_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "pairs.zip"
    path.write_bytes(picture())
    with pytest.raises(CommandError, match=r"^pairs.zip is not a readable zip file: truncated, or of another type\.$"):
        call_command("upload_batch", str(path), "--name", "mine")
    with pytest.raises(CommandError, match=r"no.zip cannot be read or written: No such file or directory\.$"):
        call_command("upload_batch", str(tmp_path / "no.zip"), "--name", "mine")


def test_an_upload_reads_only_what_it_needs_of_a_file_object() -> None:
    good = zip_of(folder_files())
    import_batch([Upload("pairs.ZIP", good.file)], owner=None, name="mine")
    assert Batch.objects.get().images.count() == 8
