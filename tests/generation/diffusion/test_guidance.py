"""Guided chains against float64 references written without the code under test: see analytic.py."""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor

from generation.diffusion.classifiers import Head
from generation.diffusion.guidance import (
    Guidance,
    Step,
    by_rows,
    guidance_of,
    log_probability,
    wanted_classes,
)
from generation.diffusion.guides import Guide
from generation.diffusion.noise import RecordedNoise
from generation.diffusion.process import Diffusion
from generation.diffusion.recipes import Guidance as By
from generation.diffusion.recipes import Reads, Recipe, Sampler, Stabiliser, Variance
from generation.diffusion.sampling import Model, Weighted, ddim, ddpm
from tests.generation.diffusion import analytic
from tests.generation.diffusion.analytic import (
    CLASSES,
    NULL,
    PIXELS,
    SHAPE,
    STEPS,
    At,
    Floats,
    Level,
    Remembered,
)

ROWS = 3
Y = np.array([0, 2, 1])
WANTED = np.eye(CLASSES, dtype=bool)[Y]
DRAWS: Floats = np.random.default_rng(0).standard_normal((STEPS + 1, ROWS, PIXELS))
GUIDE = Guide(logits=analytic.logits, classes=CLASSES)
DDPM, DDIM = Diffusion.make().respaced(STEPS), Diffusion.make().strided(STEPS)
TOLERANCE = 1e-5


def guided(**settings: object) -> Recipe:
    return Recipe.from_settings({"guidance": By.CLASSIFIER, "scale": 1.5, **settings})


def noise() -> RecordedNoise:
    return RecordedNoise(torch.from_numpy(DRAWS).float().view(STEPS + 1, ROWS, *SHAPE))


def run(recipe: Recipe, *, wanted: npt.NDArray[np.bool_] = WANTED, guide: Guide = GUIDE) -> Floats:
    """The final samples of the code under test, [N, D]."""
    model = Model(analytic.denoiser, torch.from_numpy(Y), variance=recipe.variance)
    guidance = guidance_of(recipe, guide, torch.from_numpy(wanted))
    sampler, process = (ddim, DDIM) if recipe.sampler is Sampler.DDIM else (ddpm, DDPM)
    return sampler(model, process, noise=noise(), guidance=guidance).double().flatten(1).numpy()


def on_x_t(at: At) -> Floats:
    return 1.5 * analytic.log_probability_gradient(at.x_t, at.level.t, WANTED)


def on_x_0(at: At) -> Floats:
    outer = analytic.log_probability_gradient(at.x_0, 0, WANTED)
    return 1.5 * np.einsum("ni,nij->nj", outer, at.through)


def on_detached_x_0(at: At) -> Floats:
    return 1.5 * analytic.log_probability_gradient(at.x_0, 0, WANTED)


def unguided(at: At) -> Floats:
    return np.zeros_like(at.x_t)


READS = [(Reads.X_T, on_x_t), (Reads.X_0, on_x_0), (Reads.DETACHED_X_0, on_detached_x_0)]


def assert_same(mine: Floats, reference: Floats, *, tolerance: float = TOLERANCE) -> None:
    np.testing.assert_allclose(mine, reference, atol=tolerance, rtol=tolerance)


def assert_differs(mine: Floats, other: Floats) -> None:
    """A formula that the chain does not feel would be no test of it."""
    assert np.abs(mine - other).max() > 1e-3


@pytest.mark.parametrize(("reads", "formula"), READS)
@pytest.mark.parametrize("learned", [True, False])
def test_a_ddpm_chain_follows_the_formula_of_what_its_classifier_reads(
    reads: Reads, formula: analytic.Guided, learned: bool
) -> None:
    variance = Variance.LEARNED if learned else Variance.FIXED_SMALL
    mine = run(guided(reads=reads, variance=variance))
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula, learned=learned))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, unguided, learned=learned))


@pytest.mark.parametrize(("reads", "formula"), READS)
def test_a_ddim_chain_follows_the_formula_of_what_its_classifier_reads(reads: Reads, formula: analytic.Guided) -> None:
    mine = run(guided(reads=reads, sampler=Sampler.DDIM))
    assert_same(mine, analytic.ddim(DRAWS, Y, formula))
    assert_differs(mine, analytic.ddim(DRAWS, Y, unguided))


