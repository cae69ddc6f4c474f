"""Train CRADL on a dataset's training scans: features by contrast, then a density of them."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reference_methods.common.cases import Watch
from reference_methods.common.deep.device import choose
from reference_methods.common.deep.networks import Facts
from reference_methods.common.deep.standardising import BODY
from reference_methods.common.deep.store import store
from reference_methods.common.deep.training import Order
from reference_methods.common.deep.validation import toys
from reference_methods.common.squashing import SignedSquashing, Squashing
from reference_methods.cradl.config import CONFIGS, Config
from reference_methods.cradl.fitting import choose_density
from reference_methods.cradl.model import Encoder, Model, Scorer, Scores, foreground, pooled, scores_of
from reference_methods.cradl.pretext import Material, Places, learn_features

CURVE_SLICES = 1_000  # held-out slices that the curves into [0, 1] are learned from, at most
AT_ONCE = 256


def train(scans: Sequence[Path], watch: Watch, order: Order) -> Model:
    """With the settings that the order names; see `learn`."""
    return learn(scans, watch, order, CONFIGS[order.config][order.dataset])


def learn(scans: Sequence[Path], watch: Watch, order: Order, config: Config) -> Model:
    """Raises `ValueError` as `store`, `fit`, `Material.of` and `choose_density` do."""
    slices, device = store(scans, config.slicing, order.folder, watch), choose(order.device)
    material, rng = Material.of(slices, config, order, device), np.random.default_rng([order.seed, 2])
    scorer, components = learn_density(learn_features(material), material, rng)
    facts = {**material.facts, "components": components}
    scores = scores_of(scorer, facts)
    facts |= learn_curves(scores, material, rng)
    report(scores, material, rng)
    return Model(scorer, facts)


def learn_density(encoder: Encoder, material: Material, rng: np.random.Generator) -> tuple[Scorer, int]:
    """Fit it to the features of normal slices, not augmented; also its number of components, 0 for a flow."""
    training = features(encoder, material, some(material.training, material.config.fit_slices, rng))
    held_out = features(encoder, material, material.held_out)
    mean, spread = training.mean(axis=0), training.std(axis=0)
    spread = np.where(spread > 1e-6, spread, 1.0)
    found = choose_density((training - mean) / spread, (held_out - mean) / spread, material)
    scorer = Scorer(encoder, torch.from_numpy(mean), torch.from_numpy(spread), found.density)
    return scorer.to(material.device).eval().requires_grad_(False), found.components


@torch.no_grad()
def features(encoder: Encoder, material: Material, places: Places) -> NDArray[np.float64]:
    """f(x) of slices, (m, d)."""
    starts = range(0, len(places), AT_ONCE)
    parts = [encoder(material.batch(places[start : start + AT_ONCE])) for start in starts]
    result: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
    return result


def some(places: Places, count: int | None, rng: np.random.Generator) -> Places:
    """At most so many of them, at random."""
    return places if count is None or len(places) <= count else rng.choice(places, count, replace=False)


def learn_curves(scores: Scores, material: Material, rng: np.random.Generator) -> Facts:
    """From held-out normal slices: pixels of the foreground for maps, slices for cases."""
    places = some(material.held_out, CURVE_SLICES, rng)
    batch = material.slices.take(places[:, 0], places[:, 1])
    shown = foreground(batch.squeeze(1).numpy())
    pixels = Squashing.learn(of_pixels(scores, batch, material.device).squeeze(1).numpy()[shown])
    cases = SignedSquashing.learn(of_slices(scores, batch, material.device))
    return {"pixel_scale": pixels.scale, "case_centre": cases.centre, "case_scale": cases.scale}


def report(scores: Scores, material: Material, rng: np.random.Generator) -> None:
    """Say how well held-out scans are told from the same with a sphere; nothing is chosen by it."""

    def voxel_scores(scan: Tensor) -> Tensor:
        shown = torch.from_numpy(foreground(scan.squeeze(1).numpy())).unsqueeze(1)
        return of_pixels(scores, scan, material.device) * shown

    def case_score(scan: Tensor) -> float:
        body = (scan > BODY).float().mean((1, 2, 3)).numpy()
        return pooled(of_slices(scores, scan, material.device), body, material.config.top)

    figures = toys(material.slices, rng).figures(voxel_scores, case_score)
    told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in figures.items())
    print(f"held-out scans with and without a toy-like sphere: {told}", flush=True)


def of_pixels(scores: Scores, slices: Tensor, device: torch.device) -> Tensor:
    """Maps of any number of slices, some at a time."""
    return torch.cat([scores.of_pixels(part.to(device)) for part in torch.split(slices, AT_ONCE)])


def of_slices(scores: Scores, slices: Tensor, device: torch.device) -> NDArray[np.float64]:
    """Scores (n,) of any number of slices, some at a time."""
    parts = [scores.of_slices(part.to(device)) for part in torch.split(slices, AT_ONCE)]
    result: NDArray[np.float64] = torch.cat(parts).double().cpu().numpy()
    return result
