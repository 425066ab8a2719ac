"""Uploads with anything wrong are refused whole, in a sentence that names the file and the row."""

import struct
import zipfile
import zlib
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from django.conf import settings
from django.core.files.storage import default_storage

from generation.models import Arm, Batch, Image
from generation.uploads import InvalidUpload, Upload, import_batch
from tests.generation.upload_files import (
    COLUMNS,
    LABELS,
    ROWS,
    Row,
    csv_text,
    folder_files,
    jsonl_text,
    npz_of,
    picture,
    samples,
    zip_of,
)

pytestmark = pytest.mark.django_db


def refused(*uploads: Upload, arms: Sequence[str] = (), class_texts: Sequence[str] = ()) -> str:
    """Return the sentence, after proof that nothing stayed behind."""
    with pytest.raises(InvalidUpload) as error:
        import_batch(uploads, owner=None, name="mine", arms=arms, class_texts=class_texts)
    assert not Batch.objects.exists()
    assert not Image.objects.exists()
    assert not Arm.objects.exists()
    assert not default_storage.exists("images") or default_storage.listdir("images")[1] == []
    assert not any(path.is_dir() for path in settings.FILE_UPLOAD_TEMP_DIR.iterdir())
    return str(error.value)


def with_row(at: int, row: Row) -> Upload:
    """Return a good folder whose table says something else in one row (2 is the first)."""
    rows = [*ROWS[: at - 2], row, *ROWS[at - 1 :]]
    return zip_of({**folder_files(), "metadata.csv": csv_text(rows)})


def without(upload: Upload, share: float) -> Upload:
    data = upload.file.read()
    return Upload(upload.name, BytesIO(data[: int(len(data) * share)]))


