"""PII: find patches that were blended in by another subject's gradients, and tell by how much.

Tan, Hou, Day, Simpson, Rueckert, Kainz: Detecting Outliers with Poisson Image Interpolation (MICCAI 2021),
after Pérez, Gangnet, Blake: Poisson Image Editing (SIGGRAPH 2003). Numbers of equations are the former's.
Where its text and its code disagree: see README.md.

Shapes: n slices of one channel, height h and width w.
"""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.fft import dstn, idstn
from torch import Tensor, nn
from torch.nn import functional

from reference_methods.common.deep import networks
from reference_methods.common.deep.patch_model import PatchModel
from reference_methods.common.deep.patches import Patch
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.standardising import Standardising
from reference_methods.common.deep.wide_residual import Network

TOLERANCE = 1e-3
TOP_SHARE = 0.25  # of a case's slices

Image = NDArray[np.float32]
Exact = NDArray[np.float64]


# The self-supervised task.


def guidance(own: Exact, foreign: Exact, alpha: float) -> Exact:
    """Equation 8: of (1 - α) own and α foreign differences between neighbours the one that is larger.

    A difference and the same one backwards choose alike, so v_pq = -v_qp.
    """
    kept, taken = (1 - alpha) * own, alpha * foreign
    return np.where(np.abs(kept) > np.abs(taken), kept, taken)


def solve(source: Exact) -> Exact:
    """The u (h, w) with 4 u_p - Σ_q u_q = source_p for the four neighbours q of p, and u = 0 all around.

    Sines that vanish all around are the eigenvectors of that operator on a rectangle, and a discrete sine
    transform of type I takes to their coordinates: exact, at the cost of two fast transforms.
    """
    rows, columns = (
        4 * np.sin(np.pi * np.arange(1, size + 1) / (2 * (size + 1))) ** 2 for size in source.shape
    )
    solution: Exact = idstn(dstn(source, type=1) / (rows[:, None] + columns), type=1)
    return solution


def blended(own: Exact, foreign: Exact, alpha: float) -> Exact:
    """Own (h, w) with its frame of one pixel kept, and the Poisson equation solved inside (h - 2, w - 2).

    Equations 5 and 6, the latter with the f_p that it misses: for every p inside and its neighbours q,
        4 f_p - Σ_q f_q = Σ_q v_pq,  f = own on the frame.
    Here for the change u = f - own, which is 0 on the frame:
        4 u_p - Σ_q u_q = Σ_q (v_pq - (own_p - own_q)).
    """
    source = np.zeros((own.shape[0] - 2, own.shape[1] - 2))
    for axis, inside in ((0, np.s_[:, 1:-1]), (1, np.s_[1:-1])):
        step = np.diff(own, axis=axis)
        excess = guidance(step, np.diff(foreign, axis=axis), alpha) - step
        # Along an axis, Σ_q v_pq is the step that leads to p less the one that leads on from it.
        source -= np.diff(excess, axis=axis)[inside]
    return own + np.pad(solve(source), 1)


def poisson_blend(
    own: Image, foreign: Image, patch: Patch, tolerance: float = TOLERANCE
) -> tuple[Image, Image]:
    """Own (h, w) with the patch solved for, in own's range; and the label: α where that moved a pixel.

    The slice's border stays as it is, since a pixel there lacks a neighbour. The label is 0 as well where a
    pixel moved by no more than `tolerance`: nothing can be seen there.
    """
    mixed, label = own.copy(), np.zeros_like(own)
    rows, columns = (
        _inner(part, size) for part, size in zip((patch.rows, patch.columns), own.shape, strict=True)
    )
    if rows.start < rows.stop and columns.start < columns.stop:
        place, window = (rows, columns), (_framed(rows), _framed(columns))
        exact = blended(own[window].astype(np.float64), foreign[window].astype(np.float64), patch.alpha)
        mixed[place] = np.clip(exact[1:-1, 1:-1], own.min(), own.max())
        label[place] = patch.alpha * (np.abs(mixed[place] - own[place]) > tolerance)
    return mixed, label


def _inner(part: slice, size: int) -> slice:
    return slice(max(1, part.start), min(size - 1, part.stop))


def _framed(part: slice) -> slice:
    return slice(part.start - 1, part.stop + 1)


def loss(logits: Tensor, label: Tensor) -> Tensor:
    """Equation 9: mean binary cross entropy over pixels against α itself, both (n, 1, h, w)."""
    return functional.binary_cross_entropy_with_logits(logits, label)


def case_score(means: NDArray[np.floating]) -> float:
    """Of the mean output of every slice (slices,), the mean of the highest quarter."""
    return float(np.clip(np.sort(means)[int((1 - TOP_SHARE) * len(means)) :].mean(), 0, 1))


# The trained method.


class Standardised(nn.Module):
    """The network behind the standardising of its input, so that slices reach it in no other way."""

    def __init__(self, network: Network, standardising: Standardising) -> None:
        super().__init__()
        self.network, self.standardising = network, standardising

    def forward(self, x: Tensor) -> Tensor:
        """Slices as delivered (n, 1, h, w) to logits of the same shape."""
        logits: Tensor = self.network(self.standardising(x))
        return logits


class Model(PatchModel):
    """PII as a method."""

    def of_logits(self, logits: Tensor) -> Tensor:
        """The probability of a patch, which stands for its weight."""
        return torch.sigmoid(logits)

    def of_means(self, means: NDArray[np.floating]) -> float:
        """See `case_score` of this module."""
        return case_score(means)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        state, facts = networks.load(path)
        network = Standardised(
            Network(facts["widen"], strides=facts["strides"]), Standardising(facts["mean"], facts["spread"])
        )
        network.load_state_dict(state)
        return Model(network, Slicing(facts["axis"], facts["side"]), facts)
