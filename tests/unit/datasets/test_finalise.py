from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import ndimage

from datasets.finalise import LEVELS, finalise
from datasets.kernels.shifting import shifted
from datasets.plan import POPULATIONS
from datasets.populations.subject import Subject
from tests.unit.datasets.conftest import EXTENT_MM

BOTH = ["abdomen", "brain"]
SIDES = 32


@cache
def person(population: str) -> Subject:
    x, y, z = (mm / SIDES for mm in EXTENT_MM[population])
    return POPULATIONS[population].draw(np.random.default_rng(0), (SIDES,) * 3, (x, y, z))


@pytest.mark.parametrize("population", BOTH)
def test_a_finished_scan_lies_in_the_unit_range_on_the_same_levels_as_all_others(population: str) -> None:
    subject = person(population)
    finished = finalise(POPULATIONS[population], subject, subject.image, None, np.random.default_rng(0))
    assert finished.mask is None
    assert finished.image.dtype == np.float32
    assert finished.image.min() >= 0
    assert finished.image.max() <= 1
    assert np.array_equal(finished.image * LEVELS, np.round(finished.image * LEVELS))


def test_a_brain_is_exactly_zero_around_and_an_abdomen_is_not() -> None:
    brain, abdomen = person("brain"), person("abdomen")
    stripped = finalise(POPULATIONS["brain"], brain, brain.image, None, np.random.default_rng(0)).image
    clothed = finalise(POPULATIONS["abdomen"], abdomen, abdomen.image, None, np.random.default_rng(0)).image
    assert (stripped[~brain.foreground] == 0).mean() > 0.97
    assert (clothed[~abdomen.foreground] == 0).mean() < 0.05


def test_the_resampling_is_linear_with_its_border_continued() -> None:
    image = np.random.default_rng(0).random((7, 8, 9), dtype=np.float32)
    for shift in ([0.3, -0.4, 0.1], [-0.2, 0.0, 0.4]):
        moved = np.empty_like(image)
        shifted(image, np.array(shift), moved)
        expected = ndimage.shift(image, shift, order=1, mode="nearest")
        assert np.allclose(moved, expected, atol=1e-6)


@pytest.mark.parametrize("population", BOTH)
def test_two_scans_of_one_subject_share_no_noise(population: str) -> None:
    subject = person(population)
    first, second = (
        finalise(POPULATIONS[population], subject, subject.image, None, np.random.default_rng(seed)).image
        for seed in (0, 1)
    )
    assert (first != second)[subject.foreground].mean() > 0.9


def test_a_bright_anomaly_does_not_darken_the_rest() -> None:
    subject = person("brain")
    image, mask = subject.image.copy(), np.zeros(subject.image.shape, bool)
    mask[12:20, 12:20, 12:20] = True
    image[mask] = 3.0
    plain = finalise(POPULATIONS["brain"], subject, subject.image, None, np.random.default_rng(0))
    altered = finalise(POPULATIONS["brain"], subject, image, mask, np.random.default_rng(0))
    far = np.ones(mask.shape, bool)
    far[10:22, 10:22, 10:22] = False
    assert np.array_equal(plain.image[far], altered.image[far])


def test_the_mask_moves_with_the_image_and_ends_where_a_stripped_brain_ends() -> None:
    subject = replace(person("brain"), noise=0.0)
    image, mask = subject.image.copy(), np.zeros(subject.image.shape, bool)
    mask[10:22, 10:22, 10:22] = True
    image[mask] = 3.0
    finished = finalise(POPULATIONS["brain"], subject, image, mask, np.random.default_rng(3))
    assert finished.mask is not None
    assert (finished.image[finished.mask] == 1).all()
    assert not finished.mask[finished.image == 0].any()
