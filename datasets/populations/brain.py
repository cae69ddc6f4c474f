"""Brains in T1 or T2 weighting, skull-stripped or with the head: the MNI152 template, made into individuals.

The tissue maps are bent at four scales, their logits sharpened and given correlated noise where the template
is uncertain, so that a blurred average becomes somebody's crisp cortex; ventricles and sulci follow age;
vessels and harmless findings are added; then come grey values, the coil's sensitivity and the point spread.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cc3d
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.kernels import brain as kernels
from datasets.populations import brain_details, brain_person
from datasets.populations.brain_atlas import atlas
from datasets.populations.brain_head import head
from datasets.populations.brain_person import CONDITIONS, Person
from datasets.populations.subject import NOTHING_UNUSUAL, Subject, check_known, check_variant

Floats = NDArray[np.float32]
Bytes = NDArray[np.uint8]
Shape = tuple[int, int, int]
Spacing = tuple[float, float, float]

VARIANTS = ("t1", "t2", "t1-head", "t2-head")
LABELS: dict[str, int] = {
    "csf": kernels.CSF,
    "grey": kernels.GREY_MATTER,
    "white": kernels.WHITE_MATTER,
    "ventricles": kernels.VENTRICLES,
    "vessels": kernels.VESSELS,
    "skull": kernels.SKULL,
    "scalp": kernels.SCALP,
    "air": kernels.AIR,
}
POINT_SPREAD = 0.45  # standard deviation, voxels
SAMPLE_MM = 1.6  # wider voxels are the mean of several samples along each axis
MOST_SAMPLES = 3


def draw(
    rng: np.random.Generator,
    shape: Shape,
    spacing_mm: Spacing,
    condition: Mapping[str, float] = NOTHING_UNUSUAL,
    variant: str | None = None,
    slab: int = 32,
    threads: int = 1,
) -> Subject:
    """A new brain of `shape` voxels of `spacing_mm` millimetres.

    `condition`: "ventricles_mm" (how far their walls move outwards), "atrophy" (0 none, 1 severe),
    "microcephaly" (scale of the whole brain, below 1 smaller), "asymmetry" (share by which the right half is
    bigger; negative: the left). `variant`: "t1" (default) or "t2", or with the head around it "t1-head" or
    "t2-head". The result does not depend on `slab` (planes at a time) and `threads`.

    Raises:
        ValueError: an unknown condition or variant.
        NoHead: a whole head is wanted and Colin27 is not installed.
    """
    check_known(condition, CONDITIONS)
    check_variant(variant, VARIANTS)
    scan = _Scan.of(variant or "t1")
    who = brain_person.person(rng)
    extras, findings = brain_details.extras(rng, atlas(), who.age)
    image, labels, edge = _rendered(who, extras, shape, spacing_mm, condition, scan, slab, threads)
    foreground = labels > 0 if scan.head else _whole(edge > 0.5)
    _spread(image, labels > 0)
    if not scan.head:
        image[~foreground] = 0
        labels[~foreground] = 0
    np.maximum(image, 0, out=image)
    return Subject(
        image,
        foreground,
        noise=who.noise,
        stripped=not scan.head,
        labels=labels,
        spacing_mm=spacing_mm,
        properties=_properties(who, labels, spacing_mm, scan, condition) | findings,
    )


def with_noise(rng: np.random.Generator, image: Floats, deviation: float) -> Floats:
    """`image` made Rician in place: the magnitude of a complex signal with noise in both channels."""
    real = rng.standard_normal(image.shape, dtype=np.float32)
    real *= np.float32(deviation)
    image += real
    for plane in image:
        imaginary = rng.standard_normal(plane.shape, dtype=np.float32) * np.float32(deviation)
        np.hypot(plane, imaginary, out=plane)
    return image


@dataclass(frozen=True)
class _Scan:
    modality: str
    head: bool

    @classmethod
    def of(cls, variant: str) -> "_Scan":
        return cls(variant.removesuffix("-head"), variant.endswith("-head"))


def _rendered(
    who: Person,
    extras: Bytes,
    shape: Shape,
    spacing_mm: Spacing,
    condition: Mapping[str, float],
    scan: _Scan,
    slab: int,
    threads: int,
) -> tuple[Floats, Bytes, Floats]:
    """Grey values, labels, and what is above 0.5 where a stripped brain is left."""
    image, edge = np.empty(shape, np.float32), np.empty(shape, np.float32)
    labels = np.empty(shape, np.uint8)
    around = _around(who, scan)
    step = np.array(spacing_mm, dtype=np.float64)
    samples = np.clip(np.ceil(step / SAMPLE_MM), 1, MOST_SAMPLES).astype(np.int64)
    grid = kernels.Grid(-(np.array(shape) - 1) / 2 * step, step, samples)
    bend = brain_person.bend(who, atlas(), condition)
    look = brain_person.look(who, scan.modality, condition)

    def paint(first: int) -> None:
        part = slice(first, first + slab)
        kernels.render(
            image[part], labels[part], edge[part], first,
            grid, bend, atlas().maps, extras, who.tile, who.tile_turn, look, around,
            kernels.Room.of(grid, bend),
        )  # fmt: skip

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(paint, range(0, shape[0], slab)))
    return image, labels, edge


def _whole(left: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Stripping leaves one piece."""
    largest: NDArray[np.bool_] = cc3d.largest_k(left, k=1, connectivity=6) > 0
    return largest


def _around(who: Person, scan: _Scan) -> kernels.Around:
    if not scan.head:
        return kernels.Around(np.zeros((0, 0, 0), np.float32), np.zeros((0, 0, 0), np.uint8), np.zeros(3))
    colin = head()
    values = colin.values[0 if scan.modality == "t1" else 1] * np.float32(who.fat)
    return kernels.Around(values, colin.labels, atlas().origin - colin.origin)


def _spread(image: Floats, anatomy: NDArray[np.bool_]) -> None:
    """The point spread, in place, where there is anatomy."""
    found = ndimage.find_objects(anatomy.view(np.uint8))
    if not found:
        return
    box = tuple(slice(max(cut.start - 3, 0), cut.stop + 3) for cut in found[0])
    part = image[box]
    for axis in range(3):
        part = ndimage.gaussian_filter1d(part, POINT_SPREAD, axis=axis, mode="nearest", truncate=3.0)
    image[box] = part


def _properties(
    who: Person, labels: Bytes, spacing_mm: Spacing, scan: _Scan, condition: Mapping[str, float]
) -> dict[str, float | str]:
    names = ("csf", "grey", "white", "ventricles", "vessels")
    counts = {name: float(np.count_nonzero(labels == LABELS[name])) for name in names}
    brain = max(sum(counts.values()), 1.0)
    millilitres = float(np.prod(spacing_mm)) / 1000
    _, grey, white = who.t1 if scan.modality == "t1" else who.t2
    return {
        "modality": scan.modality,
        "head": "whole" if scan.head else "stripped",
        "age": round(who.age, 1),
        "atrophy": round(brain_person.shrinkage(who, condition), 3),
        "csf_fraction": (counts["csf"] + counts["ventricles"]) / brain,
        "ventricles_ml": counts["ventricles"] * millilitres,
        "brain_ml": brain * millilitres,
        "contrast": float(abs(white - grey) / (white + grey)),
    }
