from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.global_corruptions.axis_scaling import AxisScaling, stretching
from datasets.anomalies.global_corruptions.bias_field import BiasField, biased
from datasets.anomalies.global_corruptions.contrast_drift import ContrastDrift, drifted
from datasets.anomalies.global_corruptions.shear import Shear, sliding
from datasets.anomalies.global_corruptions.smooth_warp import CYCLES, WAVES, SmoothWarp, bending
from datasets.anomalies.global_corruptions.swirl import Swirl, swirling
from datasets.anomalies.scene import DIFFICULTIES, Scene
from datasets.anomalies.warps import linear, warped, warped_scan
from datasets.anomalies.waves import draw_waves, planes
from tests.unit.datasets.conftest import scene


@lru_cache
def _scene(population: str, seed: int) -> Scene:
    return scene(population, seed)


Floats = NDArray[np.float32]
SHAPE = (40, 36, 32)


def _ball(shape: tuple[int, int, int] = SHAPE, radius: float = 9.0) -> Floats:
    """A soft ball in the middle."""
    places = np.meshgrid(*[np.arange(n) - (n - 1) / 2 for n in shape], indexing="ij")
    away = np.sqrt(sum(place**2 for place in places))
    return np.clip(radius + 0.5 - away, 0, 1).astype(np.float32)


def _widths(image: Floats) -> NDArray[np.float64]:
    """Standard deviation of the mass along each axis."""
    places = np.meshgrid(*[np.arange(n, dtype=float) for n in image.shape], indexing="ij")
    mass = image / image.sum()
    return np.sqrt([float((mass * (p - (mass * p).sum()) ** 2).sum()) for p in places])


def _smooth(seed: int = 0) -> Floats:
    noise = np.random.default_rng(seed).standard_normal(SHAPE)
    return ndimage.gaussian_filter(noise, 2.5).astype(np.float32)


def test_no_displacement_leaves_every_bit_as_it_was() -> None:
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    assert np.array_equal(warped(image, np.zeros((3, 2, 3, 4))), image)


def test_a_displacement_of_whole_voxels_moves_them_and_fills_what_comes_in() -> None:
    image = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    displacement = np.zeros((3, 2, 2, 2))
    displacement[0], displacement[2] = 3, -2
    moved = warped(image, displacement, fill=7.0)
    assert np.array_equal(moved[:-3, :, 2:], image[3:, :, :-2])
    assert np.all(moved[-3:] == 7)
    assert np.all(moved[:, :, :2] == 7)


def test_a_warp_agrees_with_cubic_interpolation_of_a_smooth_image() -> None:
    image = _smooth()
    matrix = np.array([[0.95, 0.1, 0.0], [-0.1, 0.97, 0.05], [0.02, 0.0, 1.03]])
    ours = warped(image, linear(SHAPE, matrix))
    middle = (np.array(SHAPE) - 1) / 2
    theirs = ndimage.affine_transform(image, matrix, middle - matrix @ middle, order=3, mode="nearest")
    inside = (slice(5, -5),) * 3
    assert np.abs(ours - theirs)[inside].max() < 0.02 * np.ptp(image)


def test_a_warp_never_leaves_the_range_of_the_image() -> None:
    image = (np.random.default_rng(1).random(SHAPE) > 0.5).astype(np.float32)
    moved = warped(image, np.random.default_rng(2).normal(0, 2, (3, 5, 5, 5)))
    assert moved.min() >= 0
    assert moved.max() <= 1


def test_a_stripped_scan_stays_empty_outside_its_warped_foreground() -> None:
    subject = _scene("brain", 0).subject
    displacement = np.zeros((3, 2, 2, 2))
    displacement[1] = 0.3
    image = warped_scan(subject, displacement)
    shown = image > 0
    assert not shown[~ndimage.binary_dilation(subject.foreground, iterations=2)].any()
    assert abs(int(shown.sum()) - int((subject.image > 0).sum())) < 0.03 * shown.sum()


def test_waves_have_variance_one_and_the_stated_cycles() -> None:
    field = np.stack(list(planes(((3.0, 0.0, 0.0, 0.4), (0.0, 2.0, 1.0, 1.0)), SHAPE)))
    assert field.std() == pytest.approx(1.0, rel=1e-3)
    spectrum = np.abs(np.fft.fftn(field))
    top = {tuple(int(i) for i in np.unravel_index(n, SHAPE)) for n in np.argsort(spectrum, axis=None)[-4:]}
    assert top == {(3, 0, 0), (SHAPE[0] - 3, 0, 0), (0, 2, 1), (0, SHAPE[1] - 2, SHAPE[2] - 1)}


