import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from generation.diffusion import image_data
from generation.diffusion.attribute_tables import attribute_table
from generation.diffusion.datasets import DataSet
from generation.diffusion.image_data import Augmentation, Split, image_archive, image_folder
from generation.diffusion.pictures import InvalidData

CLASSES = ("ash", "birch", "cedar")


def picture(seed: int, size: tuple[int, int] = (8, 8)) -> Image.Image:
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(256, size=(size[1], size[0], 3), dtype=np.uint8))


def folder(root: Path, *, each: int = 4, suffix: str = "png") -> Path:
    """Class folders whose picture number i of class c has seed 100 c + i."""
    for index, name in enumerate(CLASSES):
        (root / name).mkdir(parents=True)
        for i in range(each):
            picture(100 * index + i).save(root / name / f"{i:03}.{suffix}")
    return root


def archive(root: Path, *, ending: str = "tar.xz") -> Path:
    for part in ("train", "test"):
        folder(root / part)
    path = root / f"trees.{ending}"
    with tarfile.open(path, f"w:{ending.partition('.')[2]}") as out:
        for part in ("train", "test"):
            out.add(root / part, arcname=part)
    return path


def pixels(x: torch.Tensor) -> list[bytes]:
    return [row.permute(1, 2, 0).add(1).mul(127.5).round().byte().numpy().tobytes() for row in x]


def rows_of(data: DataSet) -> tuple[list[bytes], list[bytes]]:
    """Training pictures of one round, and held-out ones."""
    assert data.held_out_size is not None
    training, _ = data.training.examples(range(len(CLASSES) * 4 - data.held_out_size))
    held_out, _ = data.held_out.examples(range(data.held_out_size))
    return pixels(training), pixels(held_out)


def test_a_folder_gives_every_picture_with_its_class_once_a_round(tmp_path: Path) -> None:
    data = image_folder(folder(tmp_path / "trees"), image_size=8, seed=1, held_out=Split(share=0.25))
    assert data.class_labels == CLASSES
    assert data.held_out_size == 3
    expected = {picture(100 * c + i).tobytes(): c for c in range(3) for i in range(4)}
    x_0, y = data.training.examples(range(18))
    for start in (0, 9):
        seen = pixels(x_0[start : start + 9])
        assert len(set(seen)) == 9
        assert [expected[one] for one in seen] == y[start : start + 9].tolist()
    assert pixels(x_0[:9]) != pixels(x_0[9:])
    assert x_0.dtype == torch.float32
    assert y.dtype == torch.int64


def test_held_out_pictures_are_never_trained_on_and_do_not_depend_on_the_training_seed(tmp_path: Path) -> None:
    root = folder(tmp_path / "trees")
    split = Split(share=0.25)
    training, held_out = rows_of(image_folder(root, image_size=8, seed=1, held_out=split))
    other_training, same = rows_of(image_folder(root, image_size=8, seed=2, held_out=split))
    assert not set(training) & set(held_out)
    assert held_out == same
    assert sorted(training) == sorted(other_training)
    assert training != other_training
    _, others = rows_of(image_folder(root, image_size=8, seed=1, held_out=Split(share=0.25, seed=5)))
    assert set(others) != set(held_out)


def test_a_held_out_folder_takes_its_classes_from_the_training_folder(tmp_path: Path) -> None:
    root, other = folder(tmp_path / "a"), tmp_path / "b"
    (other / "cedar").mkdir(parents=True)
    picture(7).save(other / "cedar" / "one.png")
    data = image_folder(root, image_size=8, seed=1, held_out=other)
    x_0, y = data.held_out.examples([0])
    assert y.tolist() == [2]
    assert pixels(x_0) == [picture(7).tobytes()]
    (other / "oak").mkdir()
    picture(8).save(other / "oak" / "one.png")
    with pytest.raises(InvalidData, match="b has a class 'oak', which a lacks"):
        image_folder(root, image_size=8, seed=1, held_out=other)


def test_held_out_pictures_end(tmp_path: Path) -> None:
    data = image_folder(folder(tmp_path / "trees"), image_size=8, seed=1)
    with pytest.raises(IndexError, match="1 held-out pictures"):
        data.held_out.examples([1])


