"""CRADL: the algebra of its parts, the scores of its model, and that it learns."""

import itertools
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from sklearn.metrics import roc_auc_score
from sklearn.mixture import GaussianMixture
from torch import Tensor

from reference_methods.common import cases
from reference_methods.common.cases import Case
from reference_methods.common.deep import checkpoint
from reference_methods.common.deep.smooth_gradient import smooth_gradient
from reference_methods.common.deep.standardising import Standardising
from reference_methods.common.deep.store import Slices
from reference_methods.common.deep.training import Order
from reference_methods.cradl import mixture
from reference_methods.cradl.augmentation import Views, matrices
from reference_methods.cradl.config import CONFIGS, Config
from reference_methods.cradl.fitting import choose_density, mean_negative_log_likelihood
from reference_methods.cradl.flow import Flow
from reference_methods.cradl.mixture import Mixture, MixtureDensity
from reference_methods.cradl.model import (
    Encoder,
    Model,
    Pretext,
    Scorer,
    foreground,
    nt_xent,
    pooled,
    smoothed,
)
from reference_methods.cradl.pretext import Material, decayed, rate, with_body
from reference_methods.cradl.train import learn
from tests.unit.reference_methods import scans

TINY = replace(
    CONFIGS["small"]["brain"],
    side=16,
    channels=(4, 8),
    features=5,
    head=(6, 4),
    batch=8,
    steps=4,
    validate_every=2,
    components=(1, 2),
    flow_hidden=8,
    flow_steps=6,
    gradients=2,
)

Array = NDArray[np.float64]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20)


def _views(rng: np.random.Generator, count: int = 6, features: int = 5) -> tuple[Tensor, Tensor]:
    one, other = (torch.from_numpy(rng.normal(size=(count, features))) for _ in range(2))
    return one, other


# NT-Xent


def test_nt_xent_equals_a_double_loop(rng: np.random.Generator) -> None:
    one, other = _views(rng)
    views = np.concatenate([one.numpy(), other.numpy()])
    views /= np.linalg.norm(views, axis=1, keepdims=True)
    losses = []
    for a in range(12):
        others = [math.exp(views[a] @ views[k] / 0.5) for k in range(12) if k != a]
        losses.append(-math.log(math.exp(views[a] @ views[(a + 6) % 12] / 0.5) / sum(others)))
    assert float(nt_xent(one, other, 0.5)) == pytest.approx(np.mean(losses), abs=1e-10)


def test_nt_xent_of_views_that_are_all_alike_is_chance() -> None:
    same = torch.ones(7, 3, dtype=torch.float64)
    assert float(nt_xent(same, same, 0.5)) == pytest.approx(math.log(2 * 7 - 1), abs=1e-12)


def test_nt_xent_ignores_lengths_and_the_order_of_pairs(rng: np.random.Generator) -> None:
    one, other = _views(rng)
    lengths, order = torch.from_numpy(rng.uniform(0.1, 9, (6, 1))), torch.from_numpy(rng.permutation(6))
    loss = nt_xent(one, other, 0.5)
    assert torch.allclose(nt_xent(lengths * one, other, 0.5), loss, atol=1e-12)
    assert torch.allclose(nt_xent(one[order], other[order], 0.5), loss, atol=1e-12)
    assert torch.allclose(nt_xent(other, one, 0.5), loss, atol=1e-12)


def test_nt_xent_falls_when_a_view_moves_towards_its_partner() -> None:
    one = torch.eye(4, 5, dtype=torch.float64)
    losses = [float(nt_xent(one, one + away * torch.eye(5)[4], 0.5)) for away in (4.0, 1.0, 0.2, 0.0)]
    assert losses == sorted(losses, reverse=True)
    assert len(set(losses)) == 4


def test_the_head_has_two_layers_and_the_encoder_any_number_of_channels() -> None:
    network = Pretext(**{name: getattr(Config(), name) for name in ("channels", "features", "head")})
    assert [tuple(one.weight.shape) for one in network.head if hasattr(one, "weight")] == [
        (512, 512),
        (256, 512),
    ]
    assert network.encoder(torch.zeros(2, 1, 128, 128)).shape == (2, 512)


