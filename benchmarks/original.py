"""The challenge's published evaluation of a batch of the pixel task, written anew from its description.

Labels are rounded, clipped, and abnormal where they are 1. Predictions are read as float16 and clipped. A
prediction that is missing, unreadable or of another shape counts as zeros. The voxels of all volumes are
laid end to end, and scikit-learn computes one average precision.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from nibabel import _compression
from nibabel.filebasedimages import ImageFileError
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

# Where indexed_gzip happens to be installed, nibabel would inflate with that, and take other times.
_compression.HAVE_INDEXED_GZIP = False


def average_precision_of_batch(predictions: Sequence[str], labels: Sequence[str]) -> float:
    """Average precision over the voxels of all cases; prediction and label files in the same order."""
    abnormal, scores = voxels_of_batch(predictions, labels)
    return float(average_precision_score(abnormal, scores))


def voxels_of_batch(
    predictions: Sequence[str], labels: Sequence[str]
) -> tuple[NDArray[np.bool_], NDArray[np.float16]]:
    """Labels and scores (voxels of all cases,)."""
    label_parts, score_parts = [], []
    for prediction, label in zip(predictions, labels, strict=True):
        abnormal = abnormal_voxels(label)
        label_parts.append(abnormal.flatten())
        score_parts.append(voxel_scores(prediction, abnormal.shape).flatten())
    return np.concatenate(label_parts), np.concatenate(score_parts)


def abnormal_voxels(label: str) -> NDArray[np.bool_]:
    """Where the label is 1."""
    classes = np.rint(_image(label).get_fdata()).astype(np.int64)
    abnormal: NDArray[np.bool_] = np.clip(classes, 0, 1) == 1
    return abnormal


def voxel_scores(prediction: str, shape: tuple[int, ...]) -> NDArray[np.float16]:
    """The scores of a case, float16 in [0, 1], or zeros where there are none."""
    zeros = np.zeros(shape, dtype=np.float16)
    if not Path(prediction).exists():
        return zeros
    try:
        scores = _image(prediction).get_fdata(dtype=np.float16)
    except (OSError, EOFError, ImageFileError):
        return zeros
    return np.clip(scores, 0.0, 1.0) if scores.shape == shape else zeros


def _image(path: str) -> Any:
    return nibabel.load(path)
