"""What holds for every kind of anomaly, tried on all that are registered; a new one needs no line here."""

import json
from dataclasses import asdict, is_dataclass, replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from datasets.anomalies.insert import ALTERED, CLEAR, Altered, alter_globally, insert_local
from datasets.anomalies.kinds import GLOBAL, LOCAL
from datasets.anomalies.scene import DIFFICULTIES, Difficulty, Kind, Scene
from datasets.finalise import Finished, finalise
from datasets.plan import POPULATIONS
from tests.unit.datasets.conftest import scene

SIDES = 48
SEEDS = 2
ALL: dict[tuple[str, str], type[Kind]] = {
    **{("local", name): kind for name, kind in LOCAL.items()},
    **{("global", name): kind for name, kind in GLOBAL.items()},
}
PLACES = [
    pytest.param(kind, population, id=f"{category}-{name}-{population}")
    for (category, name), kind in sorted(ALL.items())
    for population in kind.populations
]
LOCAL_PLACES = [place for place in PLACES if place.values[0].category == "local"]
GLOBAL_PLACES = [place for place in PLACES if place.values[0].category == "global"]
GROUPS = {
    "local": {"toys", "images", "pathologies", "corruptions"},
    "global": {"corruptions", "conditions", "alterations", "destructions"},
}
everywhere = pytest.mark.parametrize(("kind", "population"), PLACES)
each_local = pytest.mark.parametrize(("kind", "population"), LOCAL_PLACES)
each_global = pytest.mark.parametrize(("kind", "population"), GLOBAL_PLACES)
each_difficulty = pytest.mark.parametrize("difficulty", DIFFICULTIES)


@lru_cache
def _scene(population: str, seed: int) -> Scene:
    return scene(population, seed, SIDES)


def _altered(kind: type[Kind], population: str, difficulty: Difficulty, seed: int) -> Altered:
    """As the build does it."""
    insert = insert_local if kind.category == "local" else alter_globally
    return insert(kind, np.random.default_rng([seed, 9]), _scene(population, seed), difficulty)


def _finished(population: str, seed: int, altered: Altered, noise: float | None = None) -> Finished:
    subject = replace(_scene(population, seed).subject, foreground=altered.foreground)
    if noise is not None:
        subject = replace(subject, noise=noise)
    rng = np.random.default_rng([seed, 5])
    return finalise(POPULATIONS[population], subject, altered.image, altered.mask, rng)


def _strength(population: str, seed: int, altered: Altered) -> float:
    """How much changed in all, in the image's units, beyond what anybody's noise is."""
    change: NDArray[np.float64] = np.abs(altered.image - _scene(population, seed).subject.image).astype(float)
    return float(change.sum())


def test_every_kind_is_registered_once_under_its_own_name_and_in_its_category() -> None:
    assert len(ALL) == len(LOCAL) + len(GLOBAL)
    for (category, name), kind in ALL.items():
        assert (kind.name, kind.category) == (name, category)
        assert kind.group in GROUPS[category]
        assert name == name.lower()
        assert set(kind.populations) <= set(POPULATIONS)
        assert kind.populations
        assert is_dataclass(kind)


@everywhere
@each_difficulty
def test_parameters_decide_everything_fit_json_and_leave_the_scene_alone(
    kind: type[Kind], population: str, difficulty: Difficulty
) -> None:
    where = _scene(population, 0)
    assert where.donor is not None
    kept = [part.copy() for part in (where.subject.image, where.subject.foreground, where.donor.image)]
    drawn = kind.draw(np.random.default_rng(4), where, difficulty)
    again = kind.draw(np.random.default_rng(4), where, difficulty)
    assert drawn == again
    assert asdict(drawn)
    json.dumps(asdict(drawn), allow_nan=False)
    image = drawn.apply(where)
    assert np.array_equal(image, again.apply(where))
    assert (image.dtype, image.shape) == (np.float32, where.subject.image.shape)
    assert np.isfinite(image).all()
    now = (where.subject.image, where.subject.foreground, where.donor.image)
    assert all(np.array_equal(before, after) for before, after in zip(kept, now, strict=True))


@each_local
@each_difficulty
def test_outside_its_mask_a_local_anomaly_changes_nothing_and_inside_it_is_clear(
    kind: type[Kind], population: str, difficulty: Difficulty
) -> None:
    for seed in range(SEEDS):
        subject = _scene(population, seed).subject
        altered = _altered(kind, population, difficulty, seed)
        assert altered.mask is not None
        assert np.array_equal(altered.image[~altered.mask], subject.image[~altered.mask])
        change = np.abs(altered.image - subject.image)[altered.mask]
        assert change.mean() >= CLEAR[difficulty] * subject.noise
        assert (change > 0.5 * subject.noise).mean() > 0.5
        assert altered.parameters["voxels"] == altered.mask.sum() < 0.3 * altered.mask.size
        assert altered.parameters["contrast"] == pytest.approx(change.mean(), rel=1e-3)
        assert altered.parameters["difficulty"] == difficulty
        if subject.stripped:
            assert not altered.mask[~subject.foreground].any()


@each_local
@each_difficulty
def test_a_finished_scan_differs_from_its_twin_outside_the_mask_by_noise_only_and_inside_visibly(
    kind: type[Kind], population: str, difficulty: Difficulty
) -> None:
    """The same state of the generator gives the twin the same shift and noise, of Rician magnitude."""
    subject = _scene(population, 1).subject
    altered = _altered(kind, population, difficulty, 1)
    twin = _finished(population, 1, Altered(subject.image, None, subject.foreground, {}))
    finished = _finished(population, 1, altered)
    assert finished.mask is not None
    change = np.abs(finished.image - twin.image)
    outside = ~finished.mask
    edge = outside & (change > 0)
    assert edge.sum() <= 12 * _surface(finished.mask)
    assert change[edge].mean() <= max(change[finished.mask].mean(), subject.noise) if edge.any() else True
    assert (change[finished.mask] > 0.5 * subject.noise).mean() > 0.4


def _surface(mask: NDArray[np.bool_]) -> int:
    """Voxels of the mask with a neighbour outside."""
    padded = np.pad(mask, 1)
    inside = padded.copy()
    for axis in range(3):
        for step in (-1, 1):
            inside &= np.roll(padded, step, axis)
    return int((padded & ~inside).sum())


@each_global
@each_difficulty
def test_a_global_anomaly_has_no_mask_and_changes_the_scan_measurably(
    kind: type[Kind], population: str, difficulty: Difficulty
) -> None:
    for seed in range(SEEDS):
        subject = _scene(population, seed).subject
        altered = _altered(kind, population, difficulty, seed)
        assert altered.mask is None
        change = (altered.image - subject.image)[subject.foreground]
        assert np.sqrt(np.mean(change**2)) >= ALTERED[difficulty] * subject.noise * 0.999
        assert altered.parameters["difficulty"] == difficulty
        finished = _finished(population, seed, altered)
        assert finished.mask is None
        assert 0 <= finished.image.min() < finished.image.max() <= 1


@everywhere
def test_the_hard_ones_change_less_than_the_easy_ones_on_average(kind: type[Kind], population: str) -> None:
    strength = {
        difficulty: np.mean(
            [
                _strength(population, seed, _altered(kind, population, difficulty, seed))
                for seed in range(SEEDS + 1)
            ]
        )
        for difficulty in ("easy", "hard")
    }
    assert strength["hard"] < strength["easy"]
