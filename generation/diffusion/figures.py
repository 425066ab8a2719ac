"""Pictures of pictures: contact sheets."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image as Pillow

Pixels = npt.NDArray[np.uint8]
GREY = 128


def contact_sheet(rows: Sequence[Pixels], *, gap: int = 2, zoom: int = 1) -> Pillow.Image:
    """Rows of images, each uint8 [N, H, W, 3] of one N and size, on grey, `gap` px apart, enlarged `zoom` times."""
    bordered = [np.concatenate([_bordered(image, gap) for image in row], axis=1) for row in rows]
    sheet = Pillow.fromarray(np.concatenate(bordered, axis=0))
    size = (sheet.width * zoom, sheet.height * zoom)
    return sheet.resize(size, Pillow.Resampling.NEAREST)


def _bordered(image: Pixels, gap: int) -> Pixels:
    return np.pad(image, ((gap, gap), (gap, gap), (0, 0)), constant_values=GREY)
