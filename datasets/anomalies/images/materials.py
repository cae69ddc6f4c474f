"""What solids are made of, as functions of places (u, v, w) in radii; brightness in [0, 1]."""

from collections.abc import Callable

import numpy as np

from datasets.anomalies.images.pictures import PICTURES, look
from datasets.anomalies.regions import smooth_step
from datasets.anomalies.scene import Floats

CELLS = 40


def _turbulence(rng: np.random.Generator, u: Floats, v: Floats, w: Floats) -> Floats:
    """Waves of ever shorter length in random directions."""
    total = np.zeros_like(u)
    for octave in range(4):
        x, y, z = (float(f) for f in rng.normal(0, 1.6 * 2**octave, 3))
        total += np.sin(x * u + y * v + z * w + rng.uniform(0, 2 * np.pi)) / np.float32(2**octave)
    return total


def wood(rng: np.random.Generator, u: Floats, v: Floats, w: Floats) -> Floats:
    """Rings around an axis beside the solid."""
    x, y = rng.uniform(-0.6, 0.6, 2)
    rings = np.hypot(u - x, v - y) + 0.05 * _turbulence(rng, u, v, 0.3 * w)
    found: Floats = (0.5 + 0.5 * np.sin(rng.uniform(14, 22) * rings)).astype(np.float32)
    return found


def marble(rng: np.random.Generator, u: Floats, v: Floats, w: Floats) -> Floats:
    """Dark veins in a bright stone."""
    found: Floats = np.abs(np.sin(3 * u + 1.5 * _turbulence(rng, u, v, w))).astype(np.float32) ** 0.6
    return found


def cells(rng: np.random.Generator, u: Floats, v: Floats, w: Floats) -> Floats:
    """Foam: bright walls halfway between neighbouring centres."""
    nearest, second = np.full_like(u, np.inf), np.full_like(u, np.inf)
    for x, y, z in rng.uniform(-1, 1, (CELLS, 3)).astype(np.float32):
        distance = np.sqrt((u - x) ** 2 + (v - y) ** 2 + (w - z) ** 2)
        second = np.minimum(second, np.maximum(nearest, distance))
        nearest = np.minimum(nearest, distance)
    return 1 - smooth_step((second - nearest) / np.float32(0.16))


STUFFS: dict[str, Callable[[np.random.Generator, Floats, Floats, Floats], Floats]] = {
    stuff.__name__: stuff for stuff in (wood, marble, cells)
}
MATERIALS = (*STUFFS, *PICTURES)


def brightness_of(material: str, pattern: int, u: Floats, v: Floats, w: Floats) -> Floats:
    """Of one of `MATERIALS`; a picture goes through the solid as the letters through a stick of rock."""
    if material in PICTURES:
        return look(material, pattern, u, v)[0]
    return np.clip(STUFFS[material](np.random.default_rng(pattern), u, v, w), 0, 1)