def test_a_smooth_warp_moves_voxels_by_the_stated_amount_and_folds_nothing() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        amount = 0.03
        waves = [draw_waves(rng, WAVES, CYCLES) for _ in range(3)]
        moves = bending(SmoothWarp(amount, waves[0], waves[1], waves[2]), SHAPE)
        assert np.sqrt((moves**2).sum(axis=0).mean()) == pytest.approx(amount * min(SHAPE), rel=0.5)
        steps = [(size - 1) / (moves.shape[1] - 1) for size in SHAPE]
        slopes = np.stack([np.stack(np.gradient(part, *steps)) for part in moves])
        turned = np.moveaxis(slopes, (0, 1), (-2, -1)) + np.eye(3)
        assert np.linalg.det(turned).min() > 0.1


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("scale", [0.85, 1.15])
def test_scaling_changes_the_size_along_its_axis_alone(axis: int, scale: float) -> None:
    ball = _ball()
    after = warped(ball, stretching(AxisScaling(axis, scale), SHAPE))
    expected = np.ones(3)
    expected[axis] = scale
    assert _widths(after) / _widths(ball) == pytest.approx(expected, rel=0.02)


def test_a_shear_moves_each_plane_by_slope_times_its_distance() -> None:
    image = np.zeros(SHAPE, np.float32)
    image[20] = 1
    after = warped(image, sliding(Shear(along=0, across=2, slope=0.4), SHAPE))
    for z in (4, 16, 27):
        line = after[:, 18, z]
        middle = float(line @ np.arange(SHAPE[0]) / line.sum())
        assert middle == pytest.approx(20 + 0.4 * (z - 15.5), abs=0.1)


def test_a_swirl_turns_the_middle_by_its_angle_and_nothing_beyond_its_reach() -> None:
    swirl = Swirl(axis=2, angle=0.5, reach=0.4)
    away = swirling(swirl, (41, 41, 41))
    near, middle = 22, 20
    assert away[:, near, middle, middle] == pytest.approx(
        [2 * np.cos(0.49) - 2, 2 * np.sin(0.49), 0], abs=0.03
    )
    assert not away[:, :4].any()
    places = np.stack(np.meshgrid(*[np.arange(41) - 20.0] * 3, indexing="ij"))
    assert np.linalg.norm(places + away, axis=0) == pytest.approx(np.linalg.norm(places, axis=0))


def test_a_bias_field_is_smooth_and_has_the_stated_deviation() -> None:
    waves = draw_waves(np.random.default_rng(0), 4, (1.0, 1.1))
    field = np.log(biased(np.full(SHAPE, 0.5, np.float32), BiasField(0.1, waves)) / 0.5)
    assert field.std() == pytest.approx(0.1, rel=0.5)
    for axis in range(3):
        assert np.abs(np.diff(field, axis=axis)).max() < 0.1 * 2.9 * 2 * np.pi * 1.1 / min(SHAPE)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_drifting_contrast_keeps_dark_and_one_and_has_opposite_exponents_at_both_ends(axis: int) -> None:
    for value in (0.2, 1.0):
        grey = np.full(SHAPE, value, np.float32)
        assert drifted(grey, ContrastDrift(axis, 0.4, 0.2)) == pytest.approx(grey, abs=1e-6)
    half = np.moveaxis(drifted(np.full(SHAPE, 0.5, np.float32), ContrastDrift(axis, 0.4, 0.0)), axis, 0)
    assert half[0] == pytest.approx(np.full(half[0].shape, 0.5 ** np.exp(-0.4)), rel=1e-5)
    assert half[-1] == pytest.approx(np.full(half[0].shape, 0.5 ** np.exp(0.4)), rel=1e-5)


@pytest.mark.parametrize("population", ["brain", "abdomen"])
def test_the_mild_ones_keep_the_grey_values_that_scans_have(population: str) -> None:
    where = _scene(population, 2)
    image = where.subject.image
    for kind in (SmoothWarp, AxisScaling, Shear, Swirl, ContrastDrift):
        for difficulty in DIFFICULTIES:
            after = kind.draw(np.random.default_rng(3), where, difficulty).apply(where)
            assert image.min() - 1e-6 <= after.min() <= after.max() <= max(image.max(), 1.0) * 1.02
