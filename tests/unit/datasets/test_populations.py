from functools import cache

import numpy as np
import pytest

from datasets.plan import POPULATIONS
from datasets.populations.subject import Subject
from tests.unit.datasets.conftest import EXTENT_MM

SIDES = 40


@cache
def person(population: str, seed: int = 0) -> Subject:
    return drawn(population, seed)


def drawn(population: str, seed: int) -> Subject:
    x, y, z = (mm / SIDES for mm in EXTENT_MM[population])
    return POPULATIONS[population].draw(np.random.default_rng(seed), (SIDES,) * 3, (x, y, z))


@pytest.mark.parametrize("population", sorted(POPULATIONS))
def test_a_subject_fills_part_of_the_volume_with_finite_values(population: str) -> None:
    subject = person(population)
    assert subject.image.dtype == np.float32
    assert np.isfinite(subject.image).all()
    assert 0 <= subject.image.min() < subject.image.max() < 1.5
    assert 0.05 < subject.foreground.mean() < 0.7


@pytest.mark.parametrize("population", sorted(POPULATIONS))
def test_no_two_subjects_are_alike_but_the_same_generator_gives_the_same(population: str) -> None:
    first, again, other = person(population), drawn(population, 0), person(population, 1)
    assert np.array_equal(first.image, again.image)
    inside = first.foreground & other.foreground
    assert np.abs(first.image - other.image)[inside].mean() > 0.02


@pytest.mark.parametrize("population", sorted(POPULATIONS))
@pytest.mark.parametrize("shape", [(9, 14, 11), (40, 24, 32)])
def test_any_shape_can_be_drawn(population: str, shape: tuple[int, int, int]) -> None:
    spacing = tuple(mm / n for mm, n in zip(EXTENT_MM[population], shape, strict=True))
    subject = POPULATIONS[population].draw(np.random.default_rng(0), shape, spacing)
    assert subject.image.shape == subject.foreground.shape == shape
    assert subject.foreground.any()


def test_a_brain_is_zero_outside_and_its_white_matter_lies_deeper_than_its_fluid() -> None:
    subject = person("brain")
    assert not subject.image[~subject.foreground].any()
    bright, dark = (subject.image > 0.8), (subject.image < 0.4) & subject.foreground
    assert 0.2 < bright.sum() / subject.foreground.sum() < 0.6
    assert 0.02 < dark.sum() / subject.foreground.sum() < 0.3


def test_an_abdomen_has_air_around_and_within_fat_organs_and_bone() -> None:
    subject = person("abdomen")
    assert subject.image[~subject.foreground].min() >= 0.02
    inside = subject.image[subject.foreground]
    for low, high, least in ((0.0, 0.15, 0.005), (0.25, 0.35, 0.1), (0.45, 0.65, 0.15), (0.75, 1.0, 0.01)):
        assert ((inside >= low) & (inside <= high)).mean() > least


@pytest.mark.parametrize("population", sorted(POPULATIONS))
def test_noise_has_the_asked_deviation_where_the_signal_is_strong(population: str) -> None:
    image = np.full((48, 48, 16), 0.7, np.float32)
    noisy = POPULATIONS[population].with_noise(np.random.default_rng(0), image.copy(), 0.02)
    assert (noisy - image).std() == pytest.approx(0.02, rel=0.1)
    assert noisy.dtype == np.float32


def test_brain_noise_is_rician_so_never_negative_and_biased_in_air() -> None:
    air = POPULATIONS["brain"].with_noise(np.random.default_rng(0), np.zeros((40, 40, 40), np.float32), 0.1)
    assert air.min() >= 0
    assert air.mean() == pytest.approx(0.1 * (np.pi / 2) ** 0.5, rel=0.02)
