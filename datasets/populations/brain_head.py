"""The head around a brain, from Colin27, for whole-head scans: optional, as no Python package brings it.

Source: Holmes et al., J Comput Assist Tomogr 22 (1998), as Debian's mricron-data ships it: `ch2` with the
skull, `ch2bet` without, 1 mm, in the template's space. T1 values are the scan's, T2 values derive from it.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from datasets.kernels.brain import AIR, CSF, SCALP, SKULL

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

FOLDERS = (Path("/usr/share/mricron/templates"),)
WHITE_MATTER = 0.90  # its grey value in T1 weighting, to which the scan is scaled
BRIGHTEST = 1.2
DARK = 0.30  # bone and air are darker in T1 weighting
BONE_MM = 16.0  # skull lies this near to the brain


class NoHead(RuntimeError):
    """Whole heads are wanted, but the scan they are made from is not installed."""


@dataclass(frozen=True)
class Head:
    """`values`: float32 (2, x, y, z), T1 and T2; `labels`: uint8 (x, y, z).

    `origin`: MNI position of voxel 0.
    """

    values: Floats
    labels: NDArray[np.uint8]
    origin: NDArray[np.float64]


@lru_cache(maxsize=1)
def head() -> Head:
    """Colin's head without the brain, made once a process.

    Raises:
        NoHead: saying what to install.
    """
    whole, origin = _read("ch2")
    brain = _read("ch2bet")[0] > 0
    t1 = whole * np.float32(WHITE_MATTER / np.percentile(whole[brain], 90))
    labels = _labels(t1, brain)
    fluid = (labels == CSF).astype(np.float32)
    t1 = BRIGHTEST * np.tanh(t1 / BRIGHTEST)
    t1 = np.where(labels == CSF, np.float32(0.2), t1)
    t2 = ndimage.gaussian_filter(fluid, 0.6) + (1 - fluid) * _t2(t1)
    return Head(np.stack([t1, t2]).astype(np.float32), labels, origin)


def _labels(t1: Floats, brain: Bools) -> NDArray[np.uint8]:
    body = ndimage.binary_opening(ndimage.gaussian_filter(t1, 1.0) > 0.12, iterations=2)
    closed = ndimage.binary_closing(np.pad(body | brain, 12), iterations=10)[12:-12, 12:-12, 12:-12]
    far = ndimage.distance_transform_edt(~brain)
    dark = closed & (t1 < DARK)
    bone = dark & (far > 2.0) & (far < BONE_MM)
    labels = np.where(closed, SCALP, 0).astype(np.uint8)
    labels[dark] = AIR
    labels[bone] = SKULL
    labels[far <= 2.0] = CSF  # between brain and bone; within, the person's own brain stands in
    return labels


def _t2(t1: Floats) -> Floats:
    """Fat stays rather bright, muscle turns dark, bone and air stay dark."""
    values = np.interp(t1, [0.0, 0.15, 0.35, 0.6, 0.95, 1.2], [0.0, 0.05, 0.30, 0.26, 0.50, 0.62])
    return values.astype(np.float32)


def _read(name: str) -> tuple[Floats, NDArray[np.float64]]:
    for folder in FOLDERS:
        path = folder / f"{name}.nii.gz"
        if path.is_file():
            image = nibabel.Nifti1Image.from_filename(path)
            data = np.asarray(image.dataobj, dtype=np.float32)
            return data, np.asarray(image.affine, dtype=np.float64)[:3, 3]
    places = " or ".join(str(folder) for folder in FOLDERS)
    raise NoHead(
        f"whole heads need the Colin27 scan, and {name}.nii.gz is not in {places}: install Debian's package "
        "mricron-data (apt-get install mricron-data), or use the skull-stripped variants t1 and t2"
    )
