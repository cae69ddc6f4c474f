from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.anomalies.destructions.constant_slices import ConstantSlices, overwritten
from datasets.anomalies.destructions.cropping import Cropping, cropped
from datasets.anomalies.destructions.kspace_spikes import KspaceSpikes, striped
from datasets.anomalies.destructions.nyquist_ghost import NyquistGhost, ghosted
from datasets.anomalies.destructions.repeated_slab import RepeatedSlab, repeated
from datasets.anomalies.destructions.ring_artefact import RingArtefact, ringed
from datasets.anomalies.destructions.salt_and_pepper import SaltAndPepper, peppered
from datasets.anomalies.destructions.shown import shown
from datasets.anomalies.destructions.swapped_slices import SwappedSlices, reordered
from datasets.anomalies.destructions.wrong_scaling import WrongScaling, rescaled
from datasets.anomalies.scene import DIFFICULTIES, Difficulty, Scene
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


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_swapped_slices_are_a_permutation_and_twice_swapped_are_none(axis: int) -> None:
    image, swapped = _image(), SwappedSlices(axis, ((3, 7), (12, 9)))
    before, after = (np.moveaxis(part, axis, 0) for part in (image, reordered(image, swapped)))
    order = list(range(len(before)))
    order[3], order[7], order[12], order[9] = 7, 3, 9, 12
    assert np.array_equal(after, before[order])
    assert np.array_equal(reordered(reordered(image, swapped), swapped), image)


def test_no_slice_is_drawn_for_two_swaps_and_all_show_anatomy() -> None:
    where = _scene("abdomen", 0)
    for difficulty in DIFFICULTIES:
        for seed in range(10):
            drawn = SwappedSlices.draw(np.random.default_rng(seed), where, difficulty)
            slices = [index for pair in drawn.pairs for index in pair]
            assert len(slices) == len(set(slices)) >= 2
            assert set(slices) <= set(shown(where.subject, drawn.axis).tolist())


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_constant_slices_hold_one_value_where_they_are_not_spared(axis: int) -> None:
    image = _image()
    result = overwritten(_subject(image), ConstantSlices(axis, (5, 9), 0.3, 0.25))
    before, after = np.moveaxis(image, axis, 0), np.moveaxis(result, axis, 0)
    spared = round(0.25 * after.shape[1])
    assert np.all(after[[5, 9], spared:] == np.float32(0.3))
    assert np.array_equal(after[[5, 9], :spared], before[[5, 9], :spared])
    others = [index for index in range(len(after)) if index not in (5, 9)]
    assert np.array_equal(after[others], before[others])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_repeated_slab_is_what_lies_before_it(axis: int) -> None:
    image = _image()
    before, after = (
        np.moveaxis(part, axis, 0) for part in (image, repeated(image, RepeatedSlab(axis, 9, 4)))
    )
    assert np.array_equal(after[9:13], before[5:9])
    assert np.array_equal(after[:9], before[:9])
    assert np.array_equal(after[13:], before[13:])


def test_a_spike_adds_a_sinusoid_of_the_stated_frequency_and_amplitude() -> None:
    flat = np.full(SHAPE, 0.5, np.float32)
    spike = (3 / SHAPE[0], 2 / SHAPE[1], 5 / SHAPE[2], 0.7, 0.2)
    added = striped(_subject(flat), KspaceSpikes((spike,))) - flat
    spectrum = np.fft.fftn(added) / added.size
    assert 2 * spectrum[3, 2, 5] == pytest.approx(0.2 * np.exp(0.7j), abs=1e-5)
    spectrum[3, 2, 5] = spectrum[-3, -2, -5] = 0
    assert np.abs(spectrum).max() < 1e-6


def test_a_ghost_is_the_scan_half_a_side_away() -> None:
    image = np.zeros(SHAPE, np.float32)
    image[3, 8, 9] = 1
    after = ghosted(_subject(image), NyquistGhost(0, 0.25, 0.4))
    assert after[3, 8, 9] == pytest.approx(0.75)
    assert after[13, 8, 9] == pytest.approx(0.25)
    assert after.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", [KspaceSpikes, NyquistGhost])
def test_artefacts_of_k_space_stay_inside_a_stripped_brain(kind: type[KspaceSpikes | NyquistGhost]) -> None:
    where = _scene("brain", 0)
    after = kind.draw(np.random.default_rng(0), where, "easy").apply(where)
    assert not after[~where.subject.foreground].any()
    assert after.min() >= 0


def test_rings_lie_around_their_middle_and_are_the_same_in_all_slices() -> None:
    flat = np.full((41, 41, 6), 0.5, np.float32)
    after = ringed(flat, RingArtefact(20.0, 20.0, 1.0, ((10.0, 0.1), (16.0, -0.05))))
    assert [after[30, 20, 0], after[20, 10, 3], after[36, 20, 0]] == pytest.approx([0.6, 0.6, 0.45])
    assert after[25, 20, 0] == pytest.approx(0.5)
    assert np.array_equal(after[..., 0], after[..., 5])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_outside_a_cropped_field_of_view_there_is_one_value(axis: int) -> None:
    image = _image()
    result = cropped(image, Cropping(axis, 3, 15, 0.05))
    before, after = np.moveaxis(image, axis, 0), np.moveaxis(result, axis, 0)
    assert np.array_equal(after[3:15], before[3:15])
    assert np.all(after[:3] == np.float32(0.05))
    assert np.all(after[15:] == np.float32(0.05))


@pytest.mark.parametrize(("difficulty", "least", "most"), [("easy", 0.2, 0.4), ("hard", 0.03, 0.15)])
def test_cropping_takes_the_stated_share_of_the_slices(
    difficulty: Difficulty, least: float, most: float
) -> None:
    where = _scene("brain", 0)
    for seed in range(15):
        drawn = Cropping.draw(np.random.default_rng(seed), where, difficulty)
        slices = shown(where.subject, drawn.axis)
        gone = np.mean((slices < drawn.first) | (slices >= drawn.stop))
        assert least < gone < most


def test_a_wrong_slope_leaves_few_values_and_starts_again_at_the_limit() -> None:
    image = np.array([[[0.04, 0.11, 0.39, 0.41, 0.55, 0.79]]], np.float32)
    after = rescaled(image, WrongScaling(0.1, 0.4))
    assert after.ravel() == pytest.approx([0, 0.1, 0.3, 0, 0.1, 0.3])
    assert len(np.unique(rescaled(_image(), WrongScaling(0.1, 0.4)))) == 4


def test_salt_and_pepper_are_as_frequent_as_stated_and_leave_the_rest() -> None:
    image = np.full((50, 50, 50), 0.5, np.float32)
    after = peppered(_subject(image), SaltAndPepper(0.02, 0.9, 7))
    assert [np.mean(after == 0), np.mean(after == np.float32(0.9))] == pytest.approx([0.01, 0.01], rel=0.15)
    assert np.mean(after == 0.5) == pytest.approx(0.98, abs=0.002)
    brain = peppered(_subject(image, stripped=True), SaltAndPepper(0.02, 0.9, 7))
    assert not brain[:4].any()


def test_a_scan_without_anatomy_cannot_be_destroyed() -> None:
    empty = Subject(np.zeros(SHAPE, np.float32), np.zeros(SHAPE, bool), 0.02, False)
    with pytest.raises(ValueError, match="no anatomy to destroy"):
        SwappedSlices.draw(np.random.default_rng(0), Scene(empty), "easy")