@pytest.mark.parametrize("size", ["paper", "small"])
@pytest.mark.parametrize("dataset", ["brain", "abdom"])
def test_the_encoder_of_all_settings_ends_in_four_pixels(size: str, dataset: str) -> None:
    config = CONFIGS[size][dataset]
    assert config.side == 4 * 2 ** len(config.channels)


# Augmentation


def _still(count: int, side: int) -> Views:
    return Views(_matrices(count), np.ones(count, np.float32), np.zeros((count, 1, side, side), np.float32))


def _matrices(count: int, angle: float = 0, mirror: float = 1) -> NDArray[np.float32]:
    return matrices(np.full(count, angle), np.ones(count), np.full(count, mirror), np.zeros((count, 2)))


def test_a_view_that_changes_nothing_is_the_slice(rng: np.random.Generator) -> None:
    slices = torch.from_numpy(rng.uniform(-1, 1, (3, 1, 8, 8)))
    assert torch.allclose(_still(3, 8).of(slices, 1.5), slices, atol=1e-6)


def test_views_mirror_and_rotate(rng: np.random.Generator) -> None:
    slices = torch.from_numpy(rng.uniform(-1, 1, (2, 1, 8, 8)))
    flipped = replace(_still(2, 8), matrices=_matrices(2, mirror=-1)).of(slices, 1.5)
    turned = replace(_still(2, 8), matrices=_matrices(2, angle=math.pi / 2)).of(slices, 1.5)
    assert torch.allclose(flipped, slices.flip(2), atol=1e-5)
    assert torch.allclose(turned, torch.rot90(slices, 1, (2, 3)), atol=1e-5)


def test_views_multiply_add_noise_and_clip(rng: np.random.Generator) -> None:
    slices = torch.from_numpy(rng.uniform(-1, 1, (2, 1, 8, 8)))
    disturbed = np.float32(rng.normal(size=(2, 1, 8, 8)))
    views = replace(_still(2, 8), brightness=np.array([0.5, 2], np.float32), noise=disturbed).of(slices, 1.5)
    expected = slices * torch.tensor([0.5, 2.0]).view(2, 1, 1, 1) + torch.from_numpy(disturbed)
    assert torch.allclose(views, expected.clamp(-1.5, 1.5), atol=1e-5)


def test_views_stay_in_their_ranges_and_follow_the_generator() -> None:
    views, again = (Views.draw(4_000, 4, np.random.default_rng(3)) for _ in range(2))
    scale = np.sqrt(np.abs(np.linalg.det(views.matrices[:, :, :2])))
    assert np.array_equal(views.matrices, again.matrices)
    assert np.array_equal(views.noise, again.noise)
    for values, low, high in (
        (scale, 0.9, 1.2),
        (views.brightness, 0.95, 1.1),
        (views.matrices[:, :, 2], -1 / 3, 1 / 3),
        (views.matrices[:, 1, 0] / scale, -math.sin(0.1), math.sin(0.1)),
    ):
        width = (high - low) / 50
        assert low - 1e-6 <= values.min() < low + width
        assert high - width < values.max() <= high + 1e-6
    assert views.matrices[:, 0, 0].min() > 0
    assert np.mean(views.matrices[:, 1, 1] < 0) == pytest.approx(0.5, abs=0.03)
    assert np.var(views.noise) == pytest.approx(0.025, rel=0.05)


# The mixture


@pytest.fixture
def points(rng: np.random.Generator) -> Array:
    """Three clusters in three dimensions that overlap."""
    middles = np.array([[0.0, 0, 0], [2, 1, 0], [-1, 2, 2]])
    shapes = rng.normal(size=(3, 3, 3))
    return np.concatenate([m + rng.normal(size=(80, 3)) @ s for m, s in zip(middles, shapes, strict=True)])


