"""The algebra of the ceVAE's loss, task and scores, and that it learns."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch.distributions import Normal
from torch.distributions import kl_divergence as torch_kl_divergence

from reference_methods.cevae.config import CONFIGS, PIXEL_SCORES, Config
from reference_methods.cevae.model import (
    Model,
    Network,
    Scores,
    Square,
    absolute_error,
    build,
    context_term,
    draw_squares,
    foreground,
    kl_divergence,
    objective,
    paint,
    smooth,
    variational_terms,
)
from reference_methods.cevae.train import augment, learn
from reference_methods.common.cases import Case, same
from reference_methods.common.deep import inference
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.smooth_gradient import noise, smooth_gradient
from reference_methods.common.deep.standardising import Standardising
from reference_methods.common.deep.store import store
from reference_methods.common.deep.training import Order
from tests.unit.reference_methods import scans

SIDE = 16
TINY = replace(
    CONFIGS["small"]["brain"], side=SIDE, channels=(4, 8), latent=6, batch=4, steps=3, validate_every=2
)
SCALES = {"case": 50.0, **dict.fromkeys(PIXEL_SCORES, 0.5)}


def generator(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def network(config: Config = TINY, seed: int = 0) -> Network:
    """Untrained, in double precision, with log σ unlike 0."""
    torch.manual_seed(seed)
    made = build(config).double()
    made.log_deviation[-1].weight.data *= 3
    return made


def slices(count: int = 5, seed: int = 1, side: int = SIDE) -> torch.Tensor:
    return torch.from_numpy(generator(seed).uniform(-1.5, 1.5, (count, 1, side, side)))


def normal(count: int = 5, seed: int = 2) -> torch.Tensor:
    return torch.from_numpy(generator(seed).standard_normal((count, TINY.latent)))


def painted(x: torch.Tensor, seed: int = 3) -> torch.Tensor:
    rng = generator(seed)
    return paint(x, [draw_squares(SIDE, 1.5, rng) for _ in x])


def model(config: Config = TINY) -> Model:
    made = network(config).float()
    return Model(made, config, Standardising(0.5, 0.2, config.limit), dict(SCALES), torch.device("cpu"))


def case(data: np.ndarray) -> Case:
    return Case(Path("0.nii.gz"), data.astype(np.float32), np.eye(4))


def scores(config: Config = TINY) -> Scores:
    return Scores(network(config), config)


class Line(torch.nn.Module):
    """Encodes a slice as its pixels (σ = 1) and decodes them as `gain` times these."""

    def __init__(self, gain: float) -> None:
        super().__init__()
        self.gain = gain

    def encode(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x.flatten(1), torch.zeros_like(x.flatten(1))

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        side = int(z.shape[1] ** 0.5)
        return self.gain * z.reshape(-1, 1, side, side)


# The loss.


def test_the_divergence_is_that_of_torch_and_of_samples() -> None:
    mean, log_deviation = normal(4, 5), 0.5 * normal(4, 6)
    expected = torch_kl_divergence(Normal(mean, log_deviation.exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(kl_divergence(mean, log_deviation), expected, atol=1e-12)
    epsilon = torch.from_numpy(generator(7).standard_normal((200_000, TINY.latent)))
    z = mean[0] + log_deviation[0].exp() * epsilon
    ratio = Normal(mean[0], log_deviation[0].exp()).log_prob(z) - Normal(0.0, 1.0).log_prob(z)
    assert ratio.sum(1).mean().item() == pytest.approx(expected[0].item(), rel=0.02)


def test_the_divergence_is_zero_for_the_prior_alone() -> None:
    nothing = torch.zeros(1, 6, dtype=torch.float64)
    assert kl_divergence(nothing, nothing).item() == 0
    for other in (-0.1, 0.1):
        assert kl_divergence(nothing + other, nothing).item() > 0
        assert kl_divergence(nothing, nothing + other).item() > 0


def test_errors_and_divergences_are_sums_over_a_slice_and_means_over_a_batch() -> None:
    x = slices(1)
    assert absolute_error(x, x + 0.25).item() == pytest.approx(0.25 * SIDE**2)
    larger = slices(1, side=2 * SIDE)
    assert absolute_error(larger, larger - 0.25).item() == pytest.approx(0.25 * (2 * SIDE) ** 2)
    one = objective(network(), x, painted(x), normal(1), 0.5, 1.0)
    batch = [part.repeat(3, *[1] * (part.ndim - 1)) for part in (x, painted(x), normal(1))]
    assert objective(network(), *batch, 0.5, 1.0).item() == pytest.approx(one.item(), rel=1e-12)


def test_the_whole_loss_is_divergence_reconstruction_and_context() -> None:
    net, x, hidden, epsilon = network(), slices(), painted(slices()), normal()
    kl, rec = (term.mean() for term in variational_terms(net, x, epsilon))
    context = context_term(net, x, hidden).mean()
    for factor, weight, expected in [
        (0.5, 1.0, (kl + rec + context) / 2),
        (0.0, 1.0, kl + rec),
        (1.0, 7.0, context),
        (0.25, 4.0, 0.75 * (4 * kl + rec) + 0.25 * context),
    ]:
        assert torch.allclose(objective(net, x, hidden, epsilon, factor, weight), expected, atol=1e-10)


def test_the_variational_branch_samples_with_the_deviation_and_not_with_its_logarithm() -> None:
    net, x, epsilon = network(), slices(), normal()
    mean, log_deviation = net.encode(x)
    by_hand = (x - net.decode(mean + torch.exp(log_deviation) * epsilon)).abs().flatten(1).sum(1)
    assert torch.allclose(variational_terms(net, x, epsilon)[1], by_hand, atol=1e-12)


def test_the_context_branch_asks_for_what_was_there_before() -> None:
    x, hidden = slices(), painted(slices())
    assert torch.equal(context_term(Line(1.0), x, hidden), absolute_error(x, hidden))
    assert (absolute_error(x, hidden) > 0).all()


def test_the_context_branch_knows_no_noise() -> None:
    net, x, hidden = network(), slices(), painted(slices())
    first, second = (objective(net, x, hidden, normal(seed=seed), 1.0, 1.0) for seed in (1, 2))
    assert first.item() == second.item()
    by_hand = (x - net.decode(net.encode(hidden)[0])).abs().flatten(1).sum(1)
    assert torch.allclose(context_term(net, x, hidden), by_hand, atol=1e-12)


def test_the_context_branch_leaves_the_head_of_the_deviation_alone() -> None:
    net, x, hidden = network(), slices(), painted(slices())
    head, everything = list(net.log_deviation.parameters()), [*net.mean.parameters()]
    context = context_term(net, x, hidden).mean()
    assert torch.autograd.grad(context, head, retain_graph=True, allow_unused=True) == (None, None)
    assert all(grad.abs().max() > 0 for grad in torch.autograd.grad(context, everything))
    half, whole = (
        torch.autograd.grad(objective(net, x, hidden, normal(), factor, 2.0), head) for factor in (0.5, 0.0)
    )
    for of_both, of_the_vae in zip(half, whole, strict=True):
        assert torch.allclose(2 * of_both, of_the_vae, atol=1e-12)


# The task.


def test_there_are_one_to_three_squares_within_the_slice() -> None:
    rng = generator()
    drawn = [draw_squares(64, 1.5, rng) for _ in range(3000)]
    counts = np.bincount([len(squares) for squares in drawn], minlength=5)
    assert counts[0] == counts[4] == 0
    assert (np.abs(counts[1:4] / 3000 - 1 / 3) < 0.04).all()
    for square in (square for squares in drawn for square in squares):
        sizes = [side.stop - side.start for side in (square.rows, square.columns)]
        assert sizes[0] == sizes[1]
        assert 6 <= sizes[0] <= 26
        assert min(square.rows.start, square.columns.start) >= 0
        assert max(square.rows.stop, square.columns.stop) <= 64
        assert -1.5 <= square.value <= 1.5


def test_all_squares_of_a_slice_survive_and_nothing_else_changes() -> None:
    rng, x = generator(4), slices(50)
    drawn = [draw_squares(SIDE, 1.5, rng) for _ in x]
    before = x.clone()
    changed = paint(x, drawn)
    assert torch.equal(x, before)
    for old, new, squares in zip(x, changed, drawn, strict=True):
        inside = torch.zeros_like(old, dtype=torch.bool)
        for square in squares:
            inside[0, square.rows, square.columns] = True
        assert torch.equal(new != old, inside)
        last = squares[-1]
        assert (new[0, last.rows, last.columns] == last.value).all()


def test_a_square_painted_with_zero_is_painted() -> None:
    x = slices(1)
    changed = paint(x, [[Square(slice(2, 5), slice(3, 6), 0.0)]])
    assert (changed[0, 0, 2:5, 3:6] == 0).all()
    assert (changed != x).sum() == 9


def test_augmenting_mirrors_left_to_right_turns_a_little_and_changes_brightness() -> None:
    x = torch.rand(64, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    only_mirrored = augment(x, replace(TINY, mirror=True, rotation=0.0, brightness=0.0), generator())
    flipped = [
        torch.allclose(new, old.flip(-2), atol=1e-5) for new, old in zip(only_mirrored, x, strict=True)
    ]
    kept = [torch.allclose(new, old, atol=1e-5) for new, old in zip(only_mirrored, x, strict=True)]
    assert all(a != b for a, b in zip(flipped, kept, strict=True))
    assert 16 < sum(flipped) < 48
    gains = augment(x, replace(TINY, mirror=False, rotation=0.0, brightness=0.1), generator()) / x
    assert torch.allclose(gains.amax((1, 2, 3)), gains.amin((1, 2, 3)), atol=1e-5)
    assert gains.min() >= 0.9 - 1e-5
    assert gains.max() <= 1.1 + 1e-5
    assert torch.equal(augment(x, replace(TINY, mirror=False, rotation=0, brightness=0), generator()), x)
    bar = torch.zeros(20, 1, 64, 64)
    bar[..., 32, :] = 1
    turned = augment(bar, replace(TINY, mirror=False, rotation=0.1, brightness=0.0), generator())
    slopes = turned[:, 0, :, 4:60].argmax(1).float().diff(dim=1).mean(1)
    assert 0.05 < slopes.abs().max() <= 0.12
    assert slopes.min() < 0 < slopes.max()


# The network.


@pytest.mark.parametrize(("name", "millions"), [("paper", 59), ("small", 0.76)])
def test_the_network_has_the_parameters_that_the_settings_say(name: str, millions: float) -> None:
    for config in CONFIGS[name].values():
        with torch.device("meta"):
            made = build(config)
            mean, log_deviation = made.encode(torch.zeros(2, 1, config.side, config.side))
            assert mean.shape == log_deviation.shape == (2, config.latent)
            assert made.decode(mean).shape == (2, 1, config.side, config.side)
        assert sum(p.numel() for p in made.parameters()) / 1e6 == pytest.approx(millions, rel=0.05)


def test_coordinates_let_the_network_know_where_it_is() -> None:
    flat = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    with_places, without = (
        network(replace(TINY, coordinates=asked)).encoder[0](flat)[0, :, 2:-2, 2:-2]
        for asked in (True, False)
    )
    assert without.flatten(1).std(1).max() < 1e-12 < with_places.flatten(1).std(1).min()


def test_settings_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ValueError, match="pixel score 'kl'"):
        replace(TINY, pixel_score="kl")
    with pytest.raises(ValueError, match=r"factor of 1\.5"):
        replace(TINY, factor=1.5)
    with pytest.raises(ValueError, match="side of 18 cannot be halved 2 times"):
        replace(TINY, side=18)


# The scores.


def test_a_slice_scores_its_divergence_and_reconstruction_at_the_mean() -> None:
    config = replace(TINY, kl_weight=3.0)
    found, x = scores(config), slices()
    mean, log_deviation = found.network.encode(x)
    expected = 3 * kl_divergence(mean, log_deviation) + absolute_error(x, found.network.decode(mean))
    assert torch.allclose(found.elbo(x), expected, atol=1e-10)
    assert torch.equal(found.elbo(x), found.elbo(x))
    assert torch.allclose(scores(replace(config, factor=1.0)).elbo(x), found.rec_error(x), atol=1e-10)


def test_the_gradient_of_the_bound_is_that_of_its_two_terms() -> None:
    found, x = scores(replace(TINY, kl_weight=3.0)), slices()
    kl, rec, both = (found.gradient(score, x) for score in (found.kl, found.rec_error, found.elbo))
    assert torch.allclose(both, kl + rec, atol=1e-10)
    assert kl.min() < 0 < kl.max()
    assert torch.allclose(found.pixels("elbo_grad", x), smooth((kl + rec).abs(), TINY.smoothing), atol=1e-10)
    assert torch.allclose(found.pixels("kl_grad", x), smooth(kl.abs(), TINY.smoothing), atol=1e-10)
    assert torch.allclose(found.pixels("rec_grad", x), smooth(rec.abs(), TINY.smoothing), atol=1e-10)


def test_without_noise_the_smooth_gradient_is_the_plain_one() -> None:
    found, x = scores(replace(TINY, gradient_noise=0.0)), slices().requires_grad_(True)
    plain = torch.autograd.grad(found.kl(x).sum(), x)[0]
    assert torch.allclose(found.gradient(found.kl, x), plain, atol=1e-12)


def test_the_smooth_gradient_of_a_square_is_taken_at_the_mean_of_the_noise() -> None:
    x, fields = slices(), noise(8, SIDE, 0.3)
    found = smooth_gradient(lambda inputs: 0.5 * inputs.square().sum((1, 2, 3)), x, fields)
    assert torch.allclose(found, x + fields.double().mean(0), atol=1e-6)
    linear = Scores(Line(0.0), replace(TINY, latent=SIDE**2))
    assert torch.allclose(
        linear.gradient(linear.kl, x), TINY.kl_weight * (x + linear.fields.mean(0)), atol=1e-6
    )


def test_the_absolute_value_is_taken_after_averaging() -> None:
    at_rest, fields = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64), noise(4, SIDE, 0.3)
    found = Scores(Line(0.0), replace(TINY, latent=SIDE**2))
    found.fields = torch.cat([fields, -fields])
    assert found.pixels("kl_grad", at_rest).max() < 1e-7
    assert fields.abs().mean() > 0.1


def test_the_residual_is_absolute_and_combi_is_zero_where_it_is() -> None:
    x = slices()
    x[:, :, 4:9] = 0  # which a line through 0 gives back
    found = Scores(Line(0.5), replace(TINY, latent=SIDE**2))
    residual, combi = found.pixels("rec", x), found.pixels("combi", x)
    assert torch.allclose(residual, 0.5 * x.abs(), atol=1e-12)
    assert (combi[:, :, 4:9] == 0).all()
    assert (combi[:, :, :4] > 0).all()
    assert torch.allclose(combi, residual * found.pixels("kl_grad", x), atol=1e-12)
    assert torch.allclose(found.pixels("rec_smoothed", x), smooth(residual, TINY.smoothing), atol=1e-12)


def test_the_sampling_variance_is_the_deviation_that_the_posterior_gives_a_pixel() -> None:
    config = replace(TINY, latent=SIDE**2, latent_samples=4000)
    found = Scores(Line(2.0), config).pixels("sampling_variance", slices(2))
    assert torch.allclose(found, torch.full_like(found, 2.0), atol=0.15)


def test_smoothing_keeps_a_constant_and_what_a_point_sums_to() -> None:
    flat = torch.full((2, 1, SIDE, SIDE), 0.7, dtype=torch.float64)
    assert torch.allclose(smooth(flat, 5), flat, atol=1e-12)
    point = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    point[0, 0, 8, 8] = 1
    spread = smooth(point, 5)
    assert spread.sum().item() == pytest.approx(1)
    assert (spread > 0).sum() == 25
    assert torch.allclose(spread, spread.flip(-1).roll(1, -1), atol=1e-12)


@pytest.mark.parametrize("name", PIXEL_SCORES)
def test_a_slice_scores_the_same_in_any_company(name: str) -> None:
    found, x = scores(), slices()
    bright = torch.cat([x[:1], 100 * slices(3, seed=9)])
    assert torch.allclose(found.pixels(name, bright)[:1], found.pixels(name, x[:1]), atol=1e-9)
    assert torch.allclose(found.elbo(bright)[:1], found.elbo(x[:1]), atol=1e-9)


def test_the_body_has_its_dark_places_and_ends_at_its_surface() -> None:
    slice_ = torch.zeros(2, 1, 12, 12)
    slice_[0, 0, 2:10, 2:10] = 0.5
    slice_[0, 0, 5:7, 5:7] = 0
    expected = torch.zeros(2, 1, 12, 12, dtype=torch.bool)
    expected[0, 0, 2:10, 2:10] = True
    assert torch.equal(foreground(slice_), expected)


# The trained method.


@pytest.mark.parametrize("name", PIXEL_SCORES)
def test_every_pixel_score_gives_a_map_of_the_contract(name: str) -> None:
    found, data = model().scored_by(name), scans.normal(generator())
    maps = found.voxel_scores(case(data))
    assert maps.dtype == np.float32
    assert maps.shape == data.shape
    assert maps.min() >= 0
    assert 0 < maps.max() <= 1
    assert maps[0, 0, 0] == 0
    assert np.array_equal(maps, found.voxel_scores(case(data)))


@pytest.mark.parametrize("name", PIXEL_SCORES)
@pytest.mark.parametrize("value", [0.0, 0.4, 1.0])
def test_empty_and_constant_volumes_have_finite_scores(name: str, value: float) -> None:
    found, data = model().scored_by(name), np.full((9, 10, 4), value)
    assert np.isfinite(found.voxel_scores(case(data))).all()
    assert 0 <= found.case_score(case(data)) <= 1


def test_neither_other_cases_nor_the_size_of_batches_nor_global_seeds_matter(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, data = model(replace(TINY, pixel_score="combi")), scans.normal(generator(1))
    alone = found.voxel_scores(case(data)), found.case_score(case(data))
    found.voxel_scores(case(scans.abnormal(generator(2))))
    torch.manual_seed(99)
    monkeypatch.setattr(inference, "SLICES_AT_ONCE", 3)
    assert np.allclose(found.voxel_scores(case(data)), alone[0], atol=1e-5)
    assert found.case_score(case(data)) == pytest.approx(alone[1], abs=1e-6)


def test_a_case_is_as_abnormal_as_its_worst_slice() -> None:
    found, data = model(), scans.abnormal(generator(1))
    part = found.config.slicing.cut(data)
    worst = max(float(found.raw_slices(one[None])) for one in part)
    assert found.case_score(case(data)) == pytest.approx(worst / (worst + SCALES["case"]), abs=1e-6)


def test_saved_and_loaded_it_scores_the_same(tmp_path: Path) -> None:
    found, data = model(replace(TINY, kl_weight=2.0, pixel_score="elbo_grad")), scans.normal(generator())
    found.save(tmp_path / "brain.npz")
    again = Model.load(tmp_path / "brain.npz")
    assert again.config == found.config
    assert again.scales == found.scales
    assert np.array_equal(again.voxel_scores(case(data)), found.voxel_scores(case(data)))
    assert again.case_score(case(data)) == found.case_score(case(data))


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0])
def test_a_vae_and_a_context_encoder_are_learned_as_well(factor: float, tmp_path: Path) -> None:
    rng = generator()
    paths = [scans.write(tmp_path / f"{i}.nii.gz", scans.normal(rng)) for i in range(5)]
    order = Order("brain", tmp_path / "work", device="cpu")
    found = learn(paths, same, order, replace(TINY, factor=factor, mirror=True, rotation=0.1))
    assert set(found.scales) == {"case", *PIXEL_SCORES}
    data = scans.abnormal(rng)
    assert 0 < found.case_score(case(data)) < 1
    for name in PIXEL_SCORES:
        assert 0 < found.scored_by(name).voxel_scores(case(data)).max() <= 1


@pytest.mark.slow
def test_it_learns_to_fill_in_and_finds_what_it_never_saw(tmp_path: Path) -> None:
    rng = generator(5)
    paths = [scans.write(tmp_path / f"{i:02}.nii.gz", ball(rng)) for i in range(24)]
    config = replace(CONFIGS["small"]["brain"], side=32, channels=(16, 32, 64), latent=16, steps=400)
    order = Order("brain", tmp_path / "work", device="cpu")
    found = learn(paths, same, order, config)
    held_out = store(paths, Slicing(2, 32), order.folder, same).take(22, slice(None))
    untrained = Model(build(config), config, found.standardising, found.scales, found.device)
    errors = [filling_error(one, held_out) for one in (untrained, found)]
    assert errors[1] < 0.5 * errors[0]
    with torch.no_grad():
        mean, log_deviation = found.network.encode(found.standardising(held_out))
    assert kl_divergence(mean, log_deviation).mean() > 2
    cases = [ball(rng) for _ in range(6)]
    truth = np.zeros((6, *cases[0].shape), dtype=bool)
    whole = cases[0].copy()
    for data, mask, centre in zip(cases[:3], truth, ((10, 12, 11), (20, 16, 16), (16, 9, 18)), strict=False):
        place = tuple(slice(middle - 3, middle + 3) for middle in centre)
        mask[place], data[place] = True, 0.95
    for name in ("rec", "rec_smoothed"):
        maps = [found.scored_by(name).voxel_scores(case(data)) for data in cases]
        assert average_precision_score(truth.ravel(), np.ravel(maps)) > 10 * truth.mean()
    before, after = (found.raw_slices(found.config.slicing.cut(data)) for data in (whole, cases[0]))
    assert (after > before)[truth[0].any((0, 1))].all()


def ball(rng: np.random.Generator) -> np.ndarray:
    """A ball (32, 32, 32) with a darker core somewhere near its middle, and texture."""
    grid = np.indices((32, 32, 32)) - 15.5
    core = grid - rng.uniform(-3, 3, (3, 1, 1, 1))
    inside, dark = np.sqrt((grid**2).sum(0)) < rng.uniform(12, 14), np.sqrt((core**2).sum(0)) < 5
    values = np.where(dark, 0.3, 0.55) + rng.normal(0, 0.02, (32, 32, 32)) + rng.normal(0, 0.02)
    return np.where(inside, np.clip(values, 0.1, 1), 0).astype(np.float32)


def filling_error(found: Model, held_out: torch.Tensor) -> float:
    """Of what is under the squares of held-out slices."""
    x, rng = found.standardising(held_out), generator(8)
    hidden = paint(x, [draw_squares(32, 1.5, rng) for _ in x])
    with torch.no_grad():
        filled = found.network.decode(found.network.encode(hidden)[0])
    return float((filled - x).abs()[hidden != x].mean())