@pytest.mark.parametrize("by", [Augmentation(flips=True), Augmentation(crops=True), Augmentation(True, True)])
def test_what_an_index_shows_does_not_depend_on_its_neighbours(by: Augmentation, tmp_path: Path) -> None:
    data = image_folder(folder(tmp_path / "trees"), image_size=8, seed=1, augmentation=by)
    together, _ = data.training.examples(range(6))
    alone = torch.cat([data.training.examples([index])[0] for index in range(5, -1, -1)]).flip(0)
    assert torch.equal(together, alone)


def test_flips_mirror_about_half_of_the_pictures_and_change_nothing_else(tmp_path: Path) -> None:
    root = folder(tmp_path / "trees")
    plain, _ = image_folder(root, image_size=8, seed=1).training.examples(range(200))
    flipped, _ = image_folder(root, image_size=8, seed=1, augmentation=Augmentation(flips=True)).training.examples(
        range(200)
    )
    mirrored = [torch.equal(a, b.flip(2)) for a, b in zip(plain, flipped, strict=True)]
    same = [torch.equal(a, b) for a, b in zip(plain, flipped, strict=True)]
    assert all(m or s for m, s in zip(mirrored, same, strict=True))
    assert 70 < sum(mirrored) < 130


def test_crops_are_windows_of_80_to_100_percent_of_the_shorter_side(tmp_path: Path) -> None:
    # Brightness rises by 2 a pixel to the right, so a window's side shows in how far it rises.
    ramp = np.broadcast_to((np.arange(100, dtype=np.uint8) * 2)[None, :, None], (50, 100, 3))
    root = tmp_path / "ramps"
    root.mkdir()
    for i in range(2):
        Image.fromarray(ramp).save(root / f"{i}.png")
    data = image_folder(root, image_size=10, seed=1, augmentation=Augmentation(crops=True), labelled=False)
    x_0, _ = data.training.examples(range(120))
    levels = (x_0[:, 0].mean(dim=1) + 1) * 127.5
    # Eight-bit levels and the filter's edges leave an error of a few percent.
    sides = (levels[:, -2] - levels[:, 1]) / 2 * 10 / 7
    assert 37 < sides.min() < 43
    assert 47 < sides.max() < 52
    middles = levels.mean(dim=1) / 2
    assert middles.min() < 35
    assert middles.max() > 65


def test_pictures_are_made_square_by_their_centre_and_brought_to_size(tmp_path: Path) -> None:
    root = tmp_path / "wide"
    root.mkdir()
    wide = np.zeros((20, 60, 3), dtype=np.uint8)
    wide[:, 20:40] = 200
    for i in range(2):
        Image.fromarray(wide).save(root / f"{i}.webp", lossless=True)
    x_0, _ = image_folder(root, image_size=5, seed=0, labelled=False).training.examples([0])
    assert x_0.shape == (1, 3, 5, 5)
    assert ((x_0 + 1) * 127.5).round().unique().tolist() == [200]


@pytest.mark.parametrize("ending", ["tar", "tar.xz", "tar.gz"])
def test_an_archive_has_the_split_of_its_folders(ending: str, tmp_path: Path) -> None:
    data = image_archive(archive(tmp_path, ending=ending), image_size=8, seed=1)
    assert data.class_labels == CLASSES
    assert data.held_out_size == 12
    x_0, y = data.training.examples(range(12))
    expected = {picture(100 * c + i).tobytes(): c for c in range(3) for i in range(4)}
    assert dict(zip(pixels(x_0), y.tolist(), strict=True)) == expected
    assert "archive trees.tar" in data.description


def test_pictures_too_many_for_memory_are_the_same_when_decoded_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = folder(tmp_path / "trees")
    kept, _ = image_folder(root, image_size=8, seed=1).training.examples(range(12))
    monkeypatch.setattr(image_data, "LIMIT", 100)
    lazy = image_folder(root, image_size=8, seed=1)
    one, _ = lazy.training.examples(range(12))
    assert torch.equal(kept, one)
    with pytest.raises(InvalidData, match="unpack it to a folder"):
        image_archive(archive(tmp_path / "other"), image_size=8, seed=1)