def test_em_never_lowers_the_likelihood_and_raises_it(points: Array, rng: np.random.Generator) -> None:
    for _ in range(5):
        start = Mixture.start(points, 3, rng)
        history = mixture.fit(points, start, ridge=0, converged=-np.inf, rounds=60)[1]
        assert np.all(np.diff(history) >= 0)
        assert history[-1] > history[0] + 0.1


def test_em_with_a_ridge_ends_before_the_likelihood_falls(points: Array, rng: np.random.Generator) -> None:
    found, history = mixture.fit(points, Mixture.start(points, 3, rng), 0.3, converged=-np.inf, rounds=200)
    assert np.all(np.diff(history) >= 0)
    assert -MixtureDensity.of(found)(torch.from_numpy(points)).mean().item() == pytest.approx(history[-1])


def test_em_ends_where_it_gains_little(points: Array, rng: np.random.Generator) -> None:
    history = mixture.fit(points, Mixture.start(points, 3, rng), 1e-3, converged=1e-2)[1]
    assert np.all(np.diff(history)[:-1] >= 1e-2)
    assert 0 <= np.diff(history)[-1] < 1e-2


def test_em_equals_scikit_learn(points: Array, rng: np.random.Generator) -> None:
    start = Mixture.start(points, 3, rng)
    found, _ = mixture.fit(points, start, ridge=1e-6, converged=-np.inf, rounds=25)
    other = GaussianMixture(
        3,
        tol=0,
        reg_covar=1e-6,
        max_iter=25,
        weights_init=start.weights,
        means_init=start.means,
        precisions_init=np.linalg.inv(start.covariances),
    )
    with pytest.warns(match="did not converge"):
        other.fit(points)
    assert np.allclose(found.weights, other.weights_, atol=1e-8, rtol=0)
    assert np.allclose(found.means, other.means_, atol=1e-8, rtol=0)
    assert np.allclose(found.covariances, other.covariances_, atol=1e-8, rtol=0)
    likelihoods = MixtureDensity.of(found)(torch.from_numpy(points)).numpy()
    assert np.allclose(-likelihoods, other.score_samples(points), atol=1e-8, rtol=0)


def test_the_covariance_weighs_by_responsibilities_once(points: Array, rng: np.random.Generator) -> None:
    responsibilities = rng.dirichlet([1, 1], len(points))
    found = mixture.maximise(points, responsibilities, ridge=0)
    for number, shares in enumerate(responsibilities.T):
        assert np.allclose(
            found.covariances[number], np.cov(points.T, aweights=shares, bias=True), atol=1e-10
        )
        assert np.allclose(found.means[number], np.average(points, axis=0, weights=shares), atol=1e-10)
    assert np.allclose(found.weights, responsibilities.mean(axis=0))


def test_responsibilities_sum_to_one(points: Array, rng: np.random.Generator) -> None:
    densities = Mixture.start(points, 3, rng).log_densities(points)
    likelihoods = MixtureDensity.of(Mixture.start(points, 3, np.random.default_rng(20)))
    assert likelihoods(torch.from_numpy(points)).shape == (240,)
    shares = np.exp(densities - np.logaddexp.reduce(densities, axis=1, keepdims=True))
    assert np.allclose(shares.sum(axis=1), 1, atol=1e-12)


def test_one_component_is_half_of_mahalanobis_and_a_constant(points: Array, rng: np.random.Generator) -> None:
    found, _ = mixture.fit(points, Mixture.start(points, 1, rng), ridge=0, converged=1e-9)
    offsets, covariance = points - points.mean(axis=0), np.cov(points.T, bias=True)
    mahalanobis = np.einsum("nd,nd->n", offsets @ np.linalg.inv(covariance), offsets)
    expected = mahalanobis / 2 + np.linalg.slogdet(2 * np.pi * covariance)[1] / 2
    assert np.allclose(MixtureDensity.of(found)(torch.from_numpy(points)).numpy(), expected, atol=1e-10)


def test_points_that_are_all_alike_leave_finite_likelihoods() -> None:
    same = np.full((9, 4), 0.3)
    found, history = mixture.fit(same, Mixture.start(same, 3, np.random.default_rng(0)), 1e-3, 1e-2)
    assert np.isfinite(history).all()
    assert MixtureDensity.of(found)(torch.full((1, 4), 50.0)).isfinite().all()


