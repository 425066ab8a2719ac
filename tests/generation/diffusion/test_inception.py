"""The Inception network has the file's keys and shapes, and reads images as FID does."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from generation.diffusion.inception import (
    Inception,
    UnusableInception,
    is_published,
    load_inception,
    resized,
)

# From the state dict of torchvision's inception_v3 without its auxiliary head, with 1008 outputs for 1000.
PARAMETERS = 23_850_960
SHAPES = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
    "Mixed_5d.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6c.branch7x7dbl_4.conv.weight": (160, 160, 7, 1),
    "Mixed_6e.branch7x7_2.bn.running_mean": (192,),
    "Mixed_7a.branch7x7x3_4.conv.weight": (192, 192, 3, 3),
    "Mixed_7b.branch3x3_2a.conv.weight": (384, 384, 1, 3),
    "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
    "fc.weight": (1008, 2048),
}


@pytest.fixture(scope="module")
def weights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of the published file's keys and types, with random weights."""
    torch.manual_seed(0)
    weights = {key: value for key, value in Inception().state_dict().items() if "num_batches" not in key}
    path = tmp_path_factory.mktemp("inception") / "pt_inception.pth"
    torch.save(weights, path)
    return path


def test_it_has_the_keys_and_shapes_of_the_weights_file() -> None:
    with torch.device("meta"):
        network = Inception()
    state = {key: tuple(value.shape) for key, value in network.state_dict().items() if "num_batches" not in key}
    assert len(state) == 94 * 5 + 2
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS
    assert {key: state[key] for key in SHAPES} == SHAPES


def test_random_weights_of_the_right_keys_load_and_give_2048_features(weights_file: Path) -> None:
    network = load_inception(weights_file)
    images = torch.randint(256, (2, 3, 32, 32), generator=torch.Generator().manual_seed(1)).float()
    together, alone = network(images), network(images[:1])
    assert together.shape == (2, 2048)
    assert together.std() > 0
    torch.testing.assert_close(together[:1], alone, rtol=1e-4, atol=1e-5)
    assert not is_published(weights_file)


def test_the_last_block_takes_the_maximum_and_the_others_an_average_without_the_padding() -> None:
    network = Inception()
    captured: list[torch.Tensor] = []
    for block in (network.Mixed_7b, network.Mixed_7c):
        pooled = block.get_submodule("branch_pool")
        pooled.register_forward_pre_hook(lambda _module, args: captured.append(args[0]))
        pooled.forward = lambda x: x
        block._pooled(torch.arange(9.0).view(1, 1, 3, 3))
    assert captured[0][0, 0, 0, 0] == np.mean([0, 1, 3, 4])
    assert captured[1][0, 0, 0, 0] == 4


def test_resizing_reads_pixel_i_at_i_times_the_ratio() -> None:
    rng = np.random.default_rng(2)
    picture = rng.integers(256, size=(5, 7)).astype(np.float64)
    expected = np.empty((11, 11))
    for i in range(11):
        for j in range(11):
            y, x = i * 5 / 11, j * 7 / 11
            top, left = int(y), int(x)
            below, right = min(top + 1, 4), min(left + 1, 6)
            upper = picture[top, left] * (1 - (x - left)) + picture[top, right] * (x - left)
            lower = picture[below, left] * (1 - (x - left)) + picture[below, right] * (x - left)
            expected[i, j] = upper * (1 - (y - top)) + lower * (y - top)
    found = resized(torch.from_numpy(picture).float()[None, None], 11)
    np.testing.assert_allclose(found[0, 0].numpy(), expected, atol=1e-3)


def test_images_of_the_right_size_stay_as_they_are() -> None:
    x = torch.rand(1, 3, 299, 299)
    assert torch.equal(resized(x, 299), x)


def test_resizing_is_not_the_one_with_half_pixel_centres() -> None:
    x = torch.rand(1, 1, 4, 4)
    assert not torch.allclose(resized(x, 9), F.interpolate(x, (9, 9), mode="bilinear", align_corners=False))


def test_a_file_of_another_network_names_its_first_wrong_key(tmp_path: Path, weights_file: Path) -> None:
    weights = torch.load(weights_file, weights_only=True)
    weights["Mixed_5b.branch1x1.conv.weight"] = torch.zeros(1)
    torch.save(weights, tmp_path / "other.pth")
    with pytest.raises(UnusableInception, match=r"Mixed_5b\.branch1x1\.conv\.weight"):
        load_inception(tmp_path / "other.pth")


def test_a_truncated_file_is_refused(tmp_path: Path, weights_file: Path) -> None:
    (tmp_path / "cut.pth").write_bytes(weights_file.read_bytes()[:1000])
    with pytest.raises(UnusableInception, match="copy the file again"):
        load_inception(tmp_path / "cut.pth")
