"""One person's brain in numbers: how they bend the template, how old they are, how their tissues look.

All that is random is drawn in one order, and never depends on what is unusual about the person or on how they
are scanned: with the same state of the generator the same person is drawn again.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from datasets.fields import gaussian_field
from datasets.kernels.brain import Bend, Look
from datasets.populations.brain_atlas import WALLS_MM, Atlas

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

CONDITIONS = ("asymmetry", "atrophy", "microcephaly", "ventricles_mm")
DISPLACEMENT = ((33.0, 2.6), (17.0, 1.3), (8.0, 1.1), (4.0, 0.8))  # (scale, root mean square), millimetres
SENSITIVITY = ((45.0, 0.075),)
INDIVIDUALITY = ((2.7, 1.1), (1.5, 1.1))  # (scale in millimetres, logits)
GRAIN = ((1.4, 0.6), (3.0, 0.8))
NODES, NODE_MM = 64, 3.5  # displacements
CELLS, CELL_MM = 96, 1.25  # individuality; repeats after 120 mm along axes that are nobody's
HALVINGS = 5
REACH_MM = 25.0  # how far from the ventricles their size is felt
SHARPENING = 2.3
T1 = ((0.20, 0.02), (0.59, 0.025), (0.90, 0.02))  # fluid, grey, white: mean and deviation between people
T2 = ((1.00, 0.02), (0.56, 0.025), (0.40, 0.025))


@dataclass(frozen=True)
class Person:
    """Drawn once. `fields`: displacement in mm and log sensitivity at nodes; `tile`: see the kernel."""

    age: float
    shrinkage: float
    ventricles_mm: Doubles
    turn: Doubles
    middle: Doubles
    fields: Floats
    tile: Floats
    tile_turn: Doubles
    t1: Doubles
    t2: Doubles
    bright_vessels: bool
    folia: Doubles
    noise: float
    stripping: float
    fat: float


def person(rng: np.random.Generator) -> Person:
    """A person in all that does not depend on the size of the voxels."""
    age = float(rng.uniform(20, 85))
    shrinkage = max(0.75 * ((age - 20) / 65) ** 1.6 + float(rng.normal(0, 0.12)), -0.1)
    both, between = rng.normal(0, 0.6), rng.normal(0, 0.35) * (1 if rng.random() < 0.85 else 2.5)
    return Person(
        age=age,
        shrinkage=shrinkage,
        ventricles_mm=np.array([-between, between]) + both + 2.2 * max(shrinkage, 0.0) - 0.6,
        turn=_affine(rng),
        middle=rng.normal(0, 2.0, 3),
        fields=_fields(rng),
        tile=_tile(rng),
        tile_turn=Rotation.random(random_state=rng).as_matrix() / CELL_MM,
        t1=_intensities(rng, T1),
        t2=_intensities(rng, T2),
        bright_vessels=bool(rng.random() < 0.45),
        folia=np.array([rng.uniform(50, 60), rng.uniform(0, 6.28), *rng.normal((-50, -33, 0), 1.5)]),
        noise=float(rng.uniform(0.016, 0.03)),
        stripping=float(rng.uniform(-0.12, 0.12)),
        fat=float(rng.uniform(0.75, 1.1)),
    )


def _affine(rng: np.random.Generator) -> Doubles:
    turn = Rotation.from_euler("xyz", rng.normal(0, [4.0, 2.5, 2.5]), degrees=True).as_matrix()
    affine: Doubles = turn * rng.normal(1.045, 0.035, 3) * np.array([rng.choice([-1, 1]), 1, 1])
    return affine + rng.normal(0, 0.01, (3, 3))


def _fields(rng: np.random.Generator) -> Floats:
    shape, spacing = (NODES,) * 3, (NODE_MM,) * 3
    fields = [gaussian_field(rng, shape, spacing, DISPLACEMENT) for _ in range(3)]
    return np.stack([*fields, gaussian_field(rng, shape, spacing, SENSITIVITY)], axis=-1)


def _tile(rng: np.random.Generator) -> Floats:
    shape, spacing = (CELLS,) * 3, (CELL_MM,) * 3
    parts = (INDIVIDUALITY, INDIVIDUALITY, INDIVIDUALITY, GRAIN)
    return np.stack([gaussian_field(rng, shape, spacing, part) for part in parts], axis=-1)


def _intensities(rng: np.random.Generator, spread: tuple[tuple[float, float], ...]) -> Doubles:
    means, deviations = np.array(spread).T
    drawn: Doubles = rng.normal(means, deviations)
    return drawn


def shrinkage(who: Person, condition: Mapping[str, float]) -> float:
    """How much of the brain has gone: about 0 in the young, 0.8 in the old, more where `atrophy` says so."""
    return who.shrinkage + condition.get("atrophy", 0.0)


def bend(who: Person, atlas: Atlas, condition: Mapping[str, float]) -> Bend:
    """Where in the atlas each place of this person lies, with the condition's own changes on top."""
    scale = 1.0 / condition.get("microcephaly", 1.0)
    affine = np.c_[who.turn * scale, atlas.centre + who.middle]
    origin = -(NODES - 1) / 2 * NODE_MM
    line = origin + NODE_MM * np.arange(NODES)
    nodes = np.stack(np.meshgrid(line, line, line, indexing="ij"))
    straight = np.tensordot(affine[:, :3], nodes, axes=1) + affine[:, 3, None, None, None]
    fields = who.fields.copy()
    places = straight + np.moveaxis(fields[..., :3], -1, 0)
    moved = _one_sided(places, atlas, condition.get("asymmetry", 0.0))
    moved = _ventricles(moved, atlas, who, condition)
    fields[..., :3] += np.moveaxis((moved - places).astype(np.float32), 0, -1)
    return Bend(affine, fields, origin, NODE_MM)