@pytest.mark.parametrize("reads", list(Reads))
def test_what_a_classifier_reads_is_felt(reads: Reads) -> None:
    formulas = dict(READS)
    mine = run(guided(reads=reads))
    for other, formula in formulas.items():
        if other is not reads:
            assert_differs(mine, analytic.ddpm(DRAWS, Y, formula))


def test_the_gradient_through_the_denoiser_agrees_with_finite_differences() -> None:
    x = DRAWS[0]
    level = analytic.chain(analytic.DDPM_CHAIN)[1]

    def probability(flat: Floats) -> float:
        eps = analytic.noise_and_variance(flat, Y)[0]
        x_0 = np.clip((flat - np.sqrt(1 - level.alpha_bar) * eps) / np.sqrt(level.alpha_bar), -1, 1)
        f = analytic.values(x_0, 0)
        return float((f - np.log(np.exp(f).sum(axis=1, keepdims=True)))[WANTED].sum())

    differences = np.zeros_like(x)
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[place] = 1e-6
        differences[place] = (probability(x + step) - probability(x - step)) / 2e-6
    seen = observed(guided(reads=Reads.X_0, scale=1.0), start=x, level=1)
    # The sampler's own tables are float32, hence no closer.
    assert_same(seen, differences, tolerance=1e-4)


def observed(recipe: Recipe, *, start: Floats, level: int) -> Floats:
    """The gradient at one level of the DDPM chain, from x_t = start."""
    gradients: list[Tensor] = []
    process = Diffusion.make().respaced(STEPS)
    single = process._subset(np.array([level]))
    x_t = torch.from_numpy(start).float().view(-1, *SHAPE)
    ddpm(
        Model(analytic.denoiser, torch.from_numpy(Y)),
        single,
        noise=RecordedNoise(torch.stack([x_t, x_t])),
        guidance=guidance_of(recipe, GUIDE, torch.from_numpy(WANTED)),
        observe=lambda _, gradient: gradients.append(gradient),
    )
    return gradients[0].double().flatten(1).numpy()


@pytest.mark.parametrize(("t1", "t2"), [(1.0, 0.5), (2.0, 1.0), (0.0, 1.0), (1.0, 0.0), (0.7, 0.7)])
def test_temperatures_weigh_the_wanted_logit_against_all_of_them(t1: float, t2: float) -> None:
    def formula(at: At) -> Floats:
        return 1.5 * analytic.log_probability_gradient(at.x_0, 0, WANTED, t1=t1, t2=t2)

    recipe = guided(reads=Reads.DETACHED_X_0, joint_temperature=t1, conditional_temperature=t2)
    mine = run(recipe)
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, on_detached_x_0))


def test_logits_too_large_to_exponentiate_still_give_a_gradient() -> None:
    logits = (torch.tensor([[500.0, 499.0, -500.0]])).requires_grad_()
    recipe = guided(joint_temperature=1.0, conditional_temperature=0.5)
    (gradient,) = torch.autograd.grad(
        log_probability(logits, torch.tensor([[True, False, False]]), Head.SOFTMAX, recipe), logits
    )
    share = 1 / (1 + np.exp(-0.5))
    np.testing.assert_allclose(gradient.numpy(), [[1 - 0.5 * share, -0.5 * (1 - share), 0]], atol=1e-6)


def test_the_sine_schedule_adds_to_the_variance_in_the_mean() -> None:
    largest = max(level.posterior for level in analytic.chain(analytic.DDPM_CHAIN))
    steps = iter(range(STEPS))

    def weight(level: Level, variance: Floats) -> Floats:
        return variance + 0.3 * np.sin(np.pi * next(steps) / STEPS) * largest

    mine = run(guided(reads=Reads.DETACHED_X_0, sine_gamma=0.3))
    assert_same(mine, analytic.ddpm(DRAWS, Y, on_detached_x_0, weight=weight))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, on_detached_x_0))


def test_the_sine_schedule_needs_the_variance_of_ddpm() -> None:
    recipe = guided(sine_gamma=0.3)
    model = Model(analytic.denoiser, torch.from_numpy(Y))
    guidance = guidance_of(recipe, GUIDE, torch.from_numpy(WANTED))
    with pytest.raises(ValueError, match="sine schedule belongs to DDPM"):
        ddim(model, DDIM, noise=noise(), guidance=guidance)


