"""A volume as square slices of the network's size, and maps of those slices as a volume again."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Slicing:
    """The axis along which a volume's slices are counted, and the side of the network's slices in pixels."""

    axis: int
    side: int

    def count(self, volume: NDArray[np.float32]) -> int:
        """How many slices a volume has."""
        return int(volume.shape[self.axis])

    def cut(self, volume: NDArray[np.float32], start: int = 0, stop: int | None = None) -> Tensor:
        """Slices `start` to `stop` of a volume (x, y, z), as float32 (slices, 1, side, side).

        What is larger is averaged over areas, what is smaller is interpolated; unequal sides are stretched.
        """
        part = np.moveaxis(volume, self.axis, 0)[start:stop]
        slices = torch.from_numpy(np.ascontiguousarray(part, dtype=np.float32)).unsqueeze(1)
        if slices.shape[-2:] == (self.side, self.side):
            return slices
        if min(slices.shape[-2:]) >= self.side:
            return functional.interpolate(slices, (self.side, self.side), mode="area")
        return functional.interpolate(slices, (self.side, self.side), mode="bilinear", align_corners=False)

    def paste(self, maps: Tensor, volume: NDArray[np.float32], start: int) -> None:
        """Write maps (slices, 1, side, side) into a volume from slice `start` on, linear between pixels."""
        place = np.moveaxis(volume, self.axis, 0)[start : start + len(maps)]
        if maps.shape[-2:] != place.shape[-2:]:
            maps = functional.interpolate(maps, place.shape[-2:], mode="bilinear", align_corners=False)
        place[...] = maps.squeeze(1).numpy()
