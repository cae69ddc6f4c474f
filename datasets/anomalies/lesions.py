"""What pathologies share: a crop to work in, lumpy shapes, grain, tissue that gives way, and grey values.

Sizes are drawn in millimetres and kept in voxels. `depth` is the distance from a lesion's centre as a share
of its radius: 0 in the centre, 1 on its surface. Random fields are made from a seed among the parameters, in
the crop only, so that the cost of a lesion does not grow with the scan.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.anomalies.regions import Triple, depth_in, smooth_step
from datasets.anomalies.scene import Box, Floats, Scene, Voxel, box_around, offsets, place
from datasets.fields import gaussian_field
from datasets.populations.registry import POPULATIONS

SEEDS = 2**32
CELLS = 64  # a side, on which places are searched
TRIES = 20
LEAST_VOXELS = 2.0  # half axis of the smallest lesion
LARGEST = 0.2  # half axis of the largest, as a share of the side
LUMPS = ((0.55, 0.85), (0.25, 0.5))  # scale as a share of the radius, and strength
# Tissues that a growing lesion neither moves nor replaces.
FIRM = {
    "brain": ("skull", "scalp", "air"),
    "abdomen": ("air", "skin", "bone", "marrow", "disc", "cartilage", "spinal-canal", "table"),
}


@dataclass(frozen=True)
class Crop:
    """The part of a scan around a lesion.

    `image`: float32 (x, y, z). `away`: how far its voxels are from the centre, in voxels, (3, x, y, z).
    """

    scene: Scene
    box: Box
    image: Floats
    away: Floats

    @classmethod
    def around(cls, scene: Scene, centre: Voxel, reach: float, upwards: float | None = None) -> "Crop":
        """The voxels at most about `reach` from `centre` (`upwards` along z, if that differs)."""
        x, y, z = box_around(centre, int(reach) + 2, scene.subject.image.shape)
        if upwards is not None:
            z = box_around(centre, int(upwards) + 2, scene.subject.image.shape)[2]
        box = x, y, z
        return cls(scene, box, scene.subject.image[box], offsets(box, centre))

    @property
    def shape(self) -> tuple[int, int, int]:
        x, y, z = self.image.shape
        return x, y, z

    def inside(self, *names: str) -> NDArray[np.bool_]:
        """Where the label is one of `names`; nowhere if labels are not known."""
        return labelled(self.scene, self.box, *names)

    def share(self, *names: str) -> Floats:
        """How much of each voxel is of these tissues, 0 to 1; all of it where labels are not known."""
        if not has_labels(self.scene):
            return self.scene.subject.foreground[self.box].astype(np.float32)
        found: Floats = ndimage.gaussian_filter(self.inside(*names).astype(np.float32), 0.6)
        return found

    def freedom(self, voxels: float = 3.0) -> Floats:
        """1 where tissue can move, falling to 0 within some `voxels` of what cannot: bone, skin, air."""
        subject = self.scene.subject
        if subject.stripped:
            return np.ones(self.shape, dtype=np.float32)
        firm = ~subject.foreground[self.box]
        if has_labels(self.scene):
            firm = self.inside(*FIRM[self.scene.population]) | (subject.labels[self.box] == 0)
        if not firm.any():
            return np.ones(self.shape, dtype=np.float32)
        return smooth_step(
            (ndimage.distance_transform_cdt(~firm, "taxicab").astype(np.float32) - 0.5) / np.float32(voxels)
        )

    def replaced(self, values: NDArray[np.floating]) -> Floats:
        """The whole scan with `values` in the crop; a stripped scan stays empty outside."""
        result = self.scene.subject.image.copy()
        if self.scene.subject.stripped:
            values = values * self.scene.subject.foreground[self.box]
        result[self.box] = np.maximum(values, 0)
        return result


def has_labels(scene: Scene) -> bool:
    return bool(scene.population) and scene.subject.labels.shape == scene.subject.image.shape


def labelled(scene: Scene, box: tuple[slice, ...], *names: str) -> NDArray[np.bool_]:
    """Like `Scene.tissue`, in a box (or every so many voxels) only."""
    if not has_labels(scene):
        return np.zeros(scene.subject.image[box].shape, dtype=np.bool_)
    numbers = [POPULATIONS[scene.population].LABELS[name] for name in names]
    found: NDArray[np.bool_] = np.isin(scene.subject.labels[box], numbers)
    return found


def seed(rng: np.random.Generator) -> int:
    """What a random field is made from, to be kept as a parameter."""
    return int(rng.integers(SEEDS))


def step(position: NDArray[np.floating]) -> Floats:
    """0 below 0, 1 above 1, and without a kink between."""
    return smooth_step(position.astype(np.float32))


def grain(pattern: int, shape: tuple[int, ...], voxels: float) -> Floats:
    """A smooth random field of variance 1, (x, y, z), whose details are some `voxels` wide."""
    return smooth_field(pattern, shape, [(max(voxels, 0.6) / 2, 1.0)])


def smooth_field(pattern: int, shape: tuple[int, ...], parts: Sequence[tuple[float, float]]) -> Floats:
    """As `gaussian_field`, scales in voxels, but drawn on as few nodes as show it, and cubic between."""
    step = max(int(min(scale for scale, _ in parts)), 1)
    nodes = tuple(-(-size // step) + 1 for size in shape)
    field = gaussian_field(np.random.default_rng(pattern), nodes, (float(step),) * len(shape), parts)
    if step == 1:
        return field[tuple(slice(size) for size in shape)]
    for axis, size in enumerate(shape):
        weights = ndimage.zoom(np.eye(nodes[axis], dtype=np.float32), (size / nodes[axis], 1), order=3)
        field = np.moveaxis(np.tensordot(weights, field, axes=(1, axis)), 0, axis)
    return field


def millimetres(
    rng: np.random.Generator, scene: Scene, size: tuple[float, float], uneven: float = 0.2
) -> Triple:
    """Half axes in voxels, each up to `uneven` longer or shorter than a length of `size` millimetres."""
    length = rng.uniform(*size)
    axes = length * np.exp(rng.uniform(-uneven, uneven, 3)) / np.array(scene.subject.spacing_mm)
    most = LARGEST * np.array(scene.subject.image.shape)
    x, y, z = (float(r) for r in np.clip(axes, LEAST_VOXELS, np.maximum(most, LEAST_VOXELS)))
    return x, y, z


def mean(radii: Triple) -> float:
    return float(np.prod(radii) ** (1 / 3))


def lumpy_depth(crop: Crop, radii: Triple, form: int, lumpiness: float) -> Floats:
    """The depth in an ellipsoid with bulges and hollows of about `lumpiness` of its radius."""
    radius = mean(radii)
    parts = [(scale * radius, strength) for scale, strength in LUMPS]
    field = smooth_field(form, crop.shape, parts)
    depth: Floats = depth_in(crop.away, radii) * (1 + np.float32(lumpiness) * np.clip(field, -2.2, 2.2))
    return depth


def covered(depth: Floats, radii: Triple, voxels: float) -> Floats:
    """1 inside the lesion, 0 outside, over a border some `voxels` wide."""
    return smooth_step((1 - depth) * np.float32(mean(radii) / max(voxels, 0.5)) + np.float32(0.5))


def ridge(depth: NDArray[np.floating], at: float, width: float) -> Floats:
    """1 at the depth `at`, falling off on both sides over about `width`."""
    profile: Floats = np.exp(-(((depth - at) / width) ** 2)).astype(np.float32)
    return profile


class Growth(Protocol):
    """A lesion that pushed tissue out while it grew; names as those kinds have them."""

    @property
    def centre(self) -> Voxel: ...
    @property
    def radii(self) -> Triple: ...
    @property
    def form(self) -> int: ...
    @property
    def lumpiness(self) -> float: ...
    @property
    def opacity(self) -> float: ...
    @property
    def kept(self) -> float: ...
    @property
    def reach(self) -> float: ...


def grown(scene: Scene, lesion: Growth, border: float, inside: Callable[[Crop, Floats], Floats]) -> Floats:
    """The scan with the lesion: what was there moves out, and `inside(crop, depth)` fills the place.

    The border of the lesion is about `border` voxels wide.
    """
    crop = Crop.around(scene, lesion.centre, max(lesion.radii) * lesion.reach)
    factor = pushed_from(depth_in(crop.away, lesion.radii), lesion.kept, lesion.reach)
    freedom = crop.freedom()
    values = moved(crop.image, come_from(crop, factor, lesion.opacity * freedom), order=3)
    depth = lumpy_depth(crop, lesion.radii, lesion.form, lesion.lumpiness)
    share = lesion.opacity * freedom * covered(depth, lesion.radii, border)
    return crop.replaced(values + share * (inside(crop, depth) - values))


def pushed_from(depth: NDArray[np.floating], kept: float, reach: float) -> Floats:
    """By what factor nearer to the centre the tissue now at `depth` (1 and more) was before a lesion grew.

    What lay deeper than the share `kept` of the radius is gone; the rest was pushed out, less and less
    towards the depth `reach`, from where on nothing moved.
    """
    out = np.clip((depth - 1) / np.float32(reach - 1), 0, 1)
    moved = (1 - np.float32(kept)) * (1 - out) ** 2
    factor = np.where(depth > 1, 1 - moved / np.maximum(depth, 1), kept)
    return factor.astype(np.float32)


def come_from(crop: Crop, factor: Floats, freedom: Floats) -> Floats:
    """Where in the crop the tissue of each voxel was, (3, x, y, z): `factor` times as far from the centre."""
    here = np.indices(crop.shape, dtype=np.float32)
    sources: Floats = here + crop.away * ((factor - 1) * freedom)
    return sources


def moved(values: Floats, sources: Floats, order: int = 1) -> Floats:
    """`values` (x, y, z) as they are at `sources`, in the range they had."""
    found: Floats = ndimage.map_coordinates(values, sources, order=order, mode="nearest")
    return np.clip(found, values.min(), values.max())


def where_in(rng: np.random.Generator, scene: Scene, names: Sequence[str], reach: float) -> Voxel:
    """A place in one of the tissues or organs; in the anatomy if the scan has no labels or none of them."""
    step = -(-min(scene.subject.image.shape) // CELLS)
    cells = labelled(scene, (slice(None, None, step),) * 3, *names)
    if not cells.any():  # thinner than the cells, or unknown
        found = scene.tissue(*names)
        return place(rng, found if found.any() else scene.subject.foreground, round(reach))
    cell = np.array(place(rng, cells, round(reach / step))) * step
    last = np.array(scene.subject.image.shape) - 1
    for _ in range(TRIES):
        x, y, z = (int(c) for c in np.clip(cell + rng.integers(-(step // 2), step - step // 2, 3), 0, last))
        if labelled(scene, (slice(x, x + 1), slice(y, y + 1), slice(z, z + 1)), *names).all():
            return x, y, z
    x, y, z = (int(c) for c in cell)
    return x, y, z


def apart(scene: Scene, centre: Voxel, reach: float, value: float) -> float:
    """How far the scan around a place is from a grey value on average: how much a lesion would stand out."""
    part = scene.subject.image[box_around(centre, max(round(reach), 1), scene.subject.image.shape)]
    return float(np.abs(part - np.float32(value)).mean())


def standing_out(
    rng: np.random.Generator, scene: Scene, names: Sequence[str], reach: float, value: float, tries: int
) -> Voxel:
    """Of so many places in tissues or organs the one where a lesion of a grey value is seen best."""
    found = [where_in(rng, scene, names, reach) for _ in range(tries)]
    return max(found, key=lambda centre: apart(scene, centre, reach, value))


def middle(where: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The centre of gravity, in voxels, on a coarse grid."""
    step = max(min(where.shape) // 48, 1)
    found = np.argwhere(where[::step, ::step, ::step]) * step
    half: NDArray[np.float64] = np.array(where.shape) / 2
    return found.mean(axis=0) if len(found) else half


def outwards(where: NDArray[np.bool_], start: NDArray[np.float64], direction: NDArray[np.float64]) -> Voxel:
    """The last voxel of `where` on the ray from `start`, or `start` itself if there is none."""
    way = direction / np.linalg.norm(direction)
    steps = np.arange(0, float(np.linalg.norm(where.shape)), 0.5)[:, None]
    ray = np.clip(np.rint(start + steps * way).astype(int), 0, np.array(where.shape) - 1)
    hits = np.flatnonzero(where[tuple(ray.T)])
    x, y, z = (int(c) for c in ray[hits[-1] if hits.size else 0])
    return x, y, z