@pytest.mark.parametrize(
    ("start", "end", "on"), [(0.0, 0.5, {0, 333}), (0.3, 0.7, {333, 666}), (0.5, 1.0, {666, 999}), (0.4, 0.5, set())]
)
def test_there_is_guidance_inside_the_interval_of_noise_levels_only(start: float, end: float, on: set[int]) -> None:
    def formula(at: At) -> Floats:
        return on_x_t(at) if at.level.t in on else unguided(at)

    mine = run(guided(guided_from=start, guided_until=end))
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, on_x_t))


def test_a_normalised_gradient_has_length_1_in_every_image() -> None:
    def formula(at: At) -> Floats:
        return 5 * unit(on_x_t(at) / 1.5)

    recipe = guided(normalised=True, scale=5.0, variance=Variance.FIXED_SMALL)
    mine = run(recipe)
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula, learned=False))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, on_x_t, learned=False))


def unit(gradient: Floats) -> Floats:
    """g / max(||g||, 1e-4), as published: where all of x_0 is clamped there is no gradient at all."""
    return gradient / np.maximum(np.linalg.norm(gradient, axis=1, keepdims=True), 1e-4)


def _ema(gradient: Floats, past: Remembered) -> Floats:
    return past.mean(gradient, decay=0.8)


def _adam(gradient: Floats, past: Remembered) -> Floats:
    second = past.mean(gradient, decay=0.99, power=2)
    return past.mean(gradient, decay=0.8) / (np.sqrt(second) + 1e-4)


def _adam_corrected(gradient: Floats, past: Remembered) -> Floats:
    n = len(past.seen) + 1
    first = past.mean(gradient, decay=0.8) / (1 - 0.8**n)
    second = past.mean(gradient, decay=0.99, power=2) / (1 - 0.99**n)
    return first / (np.sqrt(second) + 1e-8)


STABILISED: list[tuple[Stabiliser, Callable[[Floats, Remembered], Floats]]] = [
    (Stabiliser.EMA, _ema),
    (Stabiliser.ADAM, _adam),
    (Stabiliser.ADAM_CORRECTED, _adam_corrected),
]


@pytest.mark.parametrize(("stabiliser", "formula"), STABILISED)
@pytest.mark.parametrize("normalised", [False, True])
def test_a_stabilised_chain_follows_its_formula(
    stabiliser: Stabiliser, formula: Callable[[Floats, Remembered], Floats], normalised: bool
) -> None:
    past = Remembered()

    def remembering(at: At) -> Floats:
        gradient = on_x_0(at) / 1.5
        stable = formula(gradient, past)
        past.seen.append(gradient)
        if normalised:
            # GradCheck's order: the moments first, then the length.
            stable = unit(stable)
        return 1.5 * stable

    settings = {"reads": Reads.X_0, "stabiliser": stabiliser, "decay": 0.8, "second_decay": 0.99}
    mine = run(guided(**settings, normalised=normalised, variance=Variance.FIXED_SMALL))
    # ADAM divides by the size of each pixel's gradient, and so enlarges float32's error where that is small.
    assert_same(mine, analytic.ddpm(DRAWS, Y, remembering, learned=False), tolerance=5e-5)
    assert_differs(mine, analytic.ddpm(DRAWS, Y, on_x_0, learned=False))


@pytest.mark.parametrize("stabiliser", [Stabiliser.EMA, Stabiliser.ADAM, Stabiliser.ADAM_CORRECTED])
def test_a_second_run_does_not_remember_the_first(stabiliser: Stabiliser) -> None:
    guidance = guidance_of(guided(stabiliser=stabiliser), GUIDE, torch.from_numpy(WANTED))
    model = Model(analytic.denoiser, torch.from_numpy(Y))
    first, second = (ddpm(model, DDPM, noise=noise(), guidance=guidance) for _ in range(2))
    assert torch.equal(first, second)


@pytest.mark.parametrize("stabiliser", [Stabiliser.EMA, Stabiliser.ADAM, Stabiliser.ADAM_CORRECTED])
def test_a_trajectory_remembers_its_own_gradients_only(stabiliser: Stabiliser) -> None:
    recipe = guided(stabiliser=stabiliser)

    def last(rows: Sequence[int]) -> Tensor:
        x = noise().initial()[list(rows)]
        guidance = guidance_of(recipe, GUIDE, torch.from_numpy(WANTED[list(rows)]))
        assert guidance is not None
        gradients = [guidance(step_at(x * (1 + index), index=index)) for index in range(3)]
        return gradients[-1]

    torch.testing.assert_close(last([0, 1, 2])[1], last([1, 1])[0], atol=1e-6, rtol=1e-5)


