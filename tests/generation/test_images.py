"""Files of images: opaque, bare, found again."""

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from django.core.files.storage import default_storage
from pytest_django import Settings

from generation.images import MadeWith, MissingFile, file_name, read_bytes, save_images
from generation.models import Arm, Batch, Image

pytestmark = pytest.mark.django_db


def unmade(n: int = 2) -> list[Image]:
    batch = Batch.objects.create(name="a batch")
    arm = Arm.objects.create(name="an arm", source=Arm.Source.UPLOADED)
    return Image.objects.bulk_create(Image(batch=batch, arm=arm, class_index=0, seed=seed) for seed in range(n))


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_pixels_come_back_as_they_went_in() -> None:
    images = unmade()
    save_images([(image, noise(image.seed)) for image in images], made_with=MadeWith("2.13", "a CPU", "float32", "ab"))
    for image in Image.objects.all():
        assert (np.asarray(PIL.Image.open(BytesIO(read_bytes(image)))) == noise(image.seed)).all()
        assert (image.width, image.height, image.noise_sha256) == (7, 5, "ab"[image.seed])
        assert (image.torch_version, image.device, image.precision) == ("2.13", "a CPU", "float32")


def test_an_image_made_again_overwrites_its_own_file() -> None:
    images = unmade()
    for seed in (1, 2):
        save_images([(images[0], noise(seed))], made_with=MadeWith())
    assert default_storage.listdir("images")[1] == [images[0].name.removeprefix("images/")]
    assert (np.asarray(PIL.Image.open(BytesIO(read_bytes(images[0])))) == noise(2)).all()


def test_names_cannot_be_guessed_without_the_secret_key(settings: Settings) -> None:
    image = unmade(1)[0]
    before = file_name(image)
    settings.SECRET_KEY = "another"
    assert file_name(image) != before


def test_a_missing_file_is_said_so() -> None:
    made, never_made = unmade()
    with pytest.raises(MissingFile, match="has not been made yet"):
        read_bytes(never_made)
    save_images([(made, noise(0))], made_with=MadeWith())
    default_storage.delete(made.name)
    with pytest.raises(MissingFile, match="is gone from storage"):
        read_bytes(made)
