"""CRADL: a slice is abnormal when its contrastive features are unlikely, and there where they become so.

Zimmerer, thesis, section 3.2.3 (contrastive learning), with SimCLR (Chen, Kornblith, Norouzi, Hinton, ICML
2020) for the features z = f(x) and a density p(z) of normal slices: mixture.py or flow.py. Where the thesis
and public code disagree: see README.md.

    slice score  s(x) = -log p(f(x))          pixel score  |∂s/∂x|

Shapes: n slices of one channel, height h and width w; d features.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, gaussian_filter, median_filter
from torch import Tensor, nn
from torch.nn import functional

from reference_methods.common.cases import Case
from reference_methods.common.deep import inference, networks
from reference_methods.common.deep.device import choose
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.smooth_gradient import noise, smooth_gradient
from reference_methods.common.deep.standardising import BODY, Standardising
from reference_methods.common.squashing import SignedSquashing, Squashing
from reference_methods.cradl.flow import Flow
from reference_methods.cradl.mixture import MixtureDensity

BODY_SHARE = 0.01  # of a slice's pixels: with less there is nothing to judge it by
REACH = 3  # of the Gaussian, in pixels


# The self-supervised task.


class Encoder(nn.Module):
    """Strided convolutions as in DCGAN: slices (n, 1, h, h) with h = 4 · 2 ** len(channels) to (n, d)."""

    def __init__(self, channels: Sequence[int], features: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs in zip([1, *channels[:-1]], channels, strict=True):
            layers += [nn.Conv2d(inputs, outputs, 4, 2, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(channels[-1], features, 4), nn.Flatten())

    def forward(self, x: Tensor) -> Tensor:
        """Features, any real numbers."""
        features: Tensor = self.layers(x)
        return features


class Pretext(nn.Module):
    """The encoder and a perceptron on it, whose outputs (n, head[-1]) are compared; it is not used after."""

    def __init__(self, channels: Sequence[int], features: int, head: Sequence[int]) -> None:
        super().__init__()
        self.encoder = Encoder(channels, features)
        layers: list[nn.Module] = []
        for inputs, outputs in zip([features, *head[:-1]], head, strict=True):
            layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        self.head = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Slices (n, 1, h, w) to projections."""
        projections: Tensor = self.head(self.encoder(x))
        return projections


def nt_xent(one: Tensor, other: Tensor, temperature: float) -> Tensor:
    """Normalised temperature-scaled cross entropy of two views (n, d) of each of n slices, a number.

    The mean over all 2n views a, with b the other view of the same slice and cosines s, of
    -log[exp(s_ab / τ) / Σ_{k ≠ a} exp(s_ak / τ)] (thesis, equation 3.17).
    """
    views = functional.normalize(torch.cat([one, other]), dim=1)
    similarities = views @ views.T / temperature
    itself = torch.eye(len(views), dtype=torch.bool, device=views.device)
    partners = torch.arange(len(views), device=views.device).roll(len(one))
    return functional.cross_entropy(similarities.masked_fill(itself, -torch.inf), partners)


# The scores.


class Scorer(nn.Module):
    """Encoder, features to zero mean and unit variance, and their density: -log p(f(x)) of slices, (n,)."""

    mean: Tensor
    spread: Tensor

    def __init__(self, encoder: Encoder, mean: Tensor, spread: Tensor, density: nn.Module) -> None:
        super().__init__()
        self.encoder, self.density = encoder, density
        self.register_buffer("mean", mean)
        self.register_buffer("spread", spread)

    def forward(self, x: Tensor) -> Tensor:
        """In full precision everywhere: a difference of large numbers does not survive bfloat16."""
        with torch.autocast(x.device.type, enabled=False):
            likelihoods: Tensor = self.density((self.encoder(x).double() - self.mean) / self.spread)
        return likelihoods