# The flow


def _flow(dimensions: int, strength: float = 0.3) -> Flow:
    torch.manual_seed(4)
    flow = Flow(dimensions, 16).double()
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=strength)
    return flow


@pytest.mark.parametrize("dimensions", [2, 5, 6])
def test_the_flow_can_be_undone(dimensions: int, rng: np.random.Generator) -> None:
    flow, points = _flow(dimensions), torch.from_numpy(rng.normal(size=(20, dimensions)))
    assert torch.allclose(flow.inverse(flow.transform(points)[0]), points, atol=1e-10, rtol=0)
    assert not torch.allclose(flow.transform(points)[0], points, atol=0.1)


@pytest.mark.parametrize("dimensions", [2, 5, 6])
def test_the_determinant_is_that_of_the_jacobian(dimensions: int, rng: np.random.Generator) -> None:
    flow = _flow(dimensions)
    for point in torch.from_numpy(rng.normal(size=(3, dimensions))):
        jacobian = torch.autograd.functional.jacobian(lambda x: flow.transform(x[None])[0][0], point)
        expected = torch.linalg.slogdet(jacobian)[1]
        assert torch.allclose(flow.transform(point[None])[1][0], expected, atol=1e-10, rtol=0)


@torch.no_grad()
def test_the_density_of_the_flow_integrates_to_one() -> None:
    axis = torch.linspace(-12, 12, 301, dtype=torch.float64)
    grid = torch.cartesian_prod(axis, axis)
    assert float((-_flow(2)(grid)).exp().sum() * (axis[1] - axis[0]) ** 2) == pytest.approx(1, abs=1e-3)


@torch.no_grad()
def test_training_and_scoring_use_the_same_formula(rng: np.random.Generator) -> None:
    flow, points = _flow(4), torch.from_numpy(rng.normal(size=(9, 4)))
    z, log_determinant = flow.transform(points)
    normal = torch.distributions.Normal(0.0, 1.0)
    expected = -normal.log_prob(z).sum(1) - log_determinant
    assert torch.allclose(flow(points), expected, atol=1e-10)
    assert torch.allclose(mean_negative_log_likelihood(flow, points), expected.mean(), atol=1e-10)
    scorer = Scorer(_identity(), torch.zeros(4).double(), torch.ones(4).double(), flow)
    assert torch.allclose(scorer(points), expected, atol=1e-10)


def _identity() -> Encoder:
    encoder = Encoder((2,), 4)
    encoder.layers = torch.nn.Sequential()
    return encoder


def test_a_new_flow_is_a_normal_distribution(rng: np.random.Generator) -> None:
    points = torch.from_numpy(rng.normal(size=(5, 3))).float()
    expected = points.square().sum(1) / 2 + 1.5 * math.log(2 * math.pi)
    assert torch.allclose(Flow(3, 8)(points), expected, atol=1e-5)


# The scores


def _scorer(rng: np.random.Generator, density: str) -> Scorer:
    """In float64, untrained, with a density of five features."""
    torch.manual_seed(6)
    encoder = Encoder((4, 8), 5).double().eval()
    points = rng.normal(size=(60, 5))
    if density == "flow":
        return Scorer(encoder, torch.zeros(5).double(), torch.full((5,), 0.3).double(), _flow(5)).eval()
    found, _ = mixture.fit(points, Mixture.start(points, 2, rng), 1e-3, 1e-3)
    return Scorer(encoder, torch.zeros(5).double(), torch.full((5,), 0.3).double(), MixtureDensity.of(found))


