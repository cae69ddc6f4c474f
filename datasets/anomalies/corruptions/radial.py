"""Moving the inside of an ellipsoid along rays from its centre."""

from collections.abc import Callable

import numpy as np

from datasets.anomalies.regions import Triple, moved
from datasets.anomalies.scene import Floats, Voxel

LEAST = 1e-6


def pulled(image: Floats, centre: Voxel, radii: Triple, come_from: Callable[[Floats], Floats]) -> Floats:
    """`image` with the value of depth `come_from(depth)` at `depth`: 0 in the centre, 1 on the surface."""

    def along_ray(away: Floats, depth: Floats) -> Floats:
        scale = come_from(depth) / np.maximum(depth, np.float32(LEAST))
        return (away * scale).astype(np.float32)

    return moved(image, centre, radii, along_ray)
