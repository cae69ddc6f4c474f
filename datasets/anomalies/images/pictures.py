"""Small pictures of everyday things, computed so that nothing must be shipped.

A picture is a function of places (u, v) in [-1, 1], v upwards: its brightness in [0, 1], and how much of the
place it covers. `pattern` decides what is random about it.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from datasets.anomalies.regions import smooth_step
from datasets.anomalies.scene import Floats

Places = NDArray[Any]
Drawn = tuple[Places, Places]
OCTAVES = 5


def _ridge(rng: np.random.Generator, u: Places) -> Places:
    """A line of hills: waves of ever shorter length and lower height."""
    line: Places = np.zeros_like(u)
    for octave in range(OCTAVES):
        turns, phase = 1.7 * 2**octave * rng.uniform(0.8, 1.2), rng.uniform(0, 2 * np.pi)
        line += np.sin(turns * u + phase) / np.float32(2**octave)
    return line


def _edge(inside: Places, width: float = 0.06) -> Places:
    """1 where `inside` is positive, with a soft border."""
    return smooth_step((inside / width + 0.5).astype(np.float32))


def _over(below: Places, brightness: Places | float, cover: Places) -> Places:
    mixed: Places = below + cover * (brightness - below)
    return mixed


def _frame(u: Places, v: Places) -> Places:
    return _edge(np.minimum(1 - np.abs(u), 0.8 - np.abs(v)), 0.2)


def landscape(rng: np.random.Generator, u: Places, v: Places) -> Drawn:
    """A sun over two ranges of hills, and water with ripples below."""
    sun = rng.uniform(-0.6, 0.6)
    sky = 0.55 + 0.25 * v + 0.06 * _ridge(rng, 3 * v + u)
    view = _over(sky, 1.0, _edge(0.2 - np.hypot(u - sun, v - 0.45)))
    view = _over(view, 0.42, _edge(0.15 + 0.16 * _ridge(rng, 2 * u) - v, 0.04))
    view = _over(view, 0.15, _edge(-0.1 + 0.12 * _ridge(rng, 3 * u) - v, 0.04))
    water = 0.5 + 0.3 * np.sin(30 * v + 2 * _ridge(rng, 2 * u))
    return _over(view, water, _edge(-0.42 - v)), _frame(u, v)


def face(rng: np.random.Generator, u: Places, v: Places) -> Drawn:
    """Hair, brows, eyes, a nose and a mouth that smiles or not."""
    smile, wide = rng.uniform(-0.25, 0.35), rng.uniform(0.7, 0.8)
    head = 1 - np.hypot(u / wide, v / 0.98)
    view = 0.75 + 0.12 * u + 0.04 * _ridge(rng, 4 * u + 3 * v)
    for side in (-1, 1):
        view = _over(view, 1.0, _edge(1 - np.hypot((u - side * 0.3) / 0.17, (v - 0.17) / 0.1), 0.3))
        view = _over(view, 0.05, _edge(0.08 - np.hypot(u - side * 0.3, v - 0.17)))
        brow = 0.035 - np.abs(v - 0.36 + 0.4 * (u - side * 0.3) ** 2)
        view = _over(view, 0.2, _edge(brow) * _edge(0.2 - np.abs(u - side * 0.3)))
    view = _over(view, 0.35, _edge(0.05 - np.abs(u) + 0.06 * (0.1 - v)) * _edge(0.17 - np.abs(v + 0.06)))
    mouth = 0.06 - np.abs(v + 0.45 - smile * (u / 0.35) ** 2)
    view = _over(view, 0.15, _edge(mouth) * _edge(0.36 - np.abs(u)))
    hair = 0.25 + 0.15 * np.sin(25 * u + 2 * _ridge(rng, 2 * v))
    view = _over(view, hair, _edge(v - 0.55 - 0.08 * _ridge(rng, 3 * u)))
    return view, _edge(head, 0.1)


def flower(rng: np.random.Generator, u: Places, v: Places) -> Drawn:
    """Petals with veins around a dotted centre."""
    count, turn = int(rng.integers(5, 10)), rng.uniform(0, np.pi)
    radius, angle = np.hypot(u, v), np.arctan2(v, u) + np.float32(turn)
    reach = 0.6 + 0.36 * np.abs(np.cos(count * angle / 2))
    veins = 0.85 - 0.45 * np.abs(np.sin(count * angle / 2)) - 0.12 * np.cos(5 * count * angle)
    view = veins - 0.25 * (1 - radius)
    seeds = 0.35 + 0.3 * np.cos(34 * u) * np.cos(34 * v)
    return _over(view, seeds, _edge(0.3 - radius)), _edge(reach - radius, 0.08)


def hide(rng: np.random.Generator, u: Places, v: Places) -> Drawn:
    """The stripes of a zebra."""
    bend = _ridge(rng, 1.5 * v) + 0.5 * _ridge(rng, 2 * u + v)
    return _edge(np.sin(9 * u + 1.6 * bend), 0.6), _frame(u, v)


def bricks(rng: np.random.Generator, u: Places, v: Places) -> Drawn:
    """A wall whose bricks differ in brightness."""
    row = np.floor(v * 4)
    along = u * 2.5 + 0.5 * (row % 2)
    tones = rng.uniform(0.35, 0.9, 64)
    tone = tones[((np.floor(along) + 5) * 7 + row + 5).astype(int) % tones.size]
    gap = np.minimum(0.5 - np.abs(along % 1 - 0.5), 0.6 * (0.5 - np.abs((v * 4) % 1 - 0.5)))
    rough = tone + 0.06 * _ridge(rng, 6 * u + 4 * v)
    return _over(np.full_like(u, 0.1), rough, _edge(gap - 0.07, 0.06)), _frame(u, v)


PICTURES: dict[str, Callable[[np.random.Generator, Places, Places], Drawn]] = {
    picture.__name__: picture for picture in (landscape, face, flower, hide, bricks)
}


def look(name: str, pattern: int, u: Floats, v: Floats) -> Drawn:
    """Brightness and cover, both in [0, 1] and of the shape of `u` and `v`, of the picture `name`."""
    brightness, cover = PICTURES[name](np.random.default_rng(pattern), u, v)
    return np.clip(brightness, 0, 1).astype(np.float32), cover.astype(np.float32)