def step_at(x_t: Tensor, *, index: int) -> Step:
    t = torch.full((len(x_t),), 500)
    return Step(x_t=x_t, t=t, x_0=x_t, level=0.5, index=index, steps=STEPS, variance=torch.tensor(0.1))


def test_several_wanted_classes_add_their_gradients() -> None:
    both = WANTED.copy()
    both[:, 1] = True

    def formula(at: At) -> Floats:
        parts = []
        for column in range(CLASSES):
            only = both & (np.arange(CLASSES) == column)
            parts.append(analytic.log_probability_gradient(at.x_t, at.level.t, only))
        return 1.5 * np.sum(parts, axis=0)

    mine = run(guided(), wanted=both)
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, on_x_t))


@pytest.mark.parametrize(("t1", "t2"), [(1.0, 1.0), (1.0, 0.0), (1.0, 0.5)])
def test_attributes_follow_the_log_probability_of_the_wanted_side(t1: float, t2: float) -> None:
    def columns(x: Tensor, t: Tensor) -> Tensor:
        plus = analytic.logits(x, t)
        return torch.stack([-plus, plus], dim=2).flatten(1)

    # Row 0: with attribute 0 and without 2; row 1: without 1; row 2: with all of them.
    sides = np.array([[1, 0, -1], [0, -1, 0], [1, 1, 1]])
    wanted = np.stack([sides < 0, sides > 0], axis=2).reshape(ROWS, 2 * CLASSES)

    def formula(at: At) -> Floats:
        f, df = analytic.values(at.x_t, at.level.t), analytic.slopes(at.x_t, at.level.t)
        # d/dx [t1 l - log(1 + exp(t2 l))] for l = side * f; (1 + tanh(z / 2)) / 2 is the sigmoid of any z.
        share = t1 - t2 * (1 + np.tanh(t2 * sides * f / 2)) / 2
        return 1.5 * np.einsum("nk,nkd->nd", sides * share, df)

    guide = Guide(logits=columns, classes=2 * CLASSES, head=Head.SIGMOID)
    mine = run(guided(joint_temperature=t1, conditional_temperature=t2), wanted=wanted, guide=guide)
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula), tolerance=5e-5)
    assert_differs(mine, analytic.ddpm(DRAWS, Y, unguided))


def test_an_attribute_and_its_opposite_are_refused() -> None:
    guide = Guide(logits=analytic.logits, classes=4, head=Head.SIGMOID)
    with pytest.raises(ValueError, match="with and without one attribute"):
        guidance_of(guided(), guide, torch.tensor([[True, True, False, False]]))


def classifier_free(level: Level, x: Floats, y: npt.NDArray[np.int64], *, until: int = 999) -> Floats:
    conditional = analytic.noise_and_variance(x, y)[0]
    null = analytic.noise_and_variance(x, np.full_like(y, NULL))[0]
    return conditional + (1.5 * (conditional - null) if level.t <= until else 0)


def run_free(sampler: Sampler, weight: float, *, until: float = 1.0) -> Floats:
    model = Model(
        analytic.denoiser,
        torch.from_numpy(Y),
        null_class=NULL,
        classifier_free=[Weighted(rows=slice(0, ROWS), weight=weight, guided_until=until)],
    )
    sample, process = (ddim, DDIM) if sampler is Sampler.DDIM else (ddpm, DDPM)
    return sample(model, process, noise=noise()).double().flatten(1).numpy()


@pytest.mark.parametrize("until", [1.0, 0.5])
def test_classifier_free_ddpm_follows_its_formula_with_the_labels_variance(until: float) -> None:
    def eps(x: Floats, y: npt.NDArray[np.int64], level: Level) -> Floats:
        return classifier_free(level, x, y, until=999 if until == 1 else 333)

    mine = run_free(Sampler.DDPM, 1.5, until=until)
    assert_same(mine, analytic.ddpm(DRAWS, Y, unguided, eps=eps))
    assert_differs(mine, analytic.ddpm(DRAWS, Y, unguided))


