import numpy as np
import pytest
import torch

from generation.diffusion.datasets import CLASS_LABELS, Ball, SportBalls, draw

MANY = 4000


def test_an_item_is_a_function_of_seed_and_index_alone() -> None:
    forwards, _ = SportBalls(seed=1).examples(range(8))
    backwards, _ = SportBalls(seed=1).examples(range(7, -1, -1))
    assert torch.equal(forwards, backwards.flip(0))
    other, _ = SportBalls(seed=2).examples(range(8))
    assert not torch.equal(forwards, other)


def test_images_are_a_ball_on_a_white_canvas() -> None:
    data = SportBalls(seed=3)
    for index in range(40):
        ball, image = data.ball(index), data.image(index)
        rows = slice(ball.top, ball.top + ball.diameter)
        columns = slice(ball.left, ball.left + ball.diameter)
        outside = np.ones((64, 64), dtype=bool)
        outside[rows, columns] = False
        assert (image[outside] == 255).all()
        # The rim is dark, so that a white ball stands out: some pixel of every edge row is.
        assert image[rows, columns].min() < 90


def test_examples_are_in_the_range_that_networks_expect() -> None:
    x_0, y = SportBalls(seed=3).examples(range(16))
    assert x_0.dtype == torch.float32
    assert x_0.shape == (16, 3, 64, 64)
    assert x_0.max() == 1
    assert -1 <= x_0.min() < -0.5
    assert y.tolist() == [SportBalls(seed=3).ball(index).class_index for index in range(16)]


def test_the_class_tells_nothing_of_position_size_or_rotation() -> None:
    balls = [SportBalls(seed=5).ball(index) for index in range(MANY)]
    classes = np.array([ball.class_index for ball in balls])
    counts = np.bincount(classes, minlength=len(CLASS_LABELS))
    assert counts.min() > 0.22 * MANY
    for name in ("diameter", "rotation", "left", "top"):
        values = np.array([getattr(ball, name) for ball in balls], dtype=float)
        means = np.array([values[classes == c].mean() for c in range(len(CLASS_LABELS))])
        errors = values.std() / np.sqrt(counts)
        # Each class's mean is within four standard errors of the common one.
        assert (np.abs(means - values.mean()) < 4 * errors).all(), name


def test_sizes_rotations_and_positions_cover_their_ranges() -> None:
    balls = [SportBalls(seed=5).ball(index) for index in range(MANY)]
    assert {ball.diameter for ball in balls} == set(range(20, 41))
    assert {0, 359} <= {ball.rotation for ball in balls}
    assert all(0 <= ball.left <= 64 - ball.diameter for ball in balls)
    assert {ball.top for ball in balls if ball.diameter == 40} == set(range(25))


def test_a_rotation_turns_the_markings_and_not_the_light() -> None:
    upright, turned = (draw(Ball(2, 40, rotation, 12, 12), image_size=64) for rotation in (0, 180))
    assert not np.array_equal(upright, turned)
    upper_left, lower_right = (slice(16, 28), slice(36, 48))
    for image in (upright, turned):
        assert image[upper_left, upper_left].mean() > image[lower_right, lower_right].mean()


def test_the_papers_sizes_are_possible_and_impossible_ones_refused() -> None:
    assert {SportBalls(seed=0, diameters=(9, 25)).ball(i).diameter for i in range(400)} == set(range(9, 26))
    with pytest.raises(ValueError, match="don't fit"):
        SportBalls(seed=0, diameters=(20, 65))