def huge_png(width: int, height: int) -> bytes:
    """Return a small file whose header promises many pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"\0" * 100)
    chunks = (header, data, b"IEND")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks
    )


# --- the file as a whole ---


def test_a_file_of_another_type_is_refused() -> None:
    assert refused(Upload("cat.png", BytesIO(picture()))).endswith("this was cat.png.")
    assert refused(Upload("pairs.zip", BytesIO(picture()))).startswith("pairs.zip is not a readable zip file")
    assert refused(Upload("old.npz", BytesIO(b"")), npz_of("new.npz", samples(), LABELS)).startswith("old.npz is not a")


def test_an_upload_of_nothing_is_refused() -> None:
    assert refused().endswith("this was nothing.")
    assert "has no images" in refused(zip_of({"metadata.csv": csv_text([])}))


@pytest.mark.parametrize("share", [0.2, 0.6, 0.98])
def test_a_truncated_zip_is_refused(share: float) -> None:
    assert refused(without(zip_of(folder_files()), share)).startswith("pairs.zip is not a readable zip file: truncated")


def test_a_damaged_member_is_refused_by_row() -> None:
    files = folder_files(pictures={"old/dog-7.png": b"a" * 40})
    data = bytearray(zip_of({**files}).file.read())
    archive = zipfile.ZipFile(BytesIO(bytes(data)))
    info = archive.getinfo("old/dog-7.png")
    data[info.header_offset + 30 + len("old/dog-7.png")] ^= 0xFF
    assert refused(Upload("pairs.zip", BytesIO(bytes(data)))).startswith(
        'metadata.csv, row 5: "old/dog-7.png" cannot be'
    )


@pytest.mark.parametrize("path", ["../cat.png", "/etc/cat.png", "a/../../cat.png", "..\\cat.png"])
def test_an_entry_that_leaves_the_archive_is_refused(path: str) -> None:
    sentence = refused(zip_of({**folder_files(), path: picture()}))
    assert sentence.startswith(f"pairs.zip, entry {path!r}: ")
    assert "does not stay inside the archive" in sentence


def test_a_symbolic_link_is_refused() -> None:
    link = zipfile.ZipInfo("old/link.png")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    assert refused(zip_of({**folder_files(), link: "/etc/passwd"})).startswith(
        "pairs.zip, entry 'old/link.png': a symbolic link"
    )


def test_a_zip_bomb_is_refused_before_it_is_unpacked() -> None:
    sentence = refused(zip_of({**folder_files(), "old/bomb.png": b"\0" * 30_000_000}))
    assert sentence.startswith("pairs.zip, entry 'old/bomb.png': unpacks from ")


def test_too_many_files_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.archives.MOST_FILES", 8)
    assert refused(zip_of(folder_files())) == "pairs.zip holds 9 files; the most is 8."


def test_too_many_bytes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("generation.archives.MOST_BYTES", 500)
    assert refused(zip_of(folder_files())).startswith("pairs.zip would unpack to ")


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_an_entry_packed_twice_is_refused() -> None:
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for _ in range(2):
            archive.writestr("old/cat-0.png", picture())
    assert (
        refused(Upload("pairs.zip", buffer)) == "pairs.zip, entry 'old/cat-0.png': is in the archive twice; keep one."
    )


# --- the table ---


def test_a_zip_without_metadata_is_refused() -> None:
    assert refused(zip_of({"a.png": picture()})) == "pairs.zip has no metadata.csv or metadata.jsonl beside its images."


def test_two_tables_are_refused() -> None:
    sentence = refused(zip_of({**folder_files(), "metadata.jsonl": jsonl_text(ROWS)}))
    assert sentence.startswith("pairs.zip has more than one metadata file")


def test_a_table_in_another_encoding_is_refused_by_row() -> None:
    text = csv_text(ROWS).replace("dog", "hündin").encode("latin-1")
    assert refused(zip_of({**folder_files(), "metadata.csv": text})).startswith(
        "metadata.csv, row 4: is not UTF-8 text"
    )


@pytest.mark.parametrize("column", COLUMNS)
def test_a_missing_column_is_named(column: str) -> None:
    columns = [name if name != column else "other" for name in COLUMNS]
    sentence = refused(zip_of({**folder_files(), "metadata.csv": csv_text(ROWS, columns=columns)}))
    assert sentence.startswith(f'metadata.csv, row 1: there is no column "{column}"')


@pytest.mark.parametrize("row", [("old/dog-7.png", "old", "dog"), ("old/dog-7.png", "old", "dog", 7, 1)])
def test_a_row_with_too_few_or_too_many_cells_is_refused(row: Row) -> None:
    assert refused(with_row(5, row)).startswith("metadata.csv, row 5: has another number of cells")


def test_an_unclosed_quote_is_refused() -> None:
    sentence = refused(zip_of({**folder_files(), "metadata.csv": csv_text(ROWS) + '"open'}))
    assert sentence.startswith("metadata.csv, row 10: is not readable as CSV")


def test_broken_json_is_refused_by_row() -> None:
    files = folder_files()
    del files["metadata.csv"]
    lines = jsonl_text(ROWS).splitlines()
    for broken, words in (("{", "is not readable as JSON"), ("[1]", "is not an object"), ("[" * 9999, "as JSON")):
        table = "\n".join([*lines[:3], broken, *lines[4:]])
        sentence = refused(zip_of({**files, "metadata.jsonl": table}))
        assert sentence.startswith("metadata.jsonl, row 4: ")
        assert words in sentence


@pytest.mark.parametrize("seed", ["", "-1", "1.5", "one", "9" * 19, "9" * 99, "²"])
def test_a_bad_seed_is_refused_by_row(seed: str) -> None:
    sentence = refused(with_row(5, ("old/dog-7.png", "old", "dog", seed)))
    assert sentence.startswith(f'metadata.csv, row 5: seed "{seed[:40]}" is not a whole number')


def test_an_empty_arm_or_label_is_refused_by_row() -> None:
    assert refused(with_row(5, ("old/dog-7.png", " ", "dog", 7))).startswith("metadata.csv, row 5: the arm is empty")
    assert refused(with_row(5, ("old/dog-7.png", "old", "", 7))).startswith("metadata.csv, row 5: the label is empty")


def test_an_arm_named_like_a_column_of_the_results_is_refused_by_row() -> None:
    sentence = refused(with_row(5, ("old/dog-7.png", "same", "dog", 7)))
    assert sentence.startswith('metadata.csv, row 5: no arm can be called "same"')


def test_an_unknown_arm_is_refused_by_row() -> None:
    sentence = refused(with_row(5, ("old/dog-7.png", "odl", "dog", 7)), arms=["old", "new"])
    assert sentence == 'metadata.csv, row 5: unknown arm "odl"; the arms of this upload are old, new.'


def test_a_mistyped_arm_is_blamed_without_a_list_of_arms() -> None:
    sentence = refused(with_row(5, ("old/dog-7.png", "odl", "dog", 7)))
    assert sentence.startswith("metadata.csv, row ")
    assert 'not for arm "old"' in sentence or "first named in metadata.csv, row 5" in sentence


def test_a_single_arm_is_refused() -> None:
    assert refused(zip_of(folder_files(ROWS[:4]))).startswith('metadata.csv, row 2: "old" is the only arm')


def test_a_file_name_that_leaves_the_archive_is_refused_by_row() -> None:
    sentence = refused(with_row(5, ("../dog-7.png", "old", "dog", 7)))
    assert sentence.startswith('metadata.csv, row 5: "../dog-7.png" does not stay inside')


def test_a_missing_file_is_refused_by_row() -> None:
    sentence = refused(with_row(5, ("old/gone.png", "old", "dog", 7)))
    assert sentence == 'metadata.csv, row 5: "old/gone.png" is not in the archive.'


def test_a_file_that_no_row_names_is_refused() -> None:
    sentence = refused(zip_of({**folder_files(), "old/extra.png": picture()}))
    assert sentence == '"old/extra.png" is in the archive, but no row of metadata.csv names it.'


def test_a_file_named_twice_is_refused_by_row() -> None:
    sentence = refused(with_row(5, ("old/cat-0.png", "old", "dog", 7)))
    assert sentence == 'metadata.csv, row 5: "old/cat-0.png" was named before (metadata.csv, row 2).'


def test_a_stimulus_named_twice_is_refused_by_row() -> None:
    sentence = refused(with_row(5, ("old/dog-7.png", "old", "dog", 0)))
    assert sentence.startswith('metadata.csv, row 5: class "dog", seed 0 of arm "old" was named before')


def test_a_seed_without_its_partner_is_refused_by_row() -> None:
    sentence = refused(zip_of(folder_files(ROWS[:-1])))
    assert sentence.startswith('metadata.csv, row 5: class "dog", seed 7 is there for arm "old" but not for arm "new"')


# --- the images ---


def test_sizes_that_differ_within_a_pair_are_refused_by_row() -> None:
    sentence = refused(zip_of(folder_files(pictures={"new/cat-7.png": picture(size=(9, 6))})))
    assert sentence.startswith("metadata.csv, row 7: the image is 9 x 6, its partner (metadata.csv, row 3) 8 x 6")


@pytest.mark.parametrize(
    "data",
    [b"", b"not a picture", picture()[:50], picture(kind="JPEG")[:200], picture(kind="GIF")],
    ids=["empty", "text", "half a PNG", "half a JPEG", "GIF"],
)
def test_what_is_not_a_whole_picture_is_refused_by_row(data: bytes) -> None:
    sentence = refused(zip_of(folder_files(pictures={"new/cat-0.png": data})))
    assert sentence == 'metadata.csv, row 6: "new/cat-0.png" is not a whole PNG, JPEG, WebP or BMP picture.'


@pytest.mark.parametrize("side", [5_000, 12_000, 60_000])
def test_a_picture_that_unpacks_to_gigabytes_is_refused_by_row(side: int) -> None:
    sentence = refused(zip_of(folder_files(pictures={"new/cat-0.png": huge_png(side, side)})))
    assert sentence.startswith('metadata.csv, row 6: "new/cat-0.png" has ')
    assert "pixels" in sentence


def test_sixteen_bits_and_animations_are_refused_by_row() -> None:
    deep, moving = BytesIO(), BytesIO()
    PIL.Image.fromarray(np.zeros((6, 8), dtype=np.uint16)).save(deep, "PNG")
    frames = [PIL.Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    frames[0].save(moving, "PNG", save_all=True, append_images=frames[1:])
    for data in (deep.getvalue(), moving.getvalue()):
        sentence = refused(zip_of(folder_files(pictures={"new/cat-0.png": data})))
        assert sentence.startswith('metadata.csv, row 6: "new/cat-0.png" is not one picture with 8 bits a channel')


# --- arrays ---


def pair(other: Upload) -> tuple[Upload, Upload]:
    return npz_of("old.npz", samples(), LABELS), other


def test_labels_that_disagree_are_refused_by_row() -> None:
    sentence = refused(*pair(npz_of("new.npz", samples(), np.array([7, 7, 4, 7]))))
    assert sentence.startswith("new.npz, row 2: label 4, but 3 in old.npz")


def test_arrays_of_different_lengths_are_refused_by_row() -> None:
    sentence = refused(*pair(npz_of("new.npz", samples(3), LABELS[:3])))
    assert sentence == "old.npz, row 3: has no partner; new.npz ends after 3 images."
    assert refused(*pair(npz_of("new.npz", samples(3), LABELS))) == "new.npz: arr_0 has 3 images, arr_1 4 labels."


def test_arrays_of_different_sizes_are_refused() -> None:
    assert refused(*pair(npz_of("new.npz", samples(size=9), LABELS))).startswith("new.npz, row 0: images are (9, 9, 3)")


def test_one_array_alone_is_refused() -> None:
    assert refused(pair(Upload("", BytesIO()))[0]).startswith('old.npz, row 0: "old" is the only arm')


def test_two_arrays_of_one_arm_are_refused() -> None:
    assert refused(*pair(npz_of("more/old.npz", samples(), LABELS))).startswith(
        'more/old.npz: arm "old" was named before'
    )


def test_pickled_arrays_are_refused() -> None:
    evil = np.empty(4, dtype=object)
    assert "arr_1: is object (4,); it must be" in refused(*pair(npz_of("new.npz", samples(), evil)))


@pytest.mark.parametrize(
    ("images", "labels", "words"),
    [
        (samples().astype(np.float32), LABELS, "new.npz, arr_0: is float32"),
        (samples()[..., :1], LABELS, "new.npz, arr_0: is uint8 (4, 8, 8, 1)"),
        (np.asfortranarray(samples()), LABELS, "new.npz, arr_0: is stored column by column"),
        (samples(), LABELS.astype(float), "new.npz, arr_1: is float64 (4,)"),
        (samples(), LABELS - 8, "new.npz, arr_1, row 0: label -1 is not a class index"),
        (samples(), np.uint8(3), "new.npz, arr_1: has shape ()"),
    ],
)
def test_arrays_of_another_shape_or_type_are_refused(images: np.ndarray, labels: np.ndarray, words: str) -> None:
    assert refused(*pair(npz_of("new.npz", images, labels))).startswith(words)


def test_an_array_that_is_missing_is_refused() -> None:
    buffer = BytesIO()
    np.savez(buffer, samples())
    assert refused(*pair(Upload("new.npz", buffer))).startswith("new.npz has no arr_1")


def test_a_header_that_promises_more_than_there_is_is_refused_by_row() -> None:
    short = BytesIO()
    np.lib.format.write_array_header_1_0(short, {"descr": "|u1", "fortran_order": False, "shape": (4, 4000, 4000, 3)})
    labels = BytesIO()
    np.save(labels, LABELS)
    files = {"arr_0.npy": short.getvalue() + bytes(1000), "arr_1.npy": labels.getvalue()}
    twins = (zip_of(files, name="old.npz"), zip_of(files, name="new.npz"))
    assert refused(*twins).startswith('old.npz, row 0: "arr_0" cannot be read')


def test_a_label_without_a_name_is_refused() -> None:
    sentence = refused(*pair(npz_of("new.npz", samples(), LABELS)), class_texts=["cat", "dog", "cow", "owl"])
    assert sentence == "Label 7 has no text: the list of classes has 4 lines."


def test_archive_and_arrays_together_are_refused() -> None:
    assert "this was pairs.zip, old.npz" in refused(zip_of(folder_files()), npz_of("old.npz", samples(), LABELS))
