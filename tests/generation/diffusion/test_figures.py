"""Pictures of pictures: every pixel of theirs is in them, and every word that fits."""

from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image as Pillow

from generation.diffusion.figures import CELL, FRAME, Cell, Pixels, Row, min_max, picture_grid, png_bytes, printable


def a_picture(side: int, *, seed: int = 0) -> Pixels:
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def found(sheet: Pillow.Image, picture: Pixels) -> list[tuple[int, int]]:
    """Where the picture stands in the sheet, enlarged as the grid enlarges it: (left, top)."""
    zoom = max(1, CELL // len(picture))
    enlarged = picture.repeat(zoom, axis=0).repeat(zoom, axis=1)
    pixels = np.asarray(sheet)
    side = len(enlarged)
    corners = np.argwhere((pixels[: 1 - side, : 1 - side] == enlarged[0, 0]).all(axis=2))
    return [(x, y) for y, x in corners if np.array_equal(pixels[y : y + side, x : x + side], enlarged)]


def test_a_grid_holds_every_picture_once_enlarged_by_a_whole_number() -> None:
    pictures = [[a_picture(16, seed=10 * row + column) for column in range(3)] for row in range(2)]
    rows = [Row(label=f"row {i}", cells=[Cell(picture) for picture in row]) for i, row in enumerate(pictures)]
    sheet = picture_grid(rows, heads=["one", "two", "three"])
    places = [[found(sheet, picture) for picture in row] for row in pictures]
    assert all(len(place) == 1 for row in places for place in row)
    lefts = [[place[0][0] for place in row] for row in places]
    tops = [[place[0][1] for place in row] for row in places]
    assert lefts[0] == lefts[1]
    assert sorted(set(lefts[0])) == lefts[0]
    assert len(set(tops[0])) == 1
    assert tops[0][0] < tops[1][0]


def test_a_picture_of_128_px_or_more_keeps_its_size() -> None:
    picture = a_picture(130)
    assert len(found(picture_grid([Row(label="", cells=[Cell(picture)])], heads=[]), picture)) == 1


def test_pictures_of_two_sizes_and_empty_places_stand_in_one_grid() -> None:
    small, large = a_picture(8), a_picture(150, seed=1)
    sheet = picture_grid([Row(label="a", cells=[None, Cell(small)]), Row(label="b", cells=[Cell(large)])], heads=["x"])
    assert len(found(sheet, small)) == 1
    assert len(found(sheet, large)) == 1


def test_a_white_picture_shows_where_it_ends() -> None:
    white = np.full((64, 64, 3), 255, dtype=np.uint8)
    pixels = np.asarray(picture_grid([Row(label="", cells=[Cell(white)])], heads=[]))
    assert (pixels == FRAME).all(axis=2).sum() == 4 * (CELL + 1)


def test_labels_heads_captions_and_notes_are_written() -> None:
    picture = a_picture(64)
    bare = picture_grid([Row(label="", cells=[Cell(picture)])], heads=[])
    labelled = picture_grid([Row(label="vanilla", cells=[Cell(picture)])], heads=[])
    headed = picture_grid([Row(label="", cells=[Cell(picture)])], heads=["baseball\nseed 3"])
    captioned = picture_grid([Row(label="", cells=[Cell(picture, "p = 0.5")])], heads=[])
    noted = picture_grid([Row(label="", cells=[Cell(picture)])], heads=[], note="What this is. " * 10)
    assert labelled.width > bare.width
    assert all(other.height > bare.height for other in (headed, captioned, noted))
    for sheet in (labelled, headed, captioned, noted):
        ((left, top),) = found(sheet, picture)
        outside = np.asarray(sheet.convert("L")).copy()
        outside[top - 1 : top + CELL + 1, left - 1 : left + CELL + 1] = 255
        # Ink outside the picture.
        assert (outside < 100).sum() > 20


def test_a_text_longer_than_its_column_is_cut_and_stays_in_it() -> None:
    picture = a_picture(64)
    sheet = picture_grid([Row(label="", cells=[Cell(picture)])], heads=["a class with a very long name indeed"])
    ((left, top),) = found(sheet, picture)
    ink = np.argwhere(np.asarray(sheet.convert("L"))[: top - 1] < 128)
    assert len(ink)
    assert left - 2 <= ink[:, 1].min()
    assert ink[:, 1].max() <= left + CELL + 1


def test_equal_grids_are_equal_bytes_of_nothing_but_pixels() -> None:
    rows = [Row(label="same", cells=[Cell(a_picture(32), "caption")])]
    first, second = (png_bytes(picture_grid(rows, heads=["head"])) for _ in range(2))
    assert first == second
    with Pillow.open(BytesIO(first)) as opened:
        assert (opened.format, opened.info) == ("PNG", {})


@pytest.mark.filterwarnings("error")
def test_a_letter_that_the_font_lacks_is_a_box_and_no_warning() -> None:
    assert printable("Größe → 5 µm") == "Größe → 5 µm"
    assert printable("猫 and 犬\n") == "□ and □\n"
    picture_grid([Row(label="猫", cells=[Cell(a_picture(8), "犬")])], heads=["🐈"], note="猫")


def test_min_max_stretches_each_image_by_itself() -> None:
    gradients = torch.stack([torch.linspace(-1, 3, 12).view(3, 2, 2), torch.linspace(0, 1e-9, 12).view(3, 2, 2)])
    pixels = min_max(gradients)
    assert pixels.shape == (2, 2, 2, 3)
    expected = np.round(np.linspace(0, 1, 12) * 255).reshape(3, 2, 2).transpose(1, 2, 0)
    for image in pixels:
        # float32 values: a rounding may fall to the other side.
        np.testing.assert_allclose(image, expected, atol=1)
    assert (pixels.reshape(2, -1).min(axis=1) == 0).all()
    assert (pixels.reshape(2, -1).max(axis=1) == 255).all()


def test_a_gradient_of_zero_is_mid_grey() -> None:
    assert (min_max(torch.zeros(1, 3, 2, 2)) == 128).all()
