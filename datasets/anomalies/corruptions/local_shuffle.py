"""A corruption: a cube cut into small blocks that have changed places."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.regions import lively
from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
)


@dataclass(frozen=True)
class LocalShuffle:
    """`corner` and `block` (a block's side) in voxels; block i of the cube comes from block `order[i]`."""

    name: ClassVar[str] = "local-shuffle"
    category: ClassVar[Category] = "local"
    group: ClassVar[Group] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = EVERYWHERE
    needs_donor: ClassVar[bool] = False
    corner: Voxel
    block: int
    order: tuple[int, ...]

    @classmethod
    def draw(cls, rng: np.random.Generator, scene: Scene, difficulty: Difficulty) -> Self:
        """A cube of about 27, 20 or 14 % of the shortest side, 3 to 5 blocks of 2 voxels or more a side.

        The harder, the more alike are the blocks that change places: any, a third of them, three at a time.
        """
        image, shape = scene.subject.image, scene.subject.image.shape
        share = graded(difficulty, (0.23, 0.31), (0.17, 0.23), (0.11, 0.17))
        side = max(float(rng.uniform(*share)) * min(shape), 6.0)
        blocks = int(rng.integers(3, 6))
        block = max(round(side / blocks), 2)
        blocks = min(blocks, min(shape) // block)
        centre = lively(rng, scene, block * blocks // 2)
        x, y, z = (
            min(max(c - block * blocks // 2, 0), n - block * blocks)
            for c, n in zip(centre, shape, strict=True)
        )
        parts = _blocks(image[x : x + block * blocks, y : y + block * blocks, z : z + block * blocks], block)
        alike = graded(difficulty, blocks**3, max(blocks**3 // 3, 3), 3)
        return cls((x, y, z), block, _exchanged(rng, parts.mean(axis=(1, 2, 3)), alike))

    def apply(self, scene: Scene) -> Floats:
        return shuffled(scene.subject.image, self)


def shuffled(image: Floats, shuffle: LocalShuffle) -> Floats:
    """`image` with the blocks of the cube exchanged; no value is made or lost."""
    result, side = image.copy(), shuffle.block
    count = round(len(shuffle.order) ** (1 / 3))
    box = tuple(slice(c, c + side * count) for c in shuffle.corner)
    moved = _blocks(image[box], side)[list(shuffle.order)].reshape(count, count, count, side, side, side)
    result[box] = moved.transpose(0, 3, 1, 4, 2, 5).reshape(image[box].shape)
    return result


def _blocks(cube: Floats, side: int) -> Floats:
    """The cube's blocks one after the other, (blocks, x, y, z)."""
    count = cube.shape[0] // side
    parts = cube.reshape(count, side, count, side, count, side).transpose(0, 2, 4, 1, 3, 5)
    return parts.reshape(-1, side, side, side)


def _exchanged(rng: np.random.Generator, means: Floats, alike: int) -> tuple[int, ...]:
    """An order in which only blocks change places that follow one another by mean, `alike` at a time."""
    order, ranked = np.arange(means.size), np.argsort(means)
    for first in range(0, means.size, alike):
        group = ranked[first : first + alike]
        order[group] = rng.permutation(group)
    return tuple(int(i) for i in order)
