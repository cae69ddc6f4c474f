"""A destruction: a ghost of the scan half a field of view aside, as in echo-planar scans."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import Category, Difficulty, Floats, Group, Scene, graded
from datasets.populations.subject import Subject


@dataclass(frozen=True)
class NyquistGhost:
    """Even and odd lines of k-space differ, so that along image axis `axis` the share `strength` of the image
    appears half a side away, `phase` radians off."""

    name: ClassVar[str] = "nyquist-ghost"
    category: ClassVar[Category] = "global"
    group: ClassVar[Group] = "destructions"
    populations: ClassVar[tuple[str, ...]] = ("brain",)
    needs_donor: ClassVar[bool] = False
    axis: int
    strength: float
    phase: float

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """About 32, 17 or 8 % of the signal."""
        strength = float(rng.uniform(*graded(difficulty, (0.27, 0.37), (0.14, 0.20), (0.065, 0.095))))
        return cls(int(rng.integers(3)), strength, float(rng.uniform(0, 0.5)))

    def apply(self, scene: Scene) -> Floats:
        return ghosted(scene.subject, self)


def ghosted(subject: Subject, ghost: NyquistGhost) -> Floats:
    """The magnitude of scan and ghost, plane by plane; a stripped scan stays 0 outside the brain."""
    image = subject.image
    half = image.shape[ghost.axis] // 2
    result = np.empty_like(image)
    before, after = np.moveaxis(image, ghost.axis, 0), np.moveaxis(result, ghost.axis, 0)
    for index in range(len(before)):
        shadow = np.float32(ghost.strength) * before[(index + half) % len(before)]
        real = (1 - np.float32(ghost.strength)) * before[index] + np.float32(np.cos(ghost.phase)) * shadow
        after[index] = np.hypot(real, np.float32(np.sin(ghost.phase)) * shadow)
    if subject.stripped:
        result[~subject.foreground] = 0
    return result
