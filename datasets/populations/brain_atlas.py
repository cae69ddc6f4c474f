"""What all brains are made from: maps of the MNI152 template of the installed nilearn.

Source: Fonov et al., NeuroImage 54 (2011), ICBM 2009a symmetric, 1 mm. It is an average of 152 people, hence
blurred; `datasets.kernels.brain` makes individuals of it. Positions are MNI millimetres (right, anterior,
superior) or voxels of the maps, which are 1 mm wide.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.kernels.brain import MAPS, MM, VENTRICLE, ZERO

Floats = NDArray[np.float32]

BORDER = 8  # voxels around the brain
WALLS_MM = 2


@dataclass(frozen=True)
class Atlas:
    """`maps`: uint8 (x, y, z, channel), see `datasets.kernels.brain`; `origin`: MNI position of voxel 0.

    `centre`: middle of the brain in voxels. `walls`: float32 (4, x, y, z), every `WALLS_MM`th voxel: smooth
    distance to the lateral ventricles in mm, negative within, and its slope along each axis.
    """

    maps: NDArray[np.uint8]
    walls: Floats
    origin: NDArray[np.float64]
    centre: NDArray[np.float64]

    def voxels(self, mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Voxel coordinates of MNI positions (..., 3)."""
        placed: NDArray[np.float64] = np.asarray(mm, dtype=np.float64) - self.origin
        return placed


@lru_cache(maxsize=1)
def atlas() -> Atlas:
    """The maps, made once a process."""
    t1, origin = _template("t1")
    brain = ndimage.binary_fill_holes(ndimage.binary_closing(t1 > 0, iterations=2))
    extent = [np.flatnonzero(brain.any(axis=tuple({0, 1, 2} - {axis})))[[0, -1]] for axis in range(3)]
    part = tuple(slice(max(low - BORDER, 0), high + BORDER + 1) for low, high in extent)
    grey, white = (_template(name)[0][part] for name in ("gm", "wm"))
    t1, brain = t1[part], brain[part]
    start = np.array([cut.start for cut in part])
    maps = _maps(t1, grey, white, brain, origin + start)
    centre = np.array([(low + high) / 2 for low, high in extent]) - start
    return Atlas(maps, _walls(maps), origin + start, centre)


def _maps(
    t1: Floats, grey: Floats, white: Floats, brain: NDArray[np.bool_], origin: NDArray[np.float64]
) -> NDArray[np.uint8]:
    fluid = np.clip(brain - grey - white, 0, 1)
    ventricles = lateral_ventricles(fluid, brain, origin)
    channels = np.empty((*brain.shape, MAPS), np.uint8)
    soft = ndimage.gaussian_filter(brain.astype(np.float32), 1.2)
    parts = (
        grey * 255,
        white * 255,
        soft * 255,
        ZERO + 255 * _detail(t1, grey, white, fluid, brain),
        ZERO + MM * _signed_distance(ventricles),
        255 * _nuclei(origin, brain.shape),
        255 * _cerebellum(origin, brain.shape) * ndimage.gaussian_filter(grey, 1.0),
        MM * ndimage.distance_transform_edt(brain).astype(np.float32),
    )
    for channel, values in enumerate(parts):
        channels[..., channel] = np.clip(np.round(values), 0, 255)
    return channels


def _walls(maps: NDArray[np.uint8]) -> Floats:
    distance = (maps[..., VENTRICLE].astype(np.float32) - np.float32(ZERO)) / np.float32(MM)
    smooth = ndimage.gaussian_filter(distance, 1.5)
    walls: Floats = np.stack([smooth, *np.gradient(smooth)])
    return np.ascontiguousarray(walls[:, ::WALLS_MM, ::WALLS_MM, ::WALLS_MM])