def _one_sided(places: Doubles, atlas: Atlas, share: float) -> Doubles:
    """The right half (the left where `share` is negative) bigger by that share."""
    aside = np.sign(share) * (places[0] - atlas.centre[0])
    ramp = np.clip(aside / 30, 0, 1)
    ramp = ramp * ramp * (3 - 2 * ramp)
    changed = places.copy()
    for axis, part in enumerate((1.0, 0.6, 0.6)):
        middle = atlas.centre[axis]
        changed[axis] = middle + (places[axis] - middle) / (1 + abs(share) * part * ramp)
    return changed


def _ventricles(places: Doubles, atlas: Atlas, who: Person, condition: Mapping[str, float]) -> Doubles:
    """The walls of the ventricles pushed outwards, and all that is near them with them."""
    aside = np.tanh((places[0] - atlas.centre[0]) / 4)
    more = condition.get("ventricles_mm", 0.0) + 3.5 * condition.get("atrophy", 0.0)
    left, right = who.ventricles_mm + more
    wanted = 0.5 * (left + right) + 0.5 * (right - left) * aside
    distance, slopes = _walls_at(atlas, places)
    towards = slopes / (np.sqrt((slopes**2).sum(axis=0)) + 0.15)
    shift = towards * wanted * _felt(distance)
    moved: Doubles = places - shift * _short_of_the_middle(places, towards, shift, atlas)
    return moved


def _short_of_the_middle(places: Doubles, towards: Doubles, shift: Doubles, atlas: Atlas) -> Doubles:
    """The share of each shift that ends before the middle of a ventricle: beyond it lies the other wall."""

    def beyond(which: NDArray[np.bool_], share: Doubles) -> NDArray[np.bool_]:
        _, slopes = _walls_at(atlas, places[:, which] - share * shift[:, which])
        found: NDArray[np.bool_] = (slopes * towards[:, which]).sum(axis=0) < 0
        return found

    least, most = np.ones(places.shape[1:]), np.ones(places.shape[1:])
    outwards = (shift * towards).sum(axis=0) > 0
    too_far = np.zeros(places.shape[1:], dtype=np.bool_)
    too_far[outwards] = beyond(outwards, most[outwards])
    least[too_far] = 0
    for _ in range(HALVINGS):
        middle = 0.5 * (least[too_far] + most[too_far])
        past = beyond(too_far, middle)
        least[too_far] = np.where(past, least[too_far], middle)
        most[too_far] = np.where(past, middle, most[too_far])
    return least


def _walls_at(atlas: Atlas, places: Doubles) -> tuple[Doubles, Doubles]:
    """Distance to the lateral ventricles and its slope (3, ...) at places (3, ...) of the atlas."""
    distance, *slopes = (
        ndimage.map_coordinates(part, places / WALLS_MM, order=1, mode="nearest") for part in atlas.walls
    )
    return distance, np.stack(slopes)


def _felt(distance: Doubles) -> Doubles:
    """1 at the ventricles and within, 0 from `REACH_MM` on."""
    rest: Doubles = np.clip(1 - np.maximum(distance, 0) / REACH_MM, 0, 1)
    return rest * rest


def look(who: Person, modality: str, condition: Mapping[str, float]) -> Look:
    """Grey values of this person in T1 or T2 weighting."""
    tissues = who.t1 if modality == "t1" else who.t2
    fluid, grey, white = tissues
    vessel, pale = (0.98 if who.bright_vessels else 0.10, 0.72) if modality == "t1" else (0.06, 0.78)
    gone = shrinkage(who, condition)
    return Look(
        values=np.array([fluid, grey, white, vessel, 0.05, pale]),
        sharpening=SHARPENING,
        detail=0.9 if modality == "t1" else -0.8,
        widening=2.0 * gone + 0.3,
        narrowing=0.8 * gone - 0.3,
        caps=0.05 + 0.6 * max(who.age - 50, 0.0) / 35,
        texture=0.012,
        stripping=who.stripping,
        folia=who.folia,
    )
