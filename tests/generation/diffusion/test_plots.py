"""Plots: what they say is in them, and equal numbers are equal bytes."""

import re
from collections.abc import Sequence
from io import BytesIO

import numpy as np
import pytest
from PIL import Image as Pillow

from generation.diffusion.diagnostics import Stability
from generation.diffusion.plots import PALETTE, Form, Swept, stability_plot, sweep_plot

STEPS, N = 5, 6


def a_stability(seed: int) -> Stability:
    rng = np.random.default_rng(seed)
    norms = rng.lognormal(size=(STEPS, N))
    norms[-1] = 0.0
    cosine = rng.uniform(-1, 1, (STEPS - 1, N))
    cosine[-1] = np.nan
    timesteps = np.array([999, 750, 500, 250, 0])
    return Stability(timesteps=timesteps, levels=timesteps / 999, cosine=cosine, norms=norms)


def words_of(svg: bytes) -> Sequence[str]:
    """The texts of a plot: matplotlib notes each above its outlines."""
    return re.findall(r"<!-- (.*?) -->", svg.decode(), flags=re.DOTALL)


SWEEP = [
    Swept(label="vanilla", scales=[0.5, 1, 2], values=[0.6, 0.7, 0.8], n=[400, 400, 400]),
    Swept(label="robust", scales=[0.5, 2], values=[0.5, 0.9], n=[400, 200]),
]


def test_equal_numbers_give_equal_files_in_every_form() -> None:
    for form in Form:
        assert stability_plot({"a": a_stability(1)}, form=form) == stability_plot({"a": a_stability(1)}, form=form)
        assert sweep_plot(SWEEP, metric="m", form=form) == sweep_plot(SWEEP, metric="m", form=form)


def test_every_form_is_what_it_is_called() -> None:
    files = {form: sweep_plot(SWEEP, metric="accuracy", form=form) for form in Form}
    with Pillow.open(BytesIO(files[Form.PNG])) as picture:
        assert picture.format == "PNG"
        assert picture.width > 1000
    assert files[Form.SVG].startswith(b"<?xml")
    assert b"<svg" in files[Form.SVG]
    assert files[Form.PDF].startswith(b"%PDF")


def test_a_stability_plot_names_its_axes_arms_and_numbers_of_images() -> None:
    svg = stability_plot({"vanilla": a_stability(1), "robust": a_stability(2)}, form=Form.SVG)
    words = " ".join(words_of(svg))
    for word in ("cosine similarity", "norm of the applied gradient", "timestep t", "vanilla", "robust", f"n = {N}"):
        assert word in words
    assert all(colour.lower() in svg.decode() for colour in PALETTE[:2])


def test_a_sweep_names_the_metric_its_series_their_images_and_what_is_not_guided() -> None:
    unguided = [Swept(label="plain (no guidance)", scales=[0], values=[0.55], n=[300])]
    svg = sweep_plot(SWEEP, metric="target accuracy", measured="judge: clean", unguided=unguided, form=Form.SVG)
    words = " ".join(words_of(svg))
    for word in ("target accuracy", "judge: clean", "guidance scale", "vanilla", "robust", "n = 400", "n = 200 to 400"):
        assert word in words
    assert "plain (no guidance)" in words
    assert "n = 300" in words


@pytest.mark.parametrize("name", ["cost $5 or $6", "_hidden", "猫", "a_b^c", "x" * 60, "two words " * 6])
def test_any_name_is_a_label_as_it_stands(name: str) -> None:
    svg = sweep_plot([Swept(label=name, scales=[1, 100], values=[1, 2], n=[5, 5])], metric=name, form=Form.SVG)
    shown = "".join("".join(words_of(svg)).replace("\\$", "$").split())
    assert "".join(name.replace("猫", "□").split()) in shown


def test_many_series_differ_in_more_than_colour() -> None:
    series = [Swept(label=f"arm {i}", scales=[0, 1], values=[i, i + 1], n=[9, 9]) for i in range(9)]
    svg = sweep_plot(series, metric="m", form=Form.SVG).decode()
    assert "stroke-dasharray" in svg
    assert all(f"arm {i}" in " ".join(words_of(svg.encode())) for i in range(9))
