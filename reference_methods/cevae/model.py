"""ceVAE: a variational autoencoder that learns to fill in masked squares as well.

Zimmerer, Kohl, Petersen, Isensee, Maier-Hein: Context-encoding Variational Autoencoder for Unsupervised
Anomaly Detection (2018); Zimmerer, thesis, sections 3.1 (scores) and 3.2 (method). Numbers of equations are
the thesis'. Where its text and public codes disagree: see README.md.

Shapes: n slices of one channel, height h and width w, standardised; d latent variables. x is a slice, x̃ the
same with squares painted over, f_μ and f_σ the encoder's heads, g the decoder.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes
from torch import Tensor, nn
from torch.nn import functional

from reference_methods.cevae.config import Config
from reference_methods.common.cases import Case
from reference_methods.common.deep import inference, networks
from reference_methods.common.deep.device import choose
from reference_methods.common.deep.smooth_gradient import noise, smooth_gradient
from reference_methods.common.deep.standardising import BODY, Standardising
from reference_methods.common.squashing import Squashing

SQUARES = (1, 3)
SQUARE_SIZE = (0.1, 0.4)  # of the side


# The network.


class Coordinates(nn.Module):
    """CoordConv (Liu et al. 2018): two more channels, which say in what row and column a pixel is."""

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, h, w) to (n, c + 2, h, w); both coordinates go from -1 to 1."""
        count, _, height, width = x.shape
        rows = torch.linspace(-1, 1, height, dtype=x.dtype, device=x.device).view(1, 1, -1, 1)
        columns = torch.linspace(-1, 1, width, dtype=x.dtype, device=x.device).view(1, 1, 1, -1)
        places = [axis.expand(count, 1, height, width) for axis in (rows, columns)]
        return torch.cat([x, *places], 1)


