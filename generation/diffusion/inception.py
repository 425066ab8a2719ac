"""The Inception network whose features define FID, with the key names of its PyTorch weights file.

Architecture: Szegedy et al. (2016), in the variant of the TensorFlow graph of 2015-12-05 that Heusel et al. (2017)
used: 1008 outputs, average pools that leave the padding out of their averages, and one maximum pool where the paper
has an average (the last block). Weights: `pt_inception-2015-12-05-6726825d.pth`, a state dict. Values: images are
resized to 299 px as TensorFlow 1 did (bilinear, output pixel i read at i * height / 299, no antialiasing), then
(value - 128) / 128.
"""

import hashlib
import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE = 299
WIDTH = 2048
OUTPUTS = 1008
PUBLISHED_SHA256 = "6726825d"
"""What the sha256 of the published weights file begins with; only with these weights is the distance called FID."""

Conv = tuple[int, int, int | tuple[int, int]]
"""Channels in and out, and the kernel."""
Chain = Sequence[str | tuple[str, str]]
"""Convolutions in turn; a tuple forks into two whose outputs are joined."""


class UnusableInception(ValueError):
    """A file holds no weights of this network."""


class BasicConv(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(self, conv: Conv, *, stride: int = 1, padding: tuple[int, int] | int = 0) -> None:
        super().__init__()
        channels, width, kernel = conv
        self.conv = nn.Conv2d(channels, width, kernel, stride=stride, padding=padding, bias=False)
        self.bn = nn.BatchNorm2d(width, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, width, H', W']."""
        out: Tensor = self.bn(self.conv(x))
        return F.relu(out, inplace=not torch.is_grad_enabled())


class Mixed(nn.Module):
    """Paths of convolutions side by side, joined by channel, and a pooled path at the end.

    convs: by name. paths: names in turn. pool: "average" or "maximum", followed by the convolution `branch_pool`;
    or "halve", a strided maximum with nothing behind it, where each path's last convolution is strided too.
    """

    def __init__(self, convs: Mapping[str, Conv], paths: Sequence[Chain], *, pool: str) -> None:
        super().__init__()
        self.paths, self.pool = paths, pool
        strided = {path[-1] for path in paths} if pool == "halve" else set()
        for name, conv in convs.items():
            if name in strided:
                self.add_module(name, BasicConv(conv, stride=2))
            else:
                self.add_module(name, BasicConv(conv, padding=_same(conv[2])))

    def forward(self, x: Tensor) -> Tensor:
        """[N, C, H, W] -> [N, sum of the paths' widths, H', W']."""
        return torch.cat([*(self._along(path, x) for path in self.paths), self._pooled(x)], dim=1)

    def _along(self, path: Chain, x: Tensor) -> Tensor:
        for name in path:
            if isinstance(name, tuple):
                x = torch.cat([self.get_submodule(fork)(x) for fork in name], dim=1)
            else:
                x = self.get_submodule(name)(x)
        return x

    def _pooled(self, x: Tensor) -> Tensor:
        if self.pool == "halve":
            return F.max_pool2d(x, 3, stride=2)
        if self.pool == "maximum":
            pooled = F.max_pool2d(x, 3, stride=1, padding=1)
        else:
            pooled = F.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        out: Tensor = self.get_submodule("branch_pool")(pooled)
        return out


class Inception(nn.Module):
    """Images to the 2048 numbers that FID compares."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3 = BasicConv((3, 32, 3), stride=2)
        self.Conv2d_2a_3x3 = BasicConv((32, 32, 3))
        self.Conv2d_2b_3x3 = BasicConv((32, 64, 3), padding=1)
        self.Conv2d_3b_1x1 = BasicConv((64, 80, 1))
        self.Conv2d_4a_3x3 = BasicConv((80, 192, 3))
        for letter, channels, width in (("b", 192, 32), ("c", 256, 64), ("d", 288, 64)):
            self.add_module(f"Mixed_5{letter}", _at_35(channels, pool_width=width))
        self.Mixed_6a = _to_17()
        for letter, width in (("b", 128), ("c", 160), ("d", 160), ("e", 192)):
            self.add_module(f"Mixed_6{letter}", _at_17(width))
        self.Mixed_7a = _to_8()
        self.Mixed_7b = _at_8(1280, pool="average")
        self.Mixed_7c = _at_8(2048, pool="maximum")
        # Not used for features, but part of the file.
        self.fc = nn.Linear(WIDTH, OUTPUTS)

    def forward(self, x: Tensor) -> Tensor:
        """x: images [N, 3, H, W] with values 0 to 255 -> features [N, 2048], the mean of the last block over place."""
        h = (resized(x, SIDE) - 128) / 128
        h = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(h)))
        h = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(F.max_pool2d(h, 3, stride=2)))
        h = F.max_pool2d(h, 3, stride=2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                h = block(h)
        return h.mean(dim=(2, 3))


def load_inception(path: Path, *, device: torch.device | str = "cpu") -> Inception:
    """The network with a file's weights, frozen. Raises UnusableInception for a file that does not fill it."""
    try:
        weights: Mapping[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        raise UnusableInception(f"{path.name} is no readable PyTorch state dict; copy the file again.") from error
    with torch.device("meta"):
        network = Inception()
    expected = _counted_out(network.state_dict())
    found = _counted_out(weights)
    for key in [*expected, *found]:
        if key not in found or key not in expected or found[key].shape != expected[key].shape:
            raise UnusableInception(f"{path.name} does not fill the Inception network: {key} is missing or misshapen.")
    # Counters of batches matter in training only, and some copies of the file lack them.
    counters = {key: torch.zeros((), dtype=torch.int64) for key in network.state_dict() if key not in expected}
    network.load_state_dict({**{key: value.float() for key, value in found.items()}, **counters}, assign=True)
    return network.to(device).eval().requires_grad_(False)


def is_published(path: Path) -> bool:
    """Whether a file is the one that FID is defined by."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest().startswith(PUBLISHED_SHA256)


def resized(x: Tensor, side: int) -> Tensor:
    """Images [N, C, H, W] at side x side, as TensorFlow 1 resized them; unchanged if they have that size."""
    height, width = x.shape[-2:]
    rows, columns = _reading(height, side).to(x), _reading(width, side).to(x)
    return rows @ x @ columns.T


def _reading(length: int, side: int) -> Tensor:
    """How each of `side` output pixels reads `length` input pixels: weights [side, length]."""
    # float32 positions, as there: the same pixels are read for every size.
    places = torch.arange(side, dtype=torch.float32) * torch.tensor(length / side, dtype=torch.float32)
    below = places.floor().to(torch.int64).clamp(max=length - 1)
    above = (below + 1).clamp(max=length - 1)
    share = (places - below).unsqueeze(1)
    weights = torch.zeros(side, length)
    weights.scatter_add_(1, below.unsqueeze(1), 1 - share)
    weights.scatter_add_(1, above.unsqueeze(1), share)
    return weights


def _same(kernel: int | tuple[int, int]) -> tuple[int, int]:
    height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
    return height // 2, width // 2


def _counted_out(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {key: value for key, value in weights.items() if not key.endswith("num_batches_tracked")}


def _at_35(channels: int, *, pool_width: int) -> Mixed:
    convs: dict[str, Conv] = {
        "branch1x1": (channels, 64, 1),
        "branch5x5_1": (channels, 48, 1),
        "branch5x5_2": (48, 64, 5),
        "branch3x3dbl_1": (channels, 64, 1),
        "branch3x3dbl_2": (64, 96, 3),
        "branch3x3dbl_3": (96, 96, 3),
        "branch_pool": (channels, pool_width, 1),
    }
    paths = (("branch1x1",), ("branch5x5_1", "branch5x5_2"), tuple(f"branch3x3dbl_{i}" for i in (1, 2, 3)))
    return Mixed(convs, paths, pool="average")


def _to_17() -> Mixed:
    convs: dict[str, Conv] = {
        "branch3x3": (288, 384, 3),
        "branch3x3dbl_1": (288, 64, 1),
        "branch3x3dbl_2": (64, 96, 3),
        "branch3x3dbl_3": (96, 96, 3),
    }
    return Mixed(convs, (("branch3x3",), tuple(f"branch3x3dbl_{i}" for i in (1, 2, 3))), pool="halve")


def _at_17(width: int) -> Mixed:
    flat, tall = (1, 7), (7, 1)
    convs: dict[str, Conv] = {
        "branch1x1": (768, 192, 1),
        "branch7x7_1": (768, width, 1),
        "branch7x7_2": (width, width, flat),
        "branch7x7_3": (width, 192, tall),
        "branch7x7dbl_1": (768, width, 1),
        "branch7x7dbl_2": (width, width, tall),
        "branch7x7dbl_3": (width, width, flat),
        "branch7x7dbl_4": (width, width, tall),
        "branch7x7dbl_5": (width, 192, flat),
        "branch_pool": (768, 192, 1),
    }
    single, double = (f"branch7x7_{i}" for i in (1, 2, 3)), (f"branch7x7dbl_{i}" for i in range(1, 6))
    return Mixed(convs, (("branch1x1",), tuple(single), tuple(double)), pool="average")


def _to_8() -> Mixed:
    convs: dict[str, Conv] = {
        "branch3x3_1": (768, 192, 1),
        "branch3x3_2": (192, 320, 3),
        "branch7x7x3_1": (768, 192, 1),
        "branch7x7x3_2": (192, 192, (1, 7)),
        "branch7x7x3_3": (192, 192, (7, 1)),
        "branch7x7x3_4": (192, 192, 3),
    }
    return Mixed(convs, (("branch3x3_1", "branch3x3_2"), tuple(f"branch7x7x3_{i}" for i in (1, 2, 3, 4))), pool="halve")


def _at_8(channels: int, *, pool: str) -> Mixed:
    convs: dict[str, Conv] = {
        "branch1x1": (channels, 320, 1),
        "branch3x3_1": (channels, 384, 1),
        "branch3x3_2a": (384, 384, (1, 3)),
        "branch3x3_2b": (384, 384, (3, 1)),
        "branch3x3dbl_1": (channels, 448, 1),
        "branch3x3dbl_2": (448, 384, 3),
        "branch3x3dbl_3a": (384, 384, (1, 3)),
        "branch3x3dbl_3b": (384, 384, (3, 1)),
        "branch_pool": (channels, 192, 1),
    }
    paths: tuple[Chain, ...] = (
        ("branch1x1",),
        ("branch3x3_1", ("branch3x3_2a", "branch3x3_2b")),
        ("branch3x3dbl_1", "branch3x3dbl_2", ("branch3x3dbl_3a", "branch3x3dbl_3b")),
    )
    return Mixed(convs, paths, pool=pool)
