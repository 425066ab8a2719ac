"""What a data set is, and the one that this module draws itself: SportBalls, a ball of four classes on a white canvas.

After the data set of Vaeth et al. (2024), whose icons are not ours. Item i is a function of (seed, i) alone, with
one random stream per item, so the class tells nothing of position, size or rotation. The ball's markings turn with it;
the light stays at the upper left. Coordinates: x to the right, y down, z towards the viewer, on the unit sphere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image as Pillow
from torch import Tensor

from generation.diffusion.plans import HELD_OUT_SEED

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]

CLASS_LABELS = ("baseball", "basketball", "volleyball", "soccer ball")
MASTER = 120  # Side of the picture that is turned and shrunk to a ball, in pixels.
OVERSAMPLING = 4


class Examples(Protocol):
    """Labelled images, drawn by index; what an index gives never depends on the other indices."""

    @property
    def image_size(self) -> int:
        """Side of the images, in pixels."""

    @property
    def fingerprint(self) -> str:
        """Equal for equal examples: a resumed training must meet the data it left."""

    def examples(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Images, float32 [N, 3, H, W] in [-1, 1], and what they show.

        That is a class each, int64 [N], or for K attributes int64 [N, K] of 0 and 1.
        """


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """Two sets of examples without a common one. training: endless, in a shuffled order; held_out: held_out_size items.

    class_labels: names of the classes or of the attributes. description: one line for a model card.
    """

    training: Examples
    held_out: Examples
    held_out_size: int | None
    class_labels: tuple[str, ...]
    has_attributes: bool = False
    description: str


def sportballs(seed: int, *, image_size: int = 64, diameters: tuple[int, int] = (20, 40)) -> DataSet:
    """SportBalls as a data set: training draws by `seed`, the held-out items are always the same (and endless)."""
    smallest, largest = diameters
    return DataSet(
        training=SportBalls(seed=seed, image_size=image_size, diameters=diameters),
        held_out=SportBalls(seed=HELD_OUT_SEED, image_size=image_size, diameters=diameters),
        held_out_size=None,
        class_labels=CLASS_LABELS,
        description=(
            f"SportBalls, {image_size} px, diameters {smallest} to {largest} px, white canvas, seed {seed}, "
            "drawn without end"
        ),
    )


@dataclass(frozen=True)
class Ball:
    """What there is to know of one picture: sizes and offsets in pixels, rotation in degrees."""

    class_index: int
    diameter: int
    rotation: int
    left: int
    top: int