class Network(nn.Module):
    """Encoder with a head for μ and one for log σ, and its mirror image as decoder; no normalisation."""

    def __init__(self, side: int, channels: Sequence[int], latent: int, coordinates: bool = True) -> None:
        super().__init__()
        before = Coordinates if coordinates else nn.Identity
        more, last = 2 * coordinates, side >> len(channels)

        def down(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(before(), nn.Conv2d(inputs + more, outputs, 4, 2, 1), nn.LeakyReLU())

        def head() -> nn.Sequential:
            return nn.Sequential(before(), nn.Conv2d(channels[-1] + more, latent, last))

        def up(inputs: int, outputs: int) -> nn.Sequential:
            return nn.Sequential(
                nn.LeakyReLU(), before(), nn.ConvTranspose2d(inputs + more, outputs, 4, 2, 1)
            )

        outwards = list(zip([1, *channels[:-1]], channels, strict=True))  # of each stage
        self.encoder = nn.Sequential(*(down(i, o) for i, o in outwards))  # (n, channels, last, last)
        self.mean, self.log_deviation = head(), head()
        first = nn.ConvTranspose2d(latent + more, channels[-1], last)
        self.decoder = nn.Sequential(before(), first, *(up(o, i) for i, o in reversed(outwards)))
        # With channels innermost, a step of the small network takes nine tenths of the time on a CPU.
        nn.utils.convert_conv2d_weight_memory_format(self, torch.channels_last)

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Slices (n, 1, h, w) to μ and log σ, (n, d) each."""
        features = self.encoder(x)
        return _exact(self.mean(features)).flatten(1), _exact(self.log_deviation(features)).flatten(1)

    def decode(self, z: Tensor) -> Tensor:
        """Latent variables (n, d) to slices (n, 1, h, w)."""
        return _exact(self.decoder(z[:, :, None, None]))


def _exact(x: Tensor) -> Tensor:
    """What autocast made coarse, as float32: the sums below need it."""
    return x.float() if x.dtype == torch.bfloat16 else x


# The self-supervised task.


@dataclass(frozen=True)
class Square:
    """A part of a slice, and the value that it is painted with."""

    rows: slice
    columns: slice
    value: float


def draw_squares(side: int, limit: float, rng: np.random.Generator) -> list[Square]:
    """One to three squares within a slice, their sizes, places and values uniform."""
    return [_square(side, limit, rng) for _ in range(rng.integers(SQUARES[0], SQUARES[1] + 1))]


def _square(side: int, limit: float, rng: np.random.Generator) -> Square:
    smallest, largest = (max(1, round(share * side)) for share in SQUARE_SIZE)
    size = int(rng.integers(smallest, largest + 1))
    top, left = (int(place) for place in rng.integers(0, side - size + 1, 2))
    return Square(slice(top, top + size), slice(left, left + size), float(rng.uniform(-limit, limit)))


def paint(slices: Tensor, squares: Sequence[Sequence[Square]]) -> Tensor:
    """x̃: a copy of the slices (n, 1, h, w) with each one's squares painted over, all of them."""
    painted = slices.clone()
    for one, own in zip(painted, squares, strict=True):
        for square in own:
            one[0, square.rows, square.columns] = square.value
    return painted


# The loss: sums over pixels and latent variables, so that its parts keep their weights at any resolution.


def kl_divergence(mean: Tensor, log_deviation: Tensor) -> Tensor:
    """KL(N(μ, σ²) ‖ N(0, I)) = ½ Σ_d (μ² + σ² - 1 - 2 log σ), in nats, as (n,) (3.4)."""
    return 0.5 * (mean.square() + (2 * log_deviation).exp() - 1 - 2 * log_deviation).sum(1)


def absolute_error(x: Tensor, reconstructed: Tensor) -> Tensor:
    """‖x - x̂‖₁ over all pixels, as (n,): up to a constant -log p(x|z) of Laplace's distribution."""
    return (x - reconstructed).abs().sum((1, 2, 3))


def variational_terms(network: Network, x: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """KL and reconstruction error of a VAE (3.11), (n,) each; z = μ + σ ε, ε (n, d)."""
    mean, log_deviation = network.encode(x)
    sampled = mean + log_deviation.exp() * normal
    return kl_divergence(mean, log_deviation), absolute_error(x, network.decode(sampled))


def context_term(network: Network, x: Tensor, painted: Tensor) -> Tensor:
    """‖x - g(f_μ(x̃))‖₁ as (n,) (3.12): what was there is asked for; no sampling, and no say for the prior."""
    mean, _ = network.encode(painted)
    return absolute_error(x, network.decode(mean))


def objective(
    network: Network, x: Tensor, painted: Tensor, normal: Tensor, factor: float, kl_weight: float
) -> Tensor:
    """(1 - factor) (KL + reconstruction) + factor · context, mean over slices: half of (3.13) at ½."""
    total = torch.zeros((), dtype=x.dtype, device=x.device)
    if factor < 1:
        kl, reconstruction = variational_terms(network, x, normal)
        total = total + (1 - factor) * (kl_weight * kl + reconstruction).mean()
    if factor > 0:
        total = total + factor * context_term(network, x, painted).mean()
    return total


# The scores. Of standardised slices; they use z = μ, and the same noise for every slice.


class Scores:
    """Scores of slices and of pixels, by name (thesis, sections 3.1.3, 3.1.4 and 3.2.3)."""

    def __init__(self, network: Network, config: Config) -> None:
        self.network, self.config = network, config
        self.fields = noise(config.gradient_samples, config.side, config.gradient_noise)
        normal = np.random.default_rng(0).standard_normal((config.latent_samples, config.latent))
        self.normals = torch.from_numpy(normal)

    def kl(self, x: Tensor) -> Tensor:
        """The weighted KL of slices (n, 1, h, w), as (n,)."""
        return self.config.kl_weight * kl_divergence(*self.network.encode(x))

    def rec_error(self, x: Tensor) -> Tensor:
        """The reconstruction error of slices, as (n,)."""
        return absolute_error(x, self.network.decode(self.network.encode(x)[0]))

    def elbo(self, x: Tensor) -> Tensor:
        """The score of a slice, as (n,): KL and reconstruction error, which is the negative ELBO (3.14).

        A context encoder never learned a posterior: its score is the reconstruction error.
        """
        return self.rec_error(x) if self.config.factor == 1 else self.kl(x) + self.rec_error(x)

    def pixels(self, name: str, x: Tensor) -> Tensor:
        """Scores of pixels, (n, 1, h, w) like the slices, at least 0."""
        return self._named()[name](x)

    def gradient(self, score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """∂ score / ∂ x by SmoothGrad, signed, as (n, 1, h, w)."""
        return smooth_gradient(score, x, self.fields)

    def _named(self) -> dict[str, Callable[[Tensor], Tensor]]:
        return {
            "rec": self._residual,  # (3.6)
            "rec_smoothed": lambda x: self._smooth(self._residual(x)),
            "sampling_variance": self._sampling_deviation,
            "rec_grad": lambda x: self._size_of_gradient(self.rec_error, x),  # (3.9)
            "kl_grad": lambda x: self._size_of_gradient(self.kl, x),  # (3.8)
            "elbo_grad": lambda x: self._size_of_gradient(self.elbo, x),  # (3.7)
            "combi": lambda x: self._residual(x) * self._size_of_gradient(self.kl, x),  # (3.10), (3.16)
        }

    def _residual(self, x: Tensor) -> Tensor:
        return (x - self.network.decode(self.network.encode(x)[0])).abs()

    def _size_of_gradient(self, score: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """Absolute values last, so that noise cancels; smoothed since strides leave a chequered pattern."""
        return self._smooth(self.gradient(score, x).abs())

    def _sampling_deviation(self, x: Tensor) -> Tensor:
        """Standard deviation over reconstructions from samples of the posterior."""
        mean, log_deviation = self.network.encode(x)
        samples = [self.network.decode(mean + log_deviation.exp() * one) for one in self.normals.to(mean)]
        return torch.stack(samples).std(0, correction=0)

    def _smooth(self, maps: Tensor) -> Tensor:
        return smooth(maps, self.config.smoothing)


def smooth(maps: Tensor, size: int) -> Tensor:
    """Maps (n, 1, h, w) under a Gaussian of `size` pixels (odd), its deviation a fifth; edge values go on."""
    steps = torch.arange(size, dtype=maps.dtype, device=maps.device) - size // 2
    kernel = torch.exp(-0.5 * (steps / (size / 5)).square())
    kernel = kernel / kernel.sum()
    with torch.autocast(maps.device.type, enabled=False):
        wider = functional.pad(maps, [size // 2] * 4, mode="replicate")
        across = functional.conv2d(wider, kernel.view(1, 1, 1, -1))
        return functional.conv2d(across, kernel.view(1, 1, -1, 1))


def foreground(slices: Tensor) -> Tensor:
    """Where slices (n, 1, h, w), not yet standardised, show the body, dark places within it too."""
    cross = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], dtype=bool)[None, None]
    body = binary_fill_holes((slices > BODY).cpu().numpy(), cross)
    return torch.from_numpy(body).to(slices.device)


# The trained method.


class Model:
    """A trained network with what turns scans into scores; see `reference_methods.common.cli.Method`.

    `scales` has what takes scores into [0, 1], by the pixel score's name and for the "case".
    """

    def __init__(
        self,
        network: Network,
        config: Config,
        standardising: Standardising,
        scales: dict[str, float],
        device: torch.device | None = None,
    ) -> None:
        self.device = device or choose()
        self.network = network.to(self.device).eval()
        self.config, self.standardising, self.scales = config, standardising, scales
        self.scores = Scores(self.network, config)

    def scored_by(self, pixel_score: str) -> "Model":
        """The same with another pixel score."""
        config = replace(self.config, pixel_score=pixel_score)
        return Model(self.network, config, self.standardising, self.scales, self.device)

    def of_slices(self, slices: Tensor) -> Tensor:
        """Scores of slices as they are in scans, both (n, 1, h, w), in [0, 1) and 0 outside the body."""
        return self._squashed(self.raw_maps(self.config.pixel_score, slices))

    @torch.no_grad()
    def raw_maps(self, pixel_score: str, slices: Tensor) -> Tensor:
        """A pixel score by name, not squashed, of slices as they are in scans; both (n, 1, h, w)."""
        maps = self.scores.pixels(pixel_score, self.standardising(slices))
        return maps * foreground(slices)

    @torch.no_grad()
    def raw_slices(self, slices: Tensor) -> Tensor:
        """Scores (n,), not squashed, of slices (n, 1, h, w) as they are in scans."""
        return self.scores.elbo(self.standardising(slices)).clamp(min=0)

    def voxel_scores(self, case: Case) -> NDArray[np.float32]:
        """The pixel score that the settings name, slice by slice."""
        scores = inference.voxel_scores(case.data, self.config.slicing, self.of_slices, self.device)
        return np.clip(scores, 0, 1, out=scores)  # rounding in between may go a little beyond

    def case_score(self, case: Case) -> float:
        """The score of the most abnormal slice."""
        slices = inference.slice_scores(case.data, self.config.slicing, self.raw_slices, self.device)
        return Squashing(self.scales["case"]).one(float(slices.max()))

    def _squashed(self, maps: Tensor) -> Tensor:
        squashing = Squashing(self.scales[self.config.pixel_score])
        return torch.from_numpy(squashing(maps.float().cpu().numpy()))

    def save(self, path: Path) -> None:
        """Write weights and settings to an .npz."""
        facts = {
            "config": asdict(self.config),
            "standardising": asdict(self.standardising),
            "scales": self.scales,
        }
        networks.save(path, self.network, facts)

    @staticmethod
    def load(path: Path) -> "Model":
        """Read what `save` wrote."""
        state, facts = networks.load(path)
        config = Config(**{**facts["config"], "channels": tuple(facts["config"]["channels"])})
        network = build(config)
        network.load_state_dict(state)
        return Model(network, config, Standardising(**facts["standardising"]), facts["scales"])


def build(config: Config) -> Network:
    """The network that the settings describe."""
    return Network(config.side, config.channels, config.latent, config.coordinates)
