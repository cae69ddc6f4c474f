"""Grey values that tissues and lesions have in a scan, taken from the scan itself where it has labels."""

import numpy as np

from datasets.anomalies.lesions import Crop, has_labels, labelled
from datasets.anomalies.scene import Scene
from datasets.populations.abdomen_tissues import GREY, HOUNSFIELD

FEW = 30  # voxels from which a median is taken
COARSE = 64
# Percentiles of the anatomy that stand for tissues where labels are not known: T1-weighted brains, CT.
BRAIN = {"csf": 4.0, "ventricles": 4.0, "vessels": 2.0, "grey": 35.0, "white": 80.0}
FAT, SOFT = (-103.0, 20.0), (55.0, 65.0)  # Hounsfield units, percentile


def tissue(crop: Crop, name: str) -> float:
    """The median grey value of a tissue of the brain near the crop, or else anywhere in the scan."""
    near = crop.image[crop.inside(name)]
    if near.size < FEW:
        coarse = _coarse(crop.scene)
        near = crop.scene.subject.image[coarse][labelled(crop.scene, coarse, name)]
    return float(np.median(near)) if near.size else _percentile(crop.scene, BRAIN[name])


def modality(scene: Scene) -> str:
    """`t1`, `t2` or `ct`; brains of unknown weighting count as T1."""
    return str(scene.subject.properties.get("modality", "t1")).lower()


def hounsfield(scene: Scene, units: float) -> float:
    """The grey value of so many Hounsfield units in an abdominal CT."""
    if has_labels(scene):
        return float(np.interp(units, HOUNSFIELD, GREY))
    (low, dark), (high, bright) = FAT, SOFT
    fat, soft = _percentile(scene, dark), _percentile(scene, bright)
    return float(np.clip(fat + (units - low) / (high - low) * (soft - fat), 0.01, 0.99))


def enhanced(scene: Scene) -> float:
    """How much contrast medium an abdomen holds, 0 to 1."""
    return float(scene.subject.properties.get("contrast", 0.5))


def _coarse(scene: Scene) -> tuple[slice, ...]:
    return (slice(None, None, max(min(scene.subject.image.shape) // COARSE, 1)),) * 3


def _percentile(scene: Scene, share: float) -> float:
    coarse = _coarse(scene)
    values = scene.subject.image[coarse][scene.subject.foreground[coarse]]
    return float(np.percentile(values, share)) if values.size else 0.5