@pytest.mark.parametrize("density", ["mixture", "flow"])
def test_the_gradient_to_the_slice_equals_central_differences(density: str, rng: np.random.Generator) -> None:
    scorer = _scorer(rng, density).eval()
    slices = torch.from_numpy(rng.normal(size=(2, 1, 16, 16)))
    gradient = smooth_gradient(scorer, slices, torch.zeros(1, 1, 16, 16))
    step = 1e-6
    for row, column in [(0, 0), (3, 7), (8, 8), (15, 2)]:
        up, down = slices.clone(), slices.clone()
        up[:, 0, row, column] += step
        down[:, 0, row, column] -= step
        with torch.no_grad():
            expected = (scorer(up) - scorer(down)) / (2 * step)
        assert torch.allclose(gradient[:, 0, row, column], expected, atol=1e-5, rtol=1e-5)


def test_maps_are_smoothed_each_by_itself(rng: np.random.Generator) -> None:
    maps = rng.random((3, 1, 16, 16), dtype=np.float32)
    assert np.array_equal(smoothed(maps, 3, 2)[1:2], smoothed(maps[1:2], 3, 2))
    assert np.allclose(smoothed(np.ones((1, 1, 9, 9), np.float32), 5, 3), 1)


def test_the_foreground_holds_what_the_body_encloses() -> None:
    body = np.zeros((2, 12, 12), np.float32)
    body[0, 2:9, 2:9] = 0.5
    body[0, 4:6, 4:6] = 0
    shown = foreground(body)
    assert shown[0].sum() == 49
    assert not shown[1].any()


def test_a_case_is_the_mean_of_its_highest_slices_with_body() -> None:
    scores, body = np.array([9.0, 1, 2, 3, 4, -5]), np.array([0, 0.5, 0.5, 0.5, 0.5, 0])
    assert pooled(scores, body, 0.5) == 3.5
    assert pooled(scores, body, 0.01) == 4
    assert pooled(scores, 0 * body, 1 / 6) == 9


# The model


