"""Features are those that the named network computes, gathered through a file, of images from every source."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image as Pillow

from generation.diffusion.classifiers import ClassifierConfig, CleanClassifier, CleanConfig, EncoderClassifier
from generation.diffusion.datasets import SportBalls
from generation.diffusion.features import (
    Block,
    Extractor,
    UnfitImages,
    UnusableExtractor,
    gather,
    image_model,
    inception,
    penultimate,
    pixels,
)
from generation.diffusion.inception import Inception
from generation.diffusion.references import InvalidReference, archive, folder, sportballs, statistics


def pictures(n: int, *, side: int = 8, seed: int = 0) -> Block:
    rng = np.random.default_rng(seed)
    return rng.integers(256, size=(n, side, side, 3), dtype=np.uint8), np.arange(n) % 3


@pytest.fixture(scope="module")
def judge() -> CleanClassifier:
    torch.manual_seed(3)
    return CleanClassifier(CleanConfig(image_size=8, out_channels=3, widths=(4, 5))).eval()


def test_pixels_are_means_of_squares(tmp_path: Path) -> None:
    images, classes = pictures(3)
    found = gather([(images, classes)], pixels(2), file=tmp_path / "f")
    means = images.reshape(3, 2, 4, 2, 4, 3).mean(axis=(2, 4)) / 255
    np.testing.assert_allclose(found.features, means.transpose(0, 3, 1, 2).reshape(3, -1), atol=1e-6)
    np.testing.assert_array_equal(found.classes, classes)


def test_a_judge_gives_what_its_last_layer_reads(judge: CleanClassifier, tmp_path: Path) -> None:
    images, classes = pictures(5)
    found = gather([(images, classes)], penultimate(judge, name="judge"), file=tmp_path / "f")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        np.testing.assert_allclose(found.features, judge.features(x).mean(dim=(2, 3)).numpy(), atol=1e-5)
        again = judge.head(torch.from_numpy(np.array(found.features)))
        torch.testing.assert_close(again, judge(x), atol=1e-5, rtol=1e-5)


def test_blocks_are_cut_and_every_image_is_looked_at_once(tmp_path: Path) -> None:
    images, classes = pictures(150)
    sizes: list[int] = []
    found = gather(
        [(images[:140], classes[:140]), (images[140:], classes[140:])],
        pixels(1),
        file=tmp_path / "f",
        look=lambda block, _: sizes.append(len(block)),
    )
    assert sizes == [64, 64, 12, 10]
    np.testing.assert_allclose(found.features[:, 0], images[..., 0].mean(axis=(1, 2)) / 255, atol=1e-6)
    assert len(found.of_class(2)) == 50


def test_a_network_that_is_told_a_timestep_gives_no_features() -> None:
    config = ClassifierConfig(
        image_size=8,
        model_channels=32,
        out_channels=3,
        num_res_blocks=1,
        attention_resolutions=(),
        channel_mult=(1,),
        num_head_channels=32,
    )
    with pytest.raises(UnusableExtractor, match="timestep"):
        penultimate(EncoderClassifier(config), name="a guide")


def test_images_of_another_size_than_the_judge_takes_are_refused(judge: CleanClassifier, tmp_path: Path) -> None:
    with pytest.raises(UnfitImages, match="8 x 8 px, and these have 9 x 9"):
        gather([pictures(2, side=9)], penultimate(judge, name="judge", image_size=8), file=tmp_path / "f")


def test_no_images_have_no_features(tmp_path: Path) -> None:
    with pytest.raises(UnfitImages, match="no images"):
        gather([], pixels(2), file=tmp_path / "f")


def test_only_the_published_weights_make_it_fid(tmp_path: Path) -> None:
    torch.save(Inception().state_dict(), tmp_path / "mine.pth")
    assert inception(tmp_path / "mine.pth").distance_name == "Frechet distance on Inception with weights mine.pth"
    named = Extractor(name="Inception (2015-12-05)", extract=lambda x: x, is_fid=True)
    assert named.distance_name == "FID"


def test_an_image_model_gives_its_pooled_output(tmp_path: Path) -> None:
    config = transformers.ResNetConfig(embedding_size=4, hidden_sizes=[4, 6], depths=[1, 1], num_labels=2)
    torch.manual_seed(0)
    network = transformers.ResNetForImageClassification(config).eval()
    network.save_pretrained(tmp_path / "resnet")
    (tmp_path / "resnet" / "preprocessor_config.json").write_text(
        '{"size": {"height": 32, "width": 32}, "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}'
    )
    images, classes = pictures(2, side=32)
    found = gather([(images, classes)], image_model(tmp_path / "resnet"), file=tmp_path / "f")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 127.5 - 1
    with torch.no_grad():
        pooled = network.resnet(x).pooler_output.flatten(1)
    np.testing.assert_allclose(found.features, pooled.numpy(), atol=1e-5)


def write_archive(path: Path, **changes: object) -> Path:
    images, classes = pictures(70)
    np.savez_compressed(path, **{"arr_0": images, "arr_1": classes, **changes})  # type: ignore[arg-type]
    return path


def test_an_archive_is_streamed_in_order(tmp_path: Path) -> None:
    found = archive(write_archive(tmp_path / "a.npz"))
    blocks = list(found.blocks())
    images, classes = pictures(70)
    assert [len(block) for block, _ in blocks] == [64, 6]
    np.testing.assert_array_equal(np.concatenate([block for block, _ in blocks]), images)
    np.testing.assert_array_equal(np.concatenate([part for _, part in blocks]), classes)
    assert len(list(found.blocks())) == 2


def test_statistics_are_read_and_images_are_not_taken_for_them(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", mu=np.array([1.0, 2.0]), sigma=np.eye(2))
    known = statistics(tmp_path / "s.npz")
    assert known is not None
    np.testing.assert_array_equal(known.mean, [1, 2])
    assert known.n is None
    assert statistics(write_archive(tmp_path / "a.npz")) is None


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"arr_0": np.zeros((3, 4, 4, 3))}, "must be uint8"),
        ({"arr_1": np.zeros(3, dtype=np.int64)}, "70 images and 3 classes"),
        ({"arr_1": np.zeros(70)}, "must be whole numbers"),
    ],
)
def test_an_archive_of_something_else_is_refused(tmp_path: Path, changes: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidReference, match=problem):
        archive(write_archive(tmp_path / "a.npz", **changes))


def test_a_truncated_archive_is_refused(tmp_path: Path) -> None:
    path = write_archive(tmp_path / "a.npz")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InvalidReference, match="copy it again"):
        archive(path)


def test_an_archive_without_images_or_statistics_says_what_it_needs(tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", other=np.ones(2))
    with pytest.raises(InvalidReference, match="holds other; it needs images"):
        statistics(tmp_path / "x.npz")


def test_a_folder_gives_classes_by_label_or_number_and_pictures_at_one_size(tmp_path: Path) -> None:
    for name, size in (("dog/a.png", (8, 8)), ("dog/b.png", (16, 8)), ("2/c.png", (9, 9)), ("odd/d.png", (8, 8))):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Pillow.new("RGB", size, "red").save(tmp_path / name)
    found = folder(tmp_path, image_size=8, labels=["cat", "dog", "cow"])
    ((images, classes),) = found.blocks()
    assert images.shape == (4, 8, 8, 3)
    np.testing.assert_array_equal(classes, [2, 1, 1, -1])
    assert found.n == 4


def test_a_folder_of_several_sizes_asks_for_one(tmp_path: Path) -> None:
    for name, side in (("a.png", 8), ("b.png", 9)):
        Pillow.new("RGB", (side, side)).save(tmp_path / name)
    with pytest.raises(InvalidReference, match="another size"):
        list(folder(tmp_path).blocks())


def test_a_damaged_picture_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(InvalidReference, match=r"a\.png is no whole picture"):
        list(folder(tmp_path).blocks())


def test_sportballs_are_items_of_their_seed() -> None:
    ((images, classes),) = sportballs(5, seed=9).blocks()
    balls = SportBalls(seed=9)
    np.testing.assert_array_equal(images[4], balls.image(4))
    assert classes.tolist() == [balls.ball(i).class_index for i in range(5)]


def test_canvases_too_small_for_a_ball_are_refused() -> None:
    with pytest.raises(InvalidReference, match="don't fit on 8 px"):
        sportballs(5, image_size=8)