def test_a_fingerprint_tells_other_pictures_and_another_order(tmp_path: Path) -> None:
    root = folder(tmp_path / "trees")
    first = image_folder(root, image_size=8, seed=1).training.fingerprint
    assert image_folder(root, image_size=8, seed=1).training.fingerprint == first
    assert image_folder(root, image_size=8, seed=2).training.fingerprint != first
    assert image_folder(root, image_size=8, seed=1, augmentation=Augmentation(True)).training.fingerprint != first
    picture(999).save(root / "ash" / "000.png")
    assert image_folder(root, image_size=8, seed=1).training.fingerprint != first


def test_bad_folders_and_archives_are_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InvalidData, match=r"There is no folder absent"):
        image_folder(tmp_path / "absent", image_size=8, seed=1)
    (tmp_path / "bare").mkdir()
    with pytest.raises(InvalidData, match="bare has no class folders"):
        image_folder(tmp_path / "bare", image_size=8, seed=1)
    root = folder(tmp_path / "trees")
    (root / "empty").mkdir()
    with pytest.raises(InvalidData, match=r"trees/empty has no \.png, \.jpg or \.webp files"):
        image_folder(root, image_size=8, seed=1)
    (root / "empty" / "torn.png").write_bytes((root / "ash" / "000.png").read_bytes()[:60])
    with pytest.raises(InvalidData, match=r"empty/torn\.png is no readable picture"):
        image_folder(root, image_size=8, seed=1).training.examples(range(12))
    whole = archive(tmp_path / "more")
    torn = tmp_path / "torn.tar.xz"
    torn.write_bytes(whole.read_bytes()[:-400])
    with pytest.raises(InvalidData, match=r"torn\.tar\.xz can't be read"):
        image_archive(torn, image_size=8, seed=1)
    flat = tmp_path / "flat.tar"
    with tarfile.open(flat, "w") as out:
        out.add(root / "ash" / "000.png", arcname="000.png")
    with pytest.raises(InvalidData, match=r"has no pictures train/CLASS/NAME\.jpg"):
        image_archive(flat, image_size=8, seed=1)


def table(root: Path, text: str, name: str = "attributes.csv") -> Path:
    path = root / name
    path.write_text(text)
    return path


CSV = "image_id,Smiling,Young\n000.png,1,-1\n001.png,-1,-1\n002.png,1,1\n003.png,0,1\n"
CELEBA = "4\nSmiling Young\n000.png  1 -1\n001.png -1 -1\n002.png  1  1\n003.png -1  1\n"


@pytest.mark.parametrize(("name", "text"), [("attributes.csv", CSV), ("list_attr.txt", CELEBA)])
def test_an_attribute_table_gives_0_and_1_by_picture(name: str, text: str, tmp_path: Path) -> None:
    root = folder(tmp_path / "trees")
    data = attribute_table(root / "ash", table(tmp_path, text, name), image_size=8, seed=1, held_out=Split(share=0.25))
    assert data.has_attributes
    assert data.class_labels == ("Smiling", "Young")
    expected = {picture(i).tobytes(): row for i, row in enumerate([[1, 0], [0, 0], [1, 1], [0, 1]])}
    for examples, count in ((data.training, 3), (data.held_out, 1)):
        x_0, y = examples.examples(range(count))
        assert y.dtype == torch.int64
        assert y.tolist() == [expected[one] for one in pixels(x_0)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "attributes.csv is empty"),
        ("image_id\n000.png\n", "distinct attribute names"),
        ("image_id,A,A\n000.png,1,1\n", "distinct attribute names"),
        ("image_id,A\n", "names no pictures"),
        ("image_id,A,B\n000.png,1,0\n001.png,1\n", "attributes.csv, row 3: 1 values for 2 attributes"),
        ("image_id,A\n000.png,1\n001.png,yes\n", "attributes.csv, row 3: A is 'yes', not 0, 1 or -1"),
        ("image_id,A\n000.png,1\n../ash/001.png,1\n", "attributes.csv, row 3: ash has no picture '../ash/001.png'"),
    ],
)
def test_a_bad_table_is_refused_with_its_row(text: str, sentence: str, tmp_path: Path) -> None:
    root = folder(tmp_path / "trees")
    with pytest.raises(InvalidData, match=sentence):
        attribute_table(root / "ash", table(tmp_path, text), image_size=8, seed=1)