@pytest.fixture(scope="module", params=["mixture", "flow"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    """Barely trained."""
    return _learn(tmp_path_factory.mktemp("cradl"), replace(TINY, density=request.param))


def _learn(folder: Path, config: Config, count: int = 6, seed: int = 0) -> Model:
    generator = np.random.default_rng(1)
    paths = [folder / f"{number}.nii.gz" for number in range(count)]
    for path in paths:
        if not path.exists():
            scans.write(path, scans.normal(generator))
    return learn(paths, cases.same, Order("brain", folder / "work", device="cpu", seed=seed), config)


def _case(data: NDArray[np.float32]) -> Case:
    return Case(Path("0.nii.gz"), data, scans.AFFINE)


def test_scores_are_finite_and_in_range_for_any_volume(model: Model) -> None:
    for data in (np.zeros(scans.SHAPE), np.full(scans.SHAPE, 0.5), np.full(scans.SHAPE, 1e4)):
        case = _case(data.astype(np.float32))
        maps, score = model.voxel_scores(case), model.case_score(case)
        assert maps.shape == scans.SHAPE
        assert maps.dtype == np.float32
        assert np.isfinite(maps).all()
        assert 0 <= maps.min() <= maps.max() <= 1
        assert 0 <= score <= 1


def test_nothing_outside_of_the_foreground_is_marked(model: Model, rng: np.random.Generator) -> None:
    data = scans.normal(rng)
    maps = model.voxel_scores(_case(data))
    assert not maps[data == 0].any()
    assert maps[data > 0.05].min() > 0


def test_a_slice_scores_the_same_in_any_batch(model: Model, rng: np.random.Generator) -> None:
    slices = torch.from_numpy(rng.random((9, 1, 16, 16), dtype=np.float32))
    maps, scores = model.scores.of_pixels(slices), model.scores.of_slices(slices)
    alone, alone_scores = model.scores.of_pixels(slices[4:5]), model.scores.of_slices(slices[4:5])
    assert torch.allclose(maps[4:5], alone, atol=1e-6 * float(maps.max()), rtol=1e-4)
    assert torch.allclose(scores[4:5], alone_scores, rtol=1e-5)
    assert torch.allclose(model.scores.of_slices(slices.flip(0)).flip(0), scores, rtol=1e-5)


def test_scores_do_not_depend_on_the_company(model: Model, rng: np.random.Generator) -> None:
    first, second = _case(scans.normal(rng)), _case(scans.abnormal(rng))
    alone = model.voxel_scores(first), model.case_score(first)
    model.voxel_scores(second)
    model.case_score(second)
    assert np.array_equal(model.voxel_scores(first), alone[0])
    assert model.case_score(first) == alone[1]


def test_a_stored_model_scores_the_same(model: Model, tmp_path: Path, rng: np.random.Generator) -> None:
    case = _case(scans.abnormal(rng))
    model.save(tmp_path / "brain.npz")
    again = Model.load(tmp_path / "brain.npz")
    assert np.array_equal(again.voxel_scores(case), model.voxel_scores(case))
    assert again.case_score(case) == model.case_score(case)


def test_the_map_is_the_size_of_the_gradient_of_the_score(model: Model, rng: np.random.Generator) -> None:
    slices = torch.from_numpy(rng.random((2, 1, 16, 16), dtype=np.float32))
    gradient = smooth_gradient(model.network, model.scores.standardise(slices), model.scores.fields)
    assert np.allclose(model.scores.of_pixels(slices).numpy(), smoothed(gradient.abs().numpy(), 3, 2))


# Training


def test_the_rate_warms_up_and_follows_a_cosine() -> None:
    rates = [rate(step, 100, 0.1) for step in range(100)]
    assert rates[:10] == pytest.approx([0.1 * n for n in range(1, 11)])
    assert rates[10] == 1
    assert rates[55] == pytest.approx(0.5)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert 0 < rates[-1] < 1e-3


def test_biases_and_batch_normalisation_do_not_decay() -> None:
    weights, others = decayed(Pretext((4, 8), 5, (6, 4)), 0.3)
    assert (weights["weight_decay"], others["weight_decay"]) == (0.3, 0)
    assert sorted(one.ndim for one in weights["params"]) == [2, 2, 4, 4, 4]
    assert all(one.ndim == 1 for one in others["params"])


def test_slices_without_body_are_not_learned_from() -> None:
    values = np.zeros((3, 4, 10, 10), np.float16)
    values[0, 2, :2], values[2, 1, :2] = 0.5, 0.5
    slices = Slices(values, np.array([0, 2]), np.array([1]))
    assert with_body(slices, slices.training).tolist() == [[0, 2], [2, 1]]
    with pytest.raises(ValueError, match="none of 1 scans"):
        with_body(slices, slices.validation)


def _material(density: str, folder: Path) -> Material:
    config, places = replace(TINY, density=density, converged=1e-6), np.zeros((1, 2), np.int64)
    slices = Slices(np.zeros((4, 1, 16, 16), np.float16), np.arange(2), np.arange(2, 4))
    order = Order("brain", folder, device="cpu")
    return Material(slices, places, places, Standardising(0, 1), config, order, torch.device("cpu"))


@pytest.mark.parametrize(("apart", "expected"), [(0.0, 1), (9.0, 2)])
def test_held_out_features_choose_the_number_of_components(
    apart: float, expected: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    training, held_out = (
        rng.normal(size=(count, 3)) + apart * rng.integers(0, 2, (count, 1)) for count in (60, 900)
    )
    assert choose_density(training, held_out, _material("mixture", tmp_path)).components == expected


def test_the_flow_is_chosen_where_held_out_features_are_likelier(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    material = _material("chosen", tmp_path)
    material = replace(material, config=replace(material.config, flow_steps=120, components=(1,)))
    training, held_out = _ring(rng, 1_000), _ring(rng, 400)
    assert choose_density(training, held_out, material).components == 0


def _ring(rng: np.random.Generator, count: int) -> Array:
    angle, radius = rng.uniform(0, 2 * np.pi, count), rng.normal(1, 0.05, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def test_an_unknown_density_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mixture, flow, chosen"):
        choose_density(np.zeros((2, 2)), np.zeros((2, 2)), _material("gmm", tmp_path))


def test_a_training_gives_the_same_again_and_another_with_another_seed(tmp_path: Path) -> None:
    case = _case(scans.abnormal(np.random.default_rng(2)))
    runs = [(tmp_path / "a", 0), (tmp_path / "b", 0), (tmp_path / "c", 1)]
    maps = [_learn(folder, TINY, seed=seed).voxel_scores(case) for folder, seed in runs]
    assert np.array_equal(maps[0], maps[1])
    assert not np.array_equal(maps[0], maps[2])


def test_a_training_that_was_cut_off_goes_on_to_the_same_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = replace(TINY, density="flow")
    case = _case(scans.abnormal(np.random.default_rng(2)))
    whole = _learn(tmp_path / "whole", config).voxel_scores(case)
    keep = checkpoint.save

    def stop(path: Path, state: dict[str, object]) -> None:
        keep(path, state)
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "save", stop)
    with pytest.raises(KeyboardInterrupt):
        _learn(tmp_path / "cut", config)
    monkeypatch.undo()
    assert np.array_equal(_learn(tmp_path / "cut", config).voxel_scores(case), whole)


# Learning


def _head(rng: np.random.Generator) -> NDArray[np.float32]:
    """A head of 32³: an ellipsoid, longer along y, with a rim, two dark chambers and texture."""
    grid = (np.indices((32, 32, 32)) - 15.5) / 16 + rng.normal(0, 0.03, (3, 1, 1, 1))
    axes = np.array([0.62, 0.85, 0.75]) * rng.uniform(0.94, 1.06, 3)
    radius = np.sqrt(np.sum((grid / axes.reshape(3, 1, 1, 1)) ** 2, axis=0))
    data = np.where(radius < 0.85, 0.45, 0.7) + rng.normal(0, 0.02)
    for side in (-0.18, 0.18):
        chamber = ((grid[0] - side) / 0.1) ** 2 + ((grid[1] + 0.1) / 0.3) ** 2 + (grid[2] / 0.45) ** 2
        data[chamber < rng.uniform(0.8, 1.3)] = 0.2
    data += gaussian_filter(rng.normal(0, 1, data.shape), 1) * 0.12
    return np.where(radius < 1, np.clip(data, 0.06, 1), 0).astype(np.float32)


def _changed(data: NDArray[np.float32], rng: np.random.Generator) -> dict[str, NDArray[np.float32]]:
    """The same head turned by a right angle, blurred, and with a bright ball."""
    centre = 15.5 + np.append(rng.uniform(-4, 4, 2), 0)
    ball = np.sum((np.indices(data.shape) - centre.reshape(3, 1, 1, 1)) ** 2, axis=0) < 3.5**2
    return {
        "turned": np.rot90(data).copy(),
        "blurred": gaussian_filter(data, 2),
        "abnormal": np.where(ball, np.float32(0.95), data),
    }


@pytest.mark.slow
def test_it_learns_to_tell_slices_apart_and_what_is_abnormal_from_what_is_not(tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    paths = [scans.write(tmp_path / f"{number:02}.nii.gz", _head(rng)) for number in range(40)]
    config = replace(
        CONFIGS["small"]["brain"],
        side=32,
        channels=(16, 32, 64),
        features=32,
        head=(32, 32),
        batch=64,
        steps=300,
    )
    model = learn(paths, cases.same, Order("brain", tmp_path / "work", device="cpu"), config)
    history = torch.load(tmp_path / "work" / "cradl-brain.pt", weights_only=True)["history"]
    assert min(past["loss"] for past in history) < math.log(2 * 64 - 1) - 0.5

    heads = [_head(rng) for _ in range(25)]
    normal = _slice_scores(model, heads)
    for kind in ("turned", "blurred", "abnormal"):
        others = _slice_scores(model, [_changed(head, rng)[kind] for head in heads])
        truth = np.repeat([0, 1], [len(normal), len(others)])
        assert roc_auc_score(truth, np.concatenate([normal, others])) > 0.8, kind


def _slice_scores(model: Model, heads: list[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Of the four slices in the middle."""
    middle = itertools.chain.from_iterable(np.moveaxis(head, 2, 0)[14:18] for head in heads)
    return model.scores.of_slices(torch.from_numpy(np.stack(list(middle))).unsqueeze(1)).numpy()