@dataclass(frozen=True)
class SportBalls:
    """An endless set of balls. diameters: the smallest and the largest; the papers' setting is (9, 25)."""

    seed: int
    image_size: int = 64
    diameters: tuple[int, int] = (20, 40)
    class_labels: tuple[str, ...] = field(default=CLASS_LABELS, init=False)

    def __post_init__(self) -> None:
        smallest, largest = self.diameters
        if not 1 <= smallest <= largest <= self.image_size:
            raise ValueError(f"Balls of {smallest} to {largest} px don't fit on {self.image_size} px.")

    @property
    def fingerprint(self) -> str:
        """The seed and the sizes: nothing else decides a ball."""
        return f"sportballs {self.seed} {self.image_size} {self.diameters}"

    def ball(self, index: int) -> Ball:
        """What item `index` shows."""
        rng = np.random.default_rng([self.seed, index])
        smallest, largest = self.diameters
        class_index = int(rng.integers(len(CLASS_LABELS)))
        diameter = int(rng.integers(smallest, largest + 1))
        rotation = int(rng.integers(360))
        left, top = rng.integers(self.image_size - diameter + 1, size=2)
        return Ball(class_index, diameter, rotation, int(left), int(top))

    def image(self, index: int) -> Pixels:
        """Item `index` as uint8 [H, W, 3]."""
        return draw(self.ball(index), image_size=self.image_size)

    def examples(self, indices: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Items as float32 [N, 3, H, W] in [-1, 1] and their classes, int64 [N]."""
        images = np.stack([self.image(index) for index in indices])
        classes = [self.ball(index).class_index for index in indices]
        return as_images(images), torch.tensor(classes, dtype=torch.int64)


def as_images(pixels: Pixels) -> Tensor:
    """uint8 [N, H, W, 3] as float32 [N, 3, H, W] in [-1, 1]."""
    x_0 = torch.from_numpy(pixels).permute(0, 3, 1, 2).to(torch.float32).div(127.5).sub(1)
    return x_0.contiguous()


def draw(ball: Ball, *, image_size: int) -> Pixels:
    """Draw a ball on a white canvas: uint8 [image_size, image_size, 3]."""
    canvas = np.full((image_size, image_size, 3), 255, dtype=np.uint8)
    colour, cover = _sprite(ball.class_index, ball.diameter, ball.rotation)
    rows = slice(ball.top, ball.top + ball.diameter)
    columns = slice(ball.left, ball.left + ball.diameter)
    blended = 255 * (1 - cover) + colour * cover
    canvas[rows, columns] = np.round(blended).astype(np.uint8)
    return canvas


@cache
def _sprite(class_index: int, diameter: int, rotation: int) -> tuple[Pixels, Singles]:
    """A ball's colours [D, D, 3] and how much of each pixel it covers, 0..1 [D, D, 1]."""
    turned = _master(class_index).rotate(rotation, resample=Pillow.Resampling.BICUBIC)
    lit = np.clip(np.asarray(turned, dtype=np.float32) * _shade() + _gloss(), 0, 255)
    small = Pillow.fromarray(lit.astype(np.uint8)).resize((diameter, diameter), Pillow.Resampling.BOX)
    return np.asarray(small), _cover(diameter)


@cache
def _cover(diameter: int) -> Singles:
    disc = Pillow.fromarray((_disc() * 255).astype(np.uint8))
    cover = np.asarray(disc.resize((diameter, diameter), Pillow.Resampling.BOX), dtype=np.float32)
    return cover[:, :, None] / np.float32(255)


@cache
def _master(class_index: int) -> Pillow.Image:
    """A class's markings, seen straight on and unlit, as an RGB picture."""
    points = _sphere(MASTER * OVERSAMPLING)
    painted = Pillow.fromarray(_PAINTERS[class_index](points).astype(np.uint8))
    return painted.resize((MASTER, MASTER), Pillow.Resampling.BOX)


def _sphere(side: int) -> Floats:
    """Points of the unit sphere's visible half [side, side, 3]; outside the disc, points of its rim."""
    axis = (np.arange(side) + 0.5) * 2 / side - 1
    x, y = np.meshgrid(axis, axis)
    radius = np.maximum(np.hypot(x, y), 1.0)
    x, y = x / radius, y / radius
    return np.stack([x, y, np.sqrt(np.maximum(0.0, 1 - x**2 - y**2))], axis=-1)


@cache
def _disc() -> Floats:
    axis = (np.arange(MASTER) + 0.5) * 2 / MASTER - 1
    x, y = np.meshgrid(axis, axis)
    return (np.hypot(x, y) <= 1).astype(np.float64)


@cache
def _shade() -> Singles:
    """Light from the upper left and a dark rim, which parts white balls from the white canvas: [M, M, 1]."""
    points = _sphere(MASTER)
    light = np.array([-0.42, -0.5, 0.76])
    diffuse = 0.62 + 0.42 * np.clip(points @ light, 0, 1)
    rim = np.clip((0.36 - points[..., 2]) / 0.2, 0, 1)
    return np.asarray(diffuse * (1 - 0.72 * rim), dtype=np.float32)[..., None]


@cache
def _gloss() -> Singles:
    """A soft highlight, in grey levels: [M, M, 1]."""
    toward = np.array([-0.36, -0.44, 0.82])
    return np.asarray(70 * np.clip(_sphere(MASTER) @ toward, 0, 1) ** 28, dtype=np.float32)[..., None]


def _paint(base: tuple[int, int, int], *marks: tuple[npt.NDArray[np.bool_], tuple[int, int, int]]) -> Floats:
    """Colours [side, side, 3]: the base colour, and over it each mark in its own."""
    colours = np.empty((*marks[0][0].shape, 3))
    colours[:] = base
    for mask, colour in marks:
        colours[mask] = colour
    return colours


def _baseball(p: Floats) -> Floats:
    x, y = np.abs(p[..., 0]), p[..., 1]
    dx, radius = x - 1.12, 0.78
    off_seam = np.hypot(dx, y) - radius
    angle = np.arctan2(y, dx)
    # Stitches lean off the seam like chevrons: their angle shifts with the distance from it.
    stitch = (np.abs(np.mod(angle + 0.9 * np.abs(off_seam), 0.26) - 0.13) < 0.058) & (np.abs(off_seam) < 0.13)
    return _paint((250, 246, 238), (np.abs(off_seam) < 0.042, (208, 26, 38)), (stitch, (208, 26, 38)))


def _basketball(p: Floats) -> Floats:
    x, y = p[..., 0], p[..., 1]
    ribs = np.abs(np.hypot(np.abs(x) - 1.22, y) - 0.74) < 0.05
    lines = (np.abs(x) < 0.045) | (np.abs(y) < 0.045) | ribs
    return _paint((238, 116, 32), (lines, (30, 22, 20)))


def _volleyball(p: Floats) -> Floats:
    """Six groups of three strips, as on the faces of a cube, looked at over a corner."""
    q = p @ _corner_view().T
    size = np.abs(q)
    face = size.argmax(axis=-1)
    across = _along(q, (face + 1) % 3) / np.abs(_along(q, face))
    strip = np.clip(np.floor((across + 1) * 1.5), 0, 2)
    two_largest = np.sort(size, axis=-1)[..., 1:]
    seam = (np.abs(np.mod((across + 1) * 1.5 + 0.5, 1) - 0.5) < 0.07) & (np.abs(across) < 0.8)
    edge = two_largest[..., 1] - two_largest[..., 0] < 0.045
    middle = strip == 1
    return _paint((250, 208, 30), (middle, (28, 78, 190)), (seam | edge, (245, 245, 250)))


def _along(q: Floats, axis: npt.NDArray[np.intp]) -> Floats:
    """Each point's coordinate on its own axis."""
    coordinate: Floats = np.take_along_axis(q, axis[..., None], axis=-1)[..., 0]
    return coordinate


def _corner_view() -> Floats:
    """A rotation that brings a cube's corner to the front, off centre so that one face leads."""
    a, b = np.deg2rad([38.0, 30.0])
    turn = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    tilt = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    rotation: Floats = turn @ tilt
    return rotation


def _soccer(p: Floats) -> Floats:
    """A truncated icosahedron blown up to a ball: black pentagons, white hexagons, grey seams."""
    pentagons, hexagons = _icosahedron()
    # A point belongs to the face whose plane it would reach last; 2.327 and 2.267 are the planes' distances.
    height = np.concatenate([p @ pentagons.T / 2.327, p @ hexagons.T / 2.267], axis=-1)
    order = np.argsort(height, axis=-1)
    first, second = (np.take_along_axis(height, order[..., -i : -i + 1 or None], axis=-1)[..., 0] for i in (1, 2))
    black = order[..., -1] < len(pentagons)
    return _paint((248, 248, 248), (first - second < 0.011, (70, 70, 74)), (black, (22, 22, 26)))


def _icosahedron() -> tuple[Floats, Floats]:
    """Unit vectors to an icosahedron's 12 corners and 20 faces, one corner facing the viewer."""
    ring = np.arange(5) * 2 * np.pi / 5
    high, flat = 1 / np.sqrt(5), 2 / np.sqrt(5)
    upper = np.stack([flat * np.cos(ring), flat * np.sin(ring), np.full(5, high)], axis=-1)
    corners = np.concatenate([[[0, 0, 1]], upper, -upper, [[0, 0, -1]]])
    near = corners @ corners.T > 0.4
    faces = [
        corners[i] + corners[j] + corners[k]
        for i in range(12)
        for j in range(i)
        for k in range(j)
        if near[i, j] and near[j, k] and near[i, k]
    ]
    return corners, np.array([face / np.linalg.norm(face) for face in faces])


_PAINTERS: tuple[Callable[[Floats], Floats], ...] = (_baseball, _basketball, _volleyball, _soccer)
