from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.alterations.breathing import Breathing, breathed
from datasets.anomalies.alterations.flip import Flip, flipped
from datasets.anomalies.alterations.gamma import Gamma, bent
from datasets.anomalies.alterations.inverted_contrast import InvertedContrast, inverted
from datasets.anomalies.alterations.motion import Motion, moved
from datasets.anomalies.alterations.rotation import Rotation, turning
from datasets.anomalies.alterations.thick_slices import ThickSlices, thickened
from datasets.anomalies.alterations.tones import quantiles
from datasets.anomalies.alterations.wrong_window import WrongWindow, windowed
from datasets.anomalies.scene import DIFFICULTIES, Scene
from datasets.anomalies.warps import warped
from datasets.populations.subject import Subject
from tests.unit.datasets.conftest import scene


@lru_cache
def _scene(population: str, seed: int) -> Scene:
    return scene(population, seed)


Floats = NDArray[np.float32]
SHAPE = (20, 22, 24)


def _image(seed: int = 0) -> Floats:
    return np.random.default_rng(seed).random(SHAPE, dtype=np.float32)


def _subject(image: Floats, stripped: bool = False) -> Subject:
    foreground = np.zeros(image.shape, bool)
    foreground[4:-4, 4:-4, 4:-4] = True
    return Subject(np.where(foreground | (not stripped), image, 0), foreground, 0.02, stripped)


@pytest.mark.parametrize("axes", [(0,), (1,), (2,), (1, 2)])
def test_a_flip_reverses_its_axes_and_twice_is_no_flip(axes: tuple[int, ...]) -> None:
    image, flip = _image(), Flip(axes)
    assert not np.array_equal(flipped(image, flip), image)
    assert np.array_equal(flipped(flipped(image, flip), flip), image)
    corner = tuple(-1 if axis in axes else 0 for axis in range(3))
    assert flipped(image, flip)[0, 0, 0] == image[corner]


def test_brains_which_come_both_ways_round_are_never_flipped_right_to_left_alone() -> None:
    where = Scene(_subject(_image()), population="brain")
    for difficulty in DIFFICULTIES:
        for seed in range(20):
            assert 0 not in Flip.draw(np.random.default_rng(seed), where, difficulty).axes


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_four_quarter_turns_are_none_and_one_moves_voxels_to_the_next_axis(axis: int) -> None:
    image = np.random.default_rng(0).random((15, 15, 15), dtype=np.float32)
    quarter = turning(Rotation(axis, np.pi / 2), image.shape)
    turned = image
    for _ in range(4):
        turned = warped(turned, quarter, 0.0)
    assert turned == pytest.approx(image, abs=1e-4)
    first, second = (axis + 1) % 3, (axis + 2) % 3
    assert warped(image, quarter, 0.0) == pytest.approx(np.rot90(image, 1, (first, second)), abs=1e-4)


def test_gamma_fixes_zero_and_one_and_its_inverse_brings_the_rest_back() -> None:
    ends = np.array([[[0.0, 1.0, -0.1]]], np.float32)
    assert bent(ends, Gamma(2.2)).ravel().tolist() == [0, 1, 0]
    image = _image()
    assert (bent(image, Gamma(2.2)) <= image).all()
    assert bent(bent(image, Gamma(2.2)), Gamma(1 / 2.2)) == pytest.approx(image, abs=1e-5)


def test_a_window_is_linear_inside_and_cut_off_outside() -> None:
    image = np.array([[[0.1, 0.2, 0.4, 0.6, 0.9]]], np.float32)
    assert windowed(image, WrongWindow(0.2, 0.6)).ravel() == pytest.approx([0, 0, 0.5, 1, 1])


def test_a_drawn_window_cuts_off_the_stated_share_of_the_anatomy() -> None:
    where = _scene("abdomen", 1)
    for seed in range(5):
        window = WrongWindow.draw(np.random.default_rng(seed), where, "easy")
        seen = where.subject.image[where.subject.foreground]
        assert 0.35 < np.mean((seen < window.low) | (seen > window.high)) < 0.65


