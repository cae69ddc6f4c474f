"""Moving the inside of an ellipsoid along rays from its centre."""

from collections.abc import Callable

import numpy as np

from datasets.anomalies.regions import Triple, depth_in, region_box, resampled
from datasets.anomalies.scene import Floats, Voxel, offsets

LEAST = 1e-6


def pulled(image: Floats, centre: Voxel, radii: Triple, come_from: Callable[[Floats], Floats]) -> Floats:
    """`image` with the value of depth `come_from(depth)` at `depth`: 0 in the centre, 1 on the surface."""
    box = region_box(centre, radii, image.shape)
    away = offsets(box, centre)
    depth = depth_in(away, radii)
    inside = depth < 1
    scale = come_from(depth[inside]) / np.maximum(depth[inside], np.float32(LEAST))
    origin = np.array(centre, dtype=np.float32).reshape(3, 1)
    return resampled(image, box, inside, (away[:, inside] * scale + origin).astype(np.float32))