def test_classifier_free_ddim_follows_its_formula() -> None:
    def eps(x: Floats, y: npt.NDArray[np.int64], level: Level) -> Floats:
        return classifier_free(level, x, y)

    mine = run_free(Sampler.DDIM, 1.5)
    assert_same(mine, analytic.ddim(DRAWS, Y, unguided, eps=eps))
    assert_differs(mine, analytic.ddim(DRAWS, Y, unguided))


@pytest.mark.parametrize("sampler", list(Sampler))
def test_classifier_free_weight_0_is_unguided_bit_for_bit(sampler: Sampler) -> None:
    assert np.array_equal(run_free(sampler, 0.0), run(Recipe(sampler=sampler)))


def test_classifier_free_guidance_of_some_rows_leaves_the_others_alone() -> None:
    middle = Weighted(rows=slice(1, 2), weight=1.5)
    model = Model(analytic.denoiser, torch.from_numpy(Y), null_class=NULL, classifier_free=[middle])
    mine = ddpm(model, DDPM, noise=noise()).double().flatten(1).numpy()
    assert_same(mine[[0, 2]], run(Recipe())[[0, 2]])
    assert_same(mine[1], run_free(Sampler.DDPM, 1.5)[1])


def test_slices_of_rows_may_ask_for_different_things() -> None:
    recipes = [guided(reads=Reads.DETACHED_X_0), None, guided(reads=Reads.X_0)]
    parts: list[tuple[slice, Guidance | None]] = [
        (slice(i, i + 1), recipe and guidance_of(recipe, GUIDE, torch.from_numpy(WANTED[i : i + 1])))
        for i, recipe in enumerate(recipes)
    ]
    model = Model(analytic.denoiser, torch.from_numpy(Y))
    mine = ddpm(model, DDPM, noise=noise(), guidance=by_rows(parts)).double().flatten(1).numpy()
    expected = [analytic.ddpm(DRAWS, Y, formula)[i] for i, formula in enumerate([on_detached_x_0, unguided, on_x_0])]
    assert_same(mine, np.stack(expected))


def test_latents_are_classified_as_the_images_they_decode_to() -> None:
    factor = 0.5

    def formula(at: At) -> Floats:
        return 1.5 * factor * analytic.log_probability_gradient(factor * at.x_0, 0, WANTED)

    guidance = guidance_of(
        guided(reads=Reads.DETACHED_X_0), GUIDE, torch.from_numpy(WANTED), decode=lambda x: factor * x
    )
    model = Model(analytic.denoiser, torch.from_numpy(Y))
    mine = ddpm(model, DDPM, noise=noise(), guidance=guidance).double().flatten(1).numpy()
    assert_same(mine, analytic.ddpm(DRAWS, Y, formula))


def test_the_observer_sees_the_gradient_times_the_scale() -> None:
    seen: list[tuple[Step, Tensor]] = []
    model = Model(analytic.denoiser, torch.from_numpy(Y))
    guidance = guidance_of(guided(), GUIDE, torch.from_numpy(WANTED))
    ddpm(model, DDPM, noise=noise(), guidance=guidance, observe=lambda step, g: seen.append((step, g)))
    assert [step.index for step, _ in seen] == [0, 1, 2, 3]
    assert [step.level for step, _ in seen] == pytest.approx([1, 666 / 999, 333 / 999, 0])
    for step, gradient in seen:
        expected = 1.5 * analytic.log_probability_gradient(
            step.x_t.double().flatten(1).numpy(), float(step.t[0]), WANTED
        )
        assert_same(gradient.double().flatten(1).numpy(), expected)


def test_a_recipe_that_needs_a_classifier_and_has_none_is_refused() -> None:
    with pytest.raises(ValueError, match="guided by a classifier, but none was given"):
        guidance_of(guided(), None, torch.from_numpy(WANTED))


def test_wanted_classes_are_marked_in_their_rows() -> None:
    assert wanted_classes([[0], [2, 1]], classes=3).tolist() == [[True, False, False], [False, True, True]]


@pytest.mark.parametrize("requested", [[[3]], [[-1]], [[]], [[0], [1, 3]]])
def test_a_class_out_of_range_is_refused(requested: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"asks for classes .*; there are classes 0 to 2\."):
        wanted_classes(requested, classes=3)