def test_quantiles_are_those_of_the_anatomy() -> None:
    subject = _scene("brain", 1).subject
    low, high = quantiles(subject, 0.1, 0.9)
    inside = subject.image[subject.foreground]
    assert [np.mean(inside < low), np.mean(inside < high)] == pytest.approx([0.1, 0.9], abs=0.01)


def test_inverting_everything_twice_gives_the_scan_back() -> None:
    image = _image()
    negative = inverted(_subject(image), InvertedContrast(0.5, True))
    assert negative == pytest.approx(1 - image, abs=1e-6)
    assert inverted(_subject(negative), InvertedContrast(0.5, True)) == pytest.approx(image, abs=1e-6)


def test_beyond_the_fold_bright_is_dark_and_below_it_nothing_changes() -> None:
    image = _image()
    after = inverted(_subject(image), InvertedContrast(0.7, False))
    assert np.array_equal(after[image <= 0.7], image[image <= 0.7])
    assert after[image > 0.7] == pytest.approx(1.4 - image[image > 0.7], abs=1e-6)


def test_a_negative_of_a_stripped_scan_is_still_empty_outside() -> None:
    subject = _subject(_image(), stripped=True)
    assert not inverted(subject, InvertedContrast(0.5, True))[~subject.foreground].any()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_thick_slices_are_constant_within_and_keep_the_mean(axis: int) -> None:
    image = _image()
    after = np.moveaxis(thickened(image, ThickSlices(axis, 4, False)), axis, 0)
    before = np.moveaxis(image, axis, 0)
    for start in range(0, len(before), 4):
        assert after[start : start + 4].mean() == pytest.approx(before[start : start + 4].mean(), rel=1e-4)
        assert np.array_equal(after[start], after[min(start + 3, len(after) - 1)])


def test_smooth_thick_slices_keep_a_ramp_between_the_first_and_last_middle() -> None:
    ramp = np.broadcast_to(np.arange(24, dtype=np.float32), SHAPE)
    after = thickened(ramp, ThickSlices(2, 4, True))
    assert after[0, 0, 2:22] == pytest.approx(np.arange(2, 22), abs=1e-4)
    assert after[0, 0, 0] == after[0, 0, 1] == 1.5


def test_a_head_that_moves_before_the_first_line_is_only_elsewhere() -> None:
    image = ndimage.gaussian_filter(_image(), 1.5, mode="wrap")
    motion = Motion(0, 2, (0.0,), ((2 / SHAPE[0], 3 / SHAPE[2]),))
    assert moved(_subject(image), motion) == pytest.approx(np.roll(image, (2, 3), (0, 2)), abs=1e-4)


def test_a_head_that_moves_in_between_leaves_ghosts_along_the_lines_alone() -> None:
    image = np.zeros(SHAPE, np.float32)
    image[10, 11, 12] = 1
    after = moved(_subject(image), Motion(1, 2, (0.3, 0.55), ((0.1, 0.0), (-0.1, 0.0))))
    assert after[10, 11, 12] < 0.8
    assert (after[10, :, 12] > 0.02).sum() > 6
    after[10, :, 12] = 0
    assert after.max() < 1e-5


def test_breathing_moves_the_belly_as_often_as_stated_and_never_the_table() -> None:
    away = breathed(Breathing(breaths=5, rise=0.03, slide=0.01, phase=0.0, prone=False), (20, 40, 200))
    assert not away[:, :, 0].any()
    assert np.abs(away[1]).max() == pytest.approx(0.03 * 40, rel=0.01)
    assert np.abs(np.fft.rfft(away[1, 0, -1])[1:]).argmax() + 1 == 5
    prone = breathed(Breathing(breaths=5, rise=0.03, slide=0.01, phase=0.0, prone=True), (20, 40, 200))
    assert not prone[:, :, -1].any()
    assert np.array_equal(prone[1], -away[1, :, ::-1])
