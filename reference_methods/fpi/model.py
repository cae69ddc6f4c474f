"""FPI: find patches that were interpolated with another subject's, and tell by how much.

Tan, Hou, Batten, Qiu, Kainz: Detecting Outliers with Foreign Patch Interpolation (MELBA 2022), the winner of
MOOD 2020; Zimmerer, thesis, section 4.1.3. Where its text and its code disagree: see README.md.

Shapes: n slices of one channel, height h and width w.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import savgol_filter
from torch import Tensor
from torch.nn import functional

from reference_methods.common.deep import networks
from reference_methods.common.deep.patch_model import PatchModel
from reference_methods.common.deep.patches import Patch
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.wide_residual import Network

LEVELS = 5  # of the factor, for the variant with classes: 0, 1/4, 1/2, 3/4, 1
WINDOW_SHARE = 0.1  # of the slices
TOP_SHARE = 0.25


# The self-supervised task.


def interpolate(
    own: NDArray[np.float32], foreign: NDArray[np.float32], patch: Patch, tolerance: float = 0.0
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Own (h, w) with (1 - α) own + α foreign in the patch; and the label: α there, 0 elsewhere.

    The label is 0 as well where both differ by no more than `tolerance`: nothing can be seen there.
    """
    mixed, label = own.copy(), np.zeros_like(own)
    place = patch.rows, patch.columns
    mixed[place] = (1 - patch.alpha) * own[place] + patch.alpha * foreign[place]
    label[place] = patch.alpha * (np.abs(own[place] - foreign[place]) > tolerance)
    return mixed, label


def loss(logits: Tensor, label: Tensor) -> Tensor:
    """Mean cross entropy over pixels: binary against α itself for (n, 1, h, w), by level for (n, 5, h, w)."""
    if logits.shape[1] == 1:
        return functional.binary_cross_entropy_with_logits(logits, label)
    return functional.cross_entropy(logits, torch.round(label.squeeze(1) * (LEVELS - 1)).long())


def pixel_scores(logits: Tensor) -> Tensor:
    """Scores (n, 1, h, w) in [0, 1]: the probability, or the expected level."""
    if logits.shape[1] == 1:
        return torch.sigmoid(logits)
    levels = torch.arange(LEVELS, device=logits.device, dtype=logits.dtype) / (LEVELS - 1)
    return (torch.softmax(logits, 1) * levels.view(1, -1, 1, 1)).sum(1, keepdim=True)


def case_score(profile: NDArray[np.floating]) -> float:
    """Slice means (slices,) smoothed by Savitzky and Golay's filter; the mean of the highest quarter."""
    window = max(5, int(WINDOW_SHARE * len(profile)) // 2 * 2 + 1)
    smooth = savgol_filter(profile, window, 3) if window <= len(profile) else np.asarray(profile)
    top = np.sort(smooth)[int((1 - TOP_SHARE) * len(smooth)) :]
    return float(np.clip(top.mean(), 0, 1))  # smoothing may go a little beyond


# The trained method.


class Model(PatchModel):
    """FPI as a method."""

    def of_logits(self, logits: Tensor) -> Tensor:
        """See `pixel_scores`."""
        return pixel_scores(logits)

    def of_means(self, means: NDArray[np.floating]) -> float:
        """See `case_score` of this module."""
        return case_score(means)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        state, facts = networks.load(path)
        network = Network(facts["widen"], facts["classes"], facts["strides"])
        network.load_state_dict(state)
        return Model(network, Slicing(facts["axis"], facts["side"]), facts)
