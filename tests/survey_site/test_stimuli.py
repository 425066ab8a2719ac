"""The images that raters get: their own, as long as the study is open, and nothing in them tells one from the other."""

from io import BytesIO

import numpy as np
import PIL.Image
import pytest
from django.test import Client
from django.urls import reverse

from generation.images import encode_png, read_bytes
from survey_site.blinding.png_facts import facts_of
from survey_site.models import Rater, Study, Trial
from survey_site.studies import close_study, pause_study
from survey_site.voting.withdrawals import withdraw
from tests.factories import drawn_ball, make_study_with_files

pytestmark = pytest.mark.django_db


@pytest.fixture
def study(client: Client) -> Study:
    """A study that the browser has entered."""
    study = make_study_with_files(3)
    client.post(reverse("rate-enter", args=[study.slug]))
    return study


def address(trial: Trial, side: str) -> str:
    return reverse(f"rate-image-{side}", args=[trial.code])


def test_both_images_of_a_pair_come_in_equally_many_bytes_that_decode_to_their_pixels(
    client: Client, study: Study
) -> None:
    for trial in Trial.objects.with_images():
        assert trial.left_image.n_bytes != trial.right_image.n_bytes
        sent = {side: client.get(address(trial, side)).content for side in ("left", "right")}
        assert len(sent["left"]) == len(sent["right"])
        for side, image in (("left", trial.left_image), ("right", trial.right_image)):
            with PIL.Image.open(BytesIO(sent[side])) as shown, PIL.Image.open(BytesIO(read_bytes(image))) as kept:
                assert np.array_equal(np.asarray(shown), np.asarray(kept))


def test_what_makes_the_shorter_file_longer_does_not_pack_away(client: Client, study: Study) -> None:
    trial = Trial.objects.with_images()[0]
    short, long = sorted((trial.left_image, trial.right_image), key=lambda image: image.n_bytes)
    side = "left" if short == trial.left_image else "right"
    assert client.get(address(trial, side)).content == read_bytes(short) + read_bytes(long)[short.n_bytes :]


def test_the_answer_says_nothing_about_its_file_and_forbids_to_pack_it_anew(client: Client, study: Study) -> None:
    response = client.get(address(Trial.objects.all()[0], "left"))
    assert not {"ETag", "Last-Modified", "Content-Disposition", "Age", "Expires"} & set(response.headers)
    told = response.headers["Cache-Control"].split(", ")
    assert {"private", "immutable", "no-transform", "max-age=3600"} <= set(told)


def test_images_are_gone_once_the_study_is_closed_but_not_while_it_pauses(client: Client, study: Study) -> None:
    path = address(Trial.objects.all()[0], "left")
    pause_study(study)
    assert client.get(path).status_code == 200
    close_study(study)
    assert client.get(path).status_code == 404


def test_images_of_a_rater_who_withdrew_are_gone(client: Client, study: Study) -> None:
    path = address(Trial.objects.all()[0], "left")
    withdraw(Rater.objects.get())
    assert client.get(path).status_code == 404


def test_an_address_without_its_raters_cookie_leads_nowhere(client: Client, study: Study) -> None:
    path = address(Trial.objects.all()[0], "right")
    stranger, neighbour = Client(), Client()
    neighbour.post(reverse("rate-enter", args=[study.slug]))
    assert [other.get(path).status_code for other in (stranger, neighbour)] == [404, 404]


def test_both_files_are_read_for_either_side(client: Client, study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    read = []

    def noted(image: object) -> bytes:
        read.append(image)
        return read_bytes(image)

    monkeypatch.setattr("survey_site.views.stimuli.read_bytes", noted)
    trial = Trial.objects.with_images()[0]
    for side in ("left", "right"):
        client.get(address(trial, side))
    assert read == [trial.left_image, trial.right_image] * 2


def test_a_file_of_ours_is_known_as_ours_and_another_encoders_is_not() -> None:
    pixels = drawn_ball(0, noise=0)
    own = encode_png(pixels).data
    other = BytesIO()
    PIL.Image.fromarray(pixels).save(other, "PNG", compress_level=0)
    assert facts_of(own, other=own).is_own
    assert facts_of(own + b"tail", other=own + b"long tail").tail == "the other's end"
    assert facts_of(own + b"\0\0", other=own).tail == "zeros"
    strange = facts_of(other.getvalue(), other=own)
    assert not strange.is_own
    assert strange.beyond_pixels > 0
    assert facts_of(b"GIF89a", other=own).kind.startswith("no PNG")
