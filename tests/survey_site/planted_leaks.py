"""Leaks to be planted: middleware that tells the arms apart, each in one way, as a careless server would."""

import re
from collections.abc import Callable
from uuid import UUID

import numpy as np
import PIL.Image
from django.core.files.storage import default_storage
from django.http import HttpRequest, HttpResponse
from PIL.PngImagePlugin import PngInfo

from generation.images import read_bytes
from generation.models import Image
from survey_site.models import Study, Trial

GetResponse = Callable[[HttpRequest], HttpResponse]
IMAGE_PATH = re.compile(r"/rate/image/([0-9a-f-]{36})/(left|right)\.png")


def shown(code: str, side: str) -> Image:
    """Return the image that stands on a side of a trial."""
    trial = Trial.objects.with_images().get(code=UUID(code))
    return trial.left_image if side == "left" else trial.right_image


def is_vanilla(image: Image) -> bool:
    return image.arm.name == "vanilla"


class UnsteadyClock:
    """A clock whose readings stray by a millisecond or so, as those of a machine with other work do."""

    def __init__(self) -> None:
        self.now = 0.0
        self.rng = np.random.default_rng(5)

    def read(self) -> float:
        self.now += self.rng.exponential(0.001)
        return self.now


class OnImages:
    """Middleware that spoils the answers to requests for images."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        found = IMAGE_PATH.search(request.path)
        if found:
            self.spoil(response, shown(*found.groups()))
        return response

    def spoil(self, response: HttpResponse, image: Image) -> None:
        raise NotImplementedError


class FileETag(OnImages):
    """The entity tag of a static file server: time of writing and size, in hexadecimal."""

    def spoil(self, response: HttpResponse, image: Image) -> None:
        written = 1_700_000_000 + 900 * is_vanilla(image) + image.seed
        response["ETag"] = f'"{written:x}-2fa"'


class FileDate(OnImages):
    """The arms were made on two days."""

    def spoil(self, response: HttpResponse, image: Image) -> None:
        day = 3 + 14 * is_vanilla(image)
        response["Last-Modified"] = f"Mon, {day:02} Nov 2025 10:{image.seed:02}:00 GMT"


class Unpadded(OnImages):
    """The file as it is."""

    def spoil(self, response: HttpResponse, image: Image) -> None:
        response.content = read_bytes(image)
        response["Content-Length"] = str(len(response.content))


class StorageHeader(OnImages):
    """A proxy that says where it found the file."""

    def spoil(self, response: HttpResponse, image: Image) -> None:
        response["X-Served-By"] = "cache-ams" if is_vanilla(image) else "cache-fra"


class NamedDownload(OnImages):
    """A file name, which a browser offers when the image is saved."""

    def spoil(self, response: HttpResponse, image: Image) -> None:
        response["Content-Disposition"] = f'inline; filename="{image.arm.name[:3]}_{image.seed:05}.png"'


class SlowArm(OnImages):
    """One arm's files lie on a slower disk."""

    clock: "UnsteadyClock"

    def spoil(self, response: HttpResponse, image: Image) -> None:
        SlowArm.clock.now += 0.004 * is_vanilla(image)


class Breaks(OnImages):
    """No leak: the site fails."""

    def spoil(self, response: HttpResponse, image: Image) -> None:
        raise RuntimeError("planted")


class OnPages:
    """Middleware that spoils every text in which an image's address stands."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if response.headers.get("Content-Type", "").startswith(("text/html", "application/json")):
            response.content = self.spoilt(response.content.decode()).encode()
        return response

    def spoilt(self, text: str) -> str:
        raise NotImplementedError


class VersionedAddress(OnPages):
    """Each arm's images have a version of their own behind their address."""

    def spoilt(self, text: str) -> str:
        return IMAGE_PATH.sub(lambda found: f"{found[0]}?v={7 + is_vanilla(shown(*found.groups()))}", text)


class MarkedTag(OnPages):
    """The image's tag has a class by its arm."""

    def spoilt(self, text: str) -> str:
        return re.sub(
            rf'<img src="{IMAGE_PATH.pattern}"',
            lambda found: f'{found[0]} data-column="{1 + is_vanilla(shown(*found.groups()))}"',
            text,
        )


class OrderedByArm(OnPages):
    """The two figures stand in the page in the order of their arms, and are put to their sides by style."""

    def spoilt(self, text: str) -> str:
        figures = re.findall(r'<figure data-side=".*?</figure>', text, flags=re.DOTALL)
        if len(figures) != 2:
            return text
        images = [IMAGE_PATH.search(figure) for figure in figures]
        first, second = sorted((0, 1), key=lambda place: is_vanilla(shown(*images[place].groups())))
        at = [text.index(figure) for figure in figures]
        between = text[at[0] + len(figures[0]) : at[1]]
        return text[: at[0]] + figures[first] + between + figures[second] + text[at[1] + len(figures[1]) :]


class SwappedInApi(OnPages):
    """The API tells whether the sides are swapped."""

    def spoilt(self, text: str) -> str:
        def told(found: re.Match[str]) -> str:
            return f'"swapped":{str(Trial.objects.get(code=found[1]).swapped).lower()},{found[0]}'

        return re.sub(r'"code": ?"([0-9a-f-]{36})"', told, text)


def write_text_into_files(study: Study) -> None:
    """Leave the generator's parameters in one arm's files, as some programs do."""
    for image in _vanilla_images(study):
        note = PngInfo()
        note.add_text("parameters", f"Steps: 50, Seed: {image.seed}")
        _write_again(image, pnginfo=note)


def encode_otherwise(study: Study) -> None:
    """Write one arm's files with another compression."""
    for image in _vanilla_images(study):
        _write_again(image, compress_level=1)


def _vanilla_images(study: Study) -> list[Image]:
    return list(Image.objects.filter(batch__studies=study, arm__name="vanilla"))


def _write_again(image: Image, **options: object) -> None:
    path = default_storage.path(image.name)
    with PIL.Image.open(path) as picture:
        picture.load()
    picture.save(path, "PNG", **options)
