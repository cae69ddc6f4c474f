"""A destruction: spikes in k-space, so stripes all over the scan (herringbone)."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded
from datasets.populations.subject import Subject


@dataclass(frozen=True)
class KspaceSpikes:
    """A spike is (x, y, z, phase, amplitude): cycles a voxel, radians, and image units; the scan is the
    magnitude of what it was and these waves."""

    name: ClassVar[str] = "kspace-spikes"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    spikes: tuple[tuple[float, float, float, float, float], ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """Three, two or one, of about 4, 2.6 or 1.2 times the noise, 3 to 8 voxels from crest to crest."""
        count = graded(difficulty, 3, 2, 1)
        times = graded(difficulty, (3.4, 4.6), (2.2, 3.0), (1.0, 1.4))
        spikes = []
        for _ in range(count):
            x, y, z = (float(part) for part in _direction(rng) / rng.uniform(3, 8))
            amplitude = float(rng.uniform(*times)) * scene.subject.noise
            spikes.append((x, y, z, float(rng.uniform(0, 2 * np.pi)), amplitude))
        return cls(tuple(spikes))

    def apply(self, scene: Scene) -> Floats:
        return striped(scene.subject, self)


def striped(subject: Subject, spiked: KspaceSpikes) -> Floats:
    """The subject's image with the waves, plane by plane; a stripped one stays 0 outside the brain."""
    result = subject.image.copy()
    lines = [np.arange(size) for size in result.shape]
    for x, y, z, phase, amplitude in spiked.spikes:
        along = [
            np.exp(2j * np.pi * f * line).astype(np.complex64)
            for f, line in zip((x, y, z), lines, strict=True)
        ]
        sheet = np.outer(along[1], along[2]) * np.complex64(amplitude * np.exp(1j * phase))
        for plane, turn in zip(result, along[0], strict=True):
            plane += (sheet * turn).real
    np.abs(result, out=result)
    if subject.stripped:
        result[~subject.foreground] = 0
    return result


def _direction(rng: np.random.Generator) -> NDArray[np.float64]:
    way = rng.standard_normal(3)
    unit: NDArray[np.float64] = way / np.linalg.norm(way)
    return unit