@dataclass(frozen=True)
class Scores:
    """Of slices (n, 1, h, w) as a volume has them.

    `fields` (k, 1, h, w) are SmoothGrad's noise; `median` and `sigma`, in pixels, smooth maps, since strided
    convolutions leave a chessboard in gradients.
    """

    network: Scorer
    standardise: Standardising
    fields: Tensor
    median: int
    sigma: float

    @torch.no_grad()
    def of_slices(self, slices: Tensor) -> Tensor:
        """-log p(f(x)), (n,), of either sign."""
        likelihoods: Tensor = self.network(self.standardise(slices))
        return likelihoods

    def of_pixels(self, slices: Tensor) -> Tensor:
        """|∂(-log p(f(x))) / ∂x|, (n, 1, h, w), smoothed; x is the standardised, clipped slice."""
        gradient = smooth_gradient(self.network, self.standardise(slices), self.fields)
        return torch.from_numpy(smoothed(gradient.abs().cpu().numpy(), self.median, self.sigma))


def smoothed(maps: NDArray[np.float32], median: int, sigma: float) -> NDArray[np.float32]:
    """Maps (n, 1, h, w), each by a median and then by a Gaussian."""
    calm = median_filter(maps, size=(1, 1, median, median))
    result: NDArray[np.float32] = gaussian_filter(calm, sigma, radius=REACH, axes=(2, 3))
    return result


def foreground(slices: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Where slices (n, h, w) show the body or what it encloses: an anomaly may be as dark as the air."""
    return np.stack([binary_fill_holes(one > BODY) for one in slices])


def pooled(scores: NDArray[np.floating], body: NDArray[np.floating], top: float) -> float:
    """The mean of the highest `top` of a case's slices (slices,), of those that have some body.

    `body` is its share of their pixels. A case without any is judged by all its slices.
    """
    shown = scores[body > BODY_SHARE]
    highest = np.sort(shown if shown.size else scores)
    return float(highest[-max(1, round(top * highest.size)) :].mean(dtype=np.float64))


# The trained method.


class Model:
    """Trained scores, and curves that take them to [0, 1]; see `reference_methods.common.cli.Method`."""

    def __init__(self, network: Scorer, facts: networks.Facts) -> None:
        self.device = choose()
        self.network, self.facts = network.to(self.device).eval().requires_grad_(False), facts
        self.slicing = Slicing(facts["axis"], facts["side"])
        self.scores = scores_of(self.network, facts)
        self.pixel_curve = Squashing(facts["pixel_scale"])
        self.case_curve = SignedSquashing(facts["case_centre"], facts["case_scale"])

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """0 outside of the foreground."""

        def squashed(slices: Tensor) -> Tensor:
            return torch.from_numpy(self.pixel_curve(self.scores.of_pixels(slices).numpy()))

        maps = inference.voxel_scores(case.data, self.slicing, squashed, self.device)
        maps_by_slice = np.moveaxis(maps, self.slicing.axis, 0)
        for place, one in enumerate(np.moveaxis(case.data, self.slicing.axis, 0)):
            maps_by_slice[place] *= foreground(one[None])[0]
        return maps

    def case_score(self, case: Case) -> float:
        """See `pooled`."""
        scores = inference.slice_scores(case.data, self.slicing, self.scores.of_slices, self.device)
        other_axes = tuple(axis for axis in range(3) if axis != self.slicing.axis)
        body = (case.data > BODY).mean(other_axes)
        return self.case_curve.one(pooled(scores, body, self.facts["top"]))

    def save(self, path: Path) -> None:
        """Write weights and settings to an .npz."""
        networks.save(path, self.network, self.facts)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        state, facts = networks.load(path)
        features, components = facts["features"], facts["components"]
        density = MixtureDensity(components, features) if components else Flow(features, facts["flow_hidden"])
        one = torch.ones(features, dtype=torch.float64)
        network = Scorer(Encoder(facts["channels"], features), 0 * one, one, density)
        network.load_state_dict(state)
        return Model(network, facts)


def scores_of(network: Scorer, facts: networks.Facts) -> Scores:
    """Scores with the standardising and the noise that were learned or set."""
    standardise = Standardising(facts["mean"], facts["spread"], facts["limit"])
    fields = noise(facts["gradients"], facts["side"], facts["noise"])
    return Scores(network, standardise, fields, facts["median"], facts["sigma"])