def lateral_ventricles(
    fluid: Floats, brain: NDArray[np.bool_], origin: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Fluid enclosed deep inside: the components of certain fluid near the middle, grown to their borders."""
    core = (fluid > 0.6) & ndimage.binary_erosion(brain, iterations=12)
    x, y, z = _lines(origin, brain.shape)
    core &= (np.abs(x) < 46) & (y > -62) & (y < 40) & (z > -22) & (z < 34) & (np.abs(x) > 1.5)
    pieces, _ = ndimage.label(core)
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0
    chosen = np.argsort(sizes)[-2:]
    grown = ndimage.binary_dilation(np.isin(pieces, chosen), iterations=1)
    lateral: NDArray[np.bool_] = grown & (fluid > 0.35)
    return lateral


def _signed_distance(mask: NDArray[np.bool_]) -> Floats:
    outside = ndimage.distance_transform_edt(~mask)
    signed: Floats = (outside - ndimage.distance_transform_edt(mask)).astype(np.float32)
    smooth: Floats = ndimage.gaussian_filter(signed - 0.5 * np.sign(signed), 0.7)
    return smooth


def _detail(t1: Floats, grey: Floats, white: Floats, fluid: Floats, brain: NDArray[np.bool_]) -> Floats:
    """What the tissue maps do not say of the template's grey values: pale nuclei, tracts, dark cortex."""
    tissues = np.stack([part[brain] for part in (fluid, grey, white)])
    means = np.linalg.lstsq(tissues[:, ::11].T, t1[brain][::11], rcond=None)[0]
    rest = np.zeros_like(t1)
    rest[brain] = t1[brain] - means.astype(np.float32) @ tissues
    weight = ndimage.gaussian_filter((grey + white) * brain, 1.0)
    kept: Floats = ndimage.gaussian_filter(rest * (grey + white), 1.0) / np.maximum(weight, 0.3)
    return kept


def _lines(origin: NDArray[np.float64], shape: tuple[int, ...]) -> tuple[Floats, Floats, Floats]:
    """MNI positions of the voxels along each axis, to be broadcast."""
    x, y, z = (start + np.arange(n, dtype=np.float32) for start, n in zip(origin, shape, strict=True))
    return x[:, None, None], y[:, None], z


def _blob(
    origin: NDArray[np.float64], shape: tuple[int, ...], centre: tuple[float, ...], radii: tuple[float, ...]
) -> Floats:
    """1 inside an ellipsoid, 0 outside, soft over about a tenth of its radii."""
    lines = _lines(origin, shape)
    far = sum(((line - c) / r) ** 2 for line, c, r in zip(lines, centre, radii, strict=True))
    soft: Floats = np.clip(5.0 * (1.1 - np.sqrt(far)), 0, 1).astype(np.float32)
    return soft


def _nuclei(origin: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    """Thalamus, basal ganglia and brain stem: mixed tissue in everybody, not an uncertain border."""
    parts = (
        ((0.0, -6.0, 4.0), (31.0, 27.0, 15.0)),
        ((0.0, -26.0, -28.0), (17.0, 14.0, 30.0)),
        ((0.0, -34.0, -50.0), (13.0, 14.0, 26.0)),
    )
    nuclei: Floats = np.maximum.reduce([_blob(origin, shape, centre, radii) for centre, radii in parts])
    return nuclei


def _cerebellum(origin: NDArray[np.float64], shape: tuple[int, ...]) -> Floats:
    x, y, z = _lines(origin, shape)
    roof = -11.0 - 0.26 * np.abs(x) - 0.12 * np.maximum(-y - 60, 0)
    under = np.clip((roof - z) / 3, 0, 1) * np.clip((-43 - y) / 4, 0, 1)
    inside: Floats = (under * _blob(origin, shape, (0, -64, -34), (58, 44, 38))).astype(np.float32)
    return inside


def _template(name: str) -> tuple[Floats, NDArray[np.float64]]:
    """A map in [0, 1] and the MNI position of its first voxel."""
    file = resources.files("nilearn") / "datasets" / "data"
    with resources.as_file(file / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz") as path:
        image = nibabel.Nifti1Image.from_filename(path)
        stored = np.asarray(image.dataobj, dtype=np.float32)
    return stored / np.float32(255), np.asarray(image.affine, dtype=np.float64)[:3, 3]
