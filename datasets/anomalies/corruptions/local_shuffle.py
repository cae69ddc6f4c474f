"""A corruption: a cube cut into small blocks that have changed places."""

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from datasets.anomalies.scene import (
    EVERYWHERE,
    Category,
    Difficulty,
    Floats,
    Group,
    Scene,
    Voxel,
    graded,
    place,
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
        """A cube of about 27, 20 or 14 % of the shortest side, 3 to 5 blocks of 2 voxels or more a side."""
        shape = scene.subject.image.shape
        share = graded(difficulty, (0.23, 0.31), (0.17, 0.23), (0.11, 0.17))
        side = max(float(rng.uniform(*share)) * min(shape), 6.0)
        blocks = int(rng.integers(3, 6))
        block = max(round(side / blocks), 2)
        blocks = min(blocks, min(shape) // block)
        centre = place(rng, scene.subject.foreground, block * blocks // 2)
        x, y, z = (
            min(max(c - block * blocks // 2, 0), n - block * blocks)
            for c, n in zip(centre, shape, strict=True)
        )
        return cls((x, y, z), block, tuple(int(i) for i in rng.permutation(blocks**3)))

    def apply(self, scene: Scene) -> Floats:
        return shuffled(scene.subject.image, self)


def shuffled(image: Floats, shuffle: LocalShuffle) -> Floats:
    """`image` with the blocks of the cube exchanged; no value is made or lost."""
    result, side = image.copy(), shuffle.block
    count = round(len(shuffle.order) ** (1 / 3))
    box = tuple(slice(c, c + side * count) for c in shuffle.corner)
    blocks = image[box].reshape(count, side, count, side, count, side).transpose(0, 2, 4, 1, 3, 5)
    moved = blocks.reshape(-1, side, side, side)[list(shuffle.order)].reshape(blocks.shape)
    result[box] = moved.transpose(0, 3, 1, 4, 2, 5).reshape(image[box].shape)
    return result
