"""T1-weighted brains: the MNI152 template of the installed nilearn, made into individuals.

Source of the template: Fonov et al., NeuroImage 54 (2011), ICBM 2009a symmetric. It is an average of 152
people, hence blurred: sharpening its tissue logits and adding correlated noise where the template itself is
uncertain gives each subject a crisp cortex of their own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from datasets.fields import gaussian_field
from datasets.populations.subject import Subject

Floats = NDArray[np.float32]

DISPLACEMENT = ((33.0, 2.6), (17.0, 1.3), (8.0, 1.1), (4.0, 0.8))  # (scale, root mean square), millimetres
INDIVIDUALITY = ((2.7, 1.1), (1.5, 1.1))
SHARPENING = 2.3


@dataclass(frozen=True)
class _Atlas:
    """Maps at 1 mm, smoothed to the voxels that will sample them. `centre`: middle of the brain, voxels."""

    grey: Floats
    white: Floats
    brain: Floats
    centre: NDArray[np.float64]


def draw(
    rng: np.random.Generator, shape: tuple[int, int, int], spacing_mm: tuple[float, float, float]
) -> Subject:
    """A new brain, skull-stripped, of `shape` voxels of `spacing_mm` millimetres."""
    atlas = _atlas(spacing_mm)
    places = _places(rng, shape, spacing_mm, atlas.centre)
    grey, white, brain = (
        ndimage.map_coordinates(part, places, order=1) for part in (atlas.grey, atlas.white, atlas.brain)
    )
    foreground = ndimage.binary_fill_holes(brain > 0.5)
    tissues = _individual(rng, spacing_mm, np.stack([brain - grey - white, grey, white]))
    image = np.tensordot(_t1_intensities(rng), tissues, axes=1)
    image *= np.exp(gaussian_field(rng, shape, spacing_mm, [(45.0, 0.08)]))
    image = np.where(foreground, image, 0).astype(np.float32)
    if foreground.any():
        image /= np.percentile(image[foreground], 99.5)
    return Subject(image, foreground, noise=rng.uniform(0.02, 0.035), stripped=True)


def with_noise(rng: np.random.Generator, image: Floats, deviation: float) -> Floats:
    """Rician noise: the magnitude of a complex signal with Gaussian noise in both channels."""
    real = image + deviation * rng.standard_normal(image.shape, dtype=np.float32)
    imaginary = deviation * rng.standard_normal(image.shape, dtype=np.float32)
    magnitude: Floats = np.hypot(real, imaginary)
    return magnitude


@lru_cache(maxsize=2)
def _atlas(spacing_mm: tuple[float, float, float]) -> _Atlas:
    # A voxel averages over its width: a box of width w has the deviation of a Gaussian of w/sqrt(12).
    sigma = [max(width / 12**0.5 - 0.3, 0.0) for width in spacing_mm]
    grey, white, t1 = (_template(name) for name in ("gm", "wm", "t1"))
    brain = ndimage.binary_fill_holes(ndimage.binary_opening(t1 > 0.12, iterations=2))
    centre = np.array([(s[0] + s[1]) / 2 for s in _extent(brain)])
    grey, white, brain = (ndimage.gaussian_filter(m.astype(np.float32), sigma) for m in (grey, white, brain))
    return _Atlas(grey, white, brain, centre)


def _template(name: str) -> Floats:
    file = (
        resources.files("nilearn")
        / "datasets"
        / "data"
        / f"mni_icbm152_{name}_tal_nlin_sym_09a_converted.nii.gz"
    )
    with resources.as_file(file) as path:
        stored = np.asarray(nibabel.Nifti1Image.from_filename(path).dataobj, dtype=np.float32)
    return stored / np.float32(255)


def _extent(mask: NDArray[np.bool_]) -> list[tuple[int, int]]:
    filled = [np.flatnonzero(mask.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return [(int(line[0]), int(line[-1])) for line in filled]


def _places(
    rng: np.random.Generator,
    shape: tuple[int, int, int],
    spacing_mm: Sequence[float],
    centre: NDArray[np.float64],
) -> Floats:
    """Where in the template each voxel looks, (3, x, y, z): an affine, a displacement, at times a mirror."""
    turn = Rotation.from_euler("xyz", rng.normal(0, [4.0, 2.5, 2.5]), degrees=True).as_matrix()
    affine = turn * rng.normal(1, 0.04, 3) * np.array([rng.choice([-1, 1]), 1, 1])
    affine += rng.normal(0, 0.01, (3, 3))
    offset = centre + rng.normal(0, 2.0, 3)
    lines = [
        (np.arange(size) - (size - 1) / 2) * spacing for size, spacing in zip(shape, spacing_mm, strict=True)
    ]
    grid = np.meshgrid(*lines, indexing="ij", sparse=True)
    places = np.empty((3, *shape), dtype=np.float32)
    for axis in range(3):
        places[axis] = gaussian_field(rng, shape, spacing_mm, DISPLACEMENT)
        places[axis] += offset[axis]
        for other in range(3):
            places[axis] += (affine[axis, other] * grid[other]).astype(np.float32)
    return places


def _individual(rng: np.random.Generator, spacing_mm: Sequence[float], tissues: Floats) -> Floats:
    """Crisp tissue fractions (fluid, grey, white) from the template's blurred probabilities."""
    tissues = np.clip(tissues, 0, 1)
    doubt = (4 * tissues * (1 - tissues)).max(axis=0)
    ageing = rng.normal(0.1, 0.35)
    logits = SHARPENING * np.log(tissues + 0.02)
    for index in range(3):
        logits[index] += doubt * gaussian_field(rng, tissues.shape[1:], spacing_mm, INDIVIDUALITY)
    logits[0] += ageing * doubt
    logits -= logits.max(axis=0)
    shares: Floats = np.exp(logits)
    shares /= shares.sum(axis=0)
    return shares


def _t1_intensities(rng: np.random.Generator) -> Floats:
    """Of fluid, grey and white matter."""
    return rng.normal([0.20, 0.56, 0.86], [0.02, 0.025, 0.02]).astype(np.float32)
