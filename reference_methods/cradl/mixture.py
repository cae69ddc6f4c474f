"""A mixture of Gaussians with full covariances, fitted by expectation and maximisation in float64.

Dempster, Laird, Rubin: Maximum Likelihood from Incomplete Data via the EM Algorithm (1977). Fitted with
numpy, scored with torch as well, so that a likelihood has a gradient. Shapes: n points of d dimensions, K
components.

    p(z) = Σ_k π_k N(z; μ_k, Σ_k)
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.linalg import solve_triangular
from scipy.special import logsumexp
from torch import Tensor, nn

MOST_ROUNDS = 200

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """Weights π (K,), means μ (K, d) and covariances Σ (K, d, d)."""

    weights: Array
    means: Array
    covariances: Array

    @staticmethod
    def start(points: Array, components: int, rng: np.random.Generator) -> "Mixture":
        """Equal weights, points at random for means, and unit covariances, which standardised points have."""
        count, dimensions = points.shape
        means = points[rng.choice(count, components, replace=False)]
        weights = np.full(components, 1 / components)
        return Mixture(weights, means, np.repeat(np.eye(dimensions)[None], components, axis=0))

    def precision_factors(self) -> Array:
        """Upper triangular P (K, d, d) with P Pᵀ = Σ⁻¹. `LinAlgError` where a covariance is singular."""
        lower = np.linalg.cholesky(self.covariances)
        identity = np.eye(self.means.shape[1])
        return np.stack([solve_triangular(factor, identity, lower=True).T for factor in lower])

    def log_densities(self, points: Array) -> Array:
        """log π_k N(z; μ_k, Σ_k) as (n, K)."""
        columns = []
        for weight, mean, factor in zip(self.weights, self.means, self.precision_factors(), strict=True):
            whitened = (points - mean) @ factor
            squares = np.einsum("nd,nd->n", whitened, whitened) + len(mean) * np.log(2 * np.pi)
            columns.append(np.log(weight) + np.log(np.diag(factor)).sum() - squares / 2)
        return np.stack(columns, axis=1)


def maximise(points: Array, responsibilities: Array, ridge: float) -> Mixture:
    """The mixture that fits points (n, d) by responsibilities (n, K) best; `ridge` is added to variances.

    Responsibilities weigh once: (z - μ)ᵀ diag(r) (z - μ) / Σr. Weighing both factors, as public code does,
    makes r² of them and covariances too small.
    """
    counts = responsibilities.sum(axis=0) + 10 * np.finfo(np.float64).eps
    means = responsibilities.T @ points / counts[:, None]
    covariances = []
    for count, mean, share in zip(counts, means, responsibilities.T, strict=True):
        offsets = points - mean
        covariances.append((share * offsets.T) @ offsets / count + ridge * np.eye(len(mean)))
    return Mixture(counts / counts.sum(), means, np.stack(covariances))


def fit(
    points: Array, mixture: Mixture, ridge: float, converged: float, rounds: int = MOST_ROUNDS
) -> tuple[Mixture, list[float]]:
    """EM from a mixture on, and the mean log-likelihood of a point on the way, which never falls.

    Ends when that gains less than `converged`. Without a ridge it cannot fall; with one it may in the end by
    about as much as the ridge, and then the mixture before is the result.
    """
    best, history = mixture, list[float]()
    for turn in range(rounds + 1):
        densities = mixture.log_densities(points)
        likelihoods = logsumexp(densities, axis=1, keepdims=True)
        level = float(likelihoods.mean())
        if history and level < history[-1]:
            break
        gain = level - history[-1] if history else np.inf
        best, history = mixture, [*history, level]
        if gain < converged or turn == rounds:
            break
        mixture = maximise(points, np.exp(densities - likelihoods), ridge)
    return best, history


class MixtureDensity(nn.Module):
    """A fitted mixture in torch, in float64: gives -log p(z) (n,) of points (n, d), differentiable."""

    log_weights: Tensor
    means: Tensor
    factors: Tensor

    def __init__(self, components: int, dimensions: int) -> None:
        super().__init__()
        size = components, dimensions
        self.register_buffer("log_weights", torch.zeros(components, dtype=torch.float64))
        self.register_buffer("means", torch.zeros(size, dtype=torch.float64))
        self.register_buffer("factors", torch.zeros((*size, dimensions), dtype=torch.float64))

    @staticmethod
    def of(mixture: Mixture) -> "MixtureDensity":
        """What `fit` found."""
        density = MixtureDensity(*mixture.means.shape)
        density.log_weights.copy_(torch.from_numpy(np.log(mixture.weights)))
        density.means.copy_(torch.from_numpy(mixture.means))
        density.factors.copy_(torch.from_numpy(mixture.precision_factors()))
        return density

    def forward(self, points: Tensor) -> Tensor:
        """-log p(z)."""
        offsets = points.double().unsqueeze(0) - self.means.unsqueeze(1)  # (K, n, d)
        squares = (offsets @ self.factors).square().sum(2) + points.shape[1] * np.log(2 * np.pi)
        halves = self.factors.diagonal(dim1=1, dim2=2).log().sum(1)  # ½ log |Σ⁻¹|, as (K,)
        return -torch.logsumexp((self.log_weights + halves).unsqueeze(1) - squares / 2, 0)
