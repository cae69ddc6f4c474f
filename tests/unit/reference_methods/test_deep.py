"""The parts that networks share: slices, their store, the loop, toy-like validation, inference, gradients."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn

from reference_methods.common.cases import read, same
from reference_methods.common.deep import checkpoint, device, inference, networks, validation
from reference_methods.common.deep.patches import Patch, both_ways
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.smooth_gradient import noise, smooth_gradient
from reference_methods.common.deep.standardising import BODY, Standardising
from reference_methods.common.deep.store import Slices, store
from reference_methods.common.deep.training import Figures, Learner, Schedule, fit
from reference_methods.common.deep.validation import Toys, average_precision, toys
from reference_methods.common.deep.wide_residual import Block, Network
from tests.unit.reference_methods import scans

CPU = torch.device("cpu")


def stored(values: np.ndarray, held_out: int = 2) -> Slices:
    order = np.arange(len(values))
    return Slices(values.astype(np.float16), order[:-held_out], order[-held_out:])


def write_scans(folder: Path, shapes: Sequence[tuple[int, int, int]]) -> list[Path]:
    generator = np.random.default_rng(20)
    return [
        scans.write(folder / f"{n}.nii.gz", generator.random(shape, dtype=np.float32))
        for n, shape in enumerate(shapes)
    ]


# Slices.


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_slices_come_back_where_they_were_cut(axis: int) -> None:
    volume = np.random.default_rng(21).random((8, 8, 8), dtype=np.float32)
    slicing, back = Slicing(axis, 8), np.zeros((8, 8, 8), np.float32)
    slices = slicing.cut(volume)
    assert slices.shape == (8, 1, 8, 8)
    assert np.array_equal(slices[3, 0].numpy(), volume.take(3, axis))
    for start in (0, 3, 6):
        slicing.paste(slicing.cut(volume, start, start + 3), back, start)
    assert np.array_equal(back, volume)


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("side", [16, 64])
def test_a_linear_ramp_survives_cutting_and_pasting(axis: int, side: int) -> None:
    shape = (32, 48, 32) if axis != 1 else (32, 32, 48)
    ramp = sum(np.indices(shape, np.float32) * np.array([1, 2, 3], np.float32).reshape(3, 1, 1, 1)) / 256
    slicing, back = Slicing(axis, side), np.zeros(shape, np.float32)
    slicing.paste(slicing.cut(ramp), back, 0)
    inside = tuple(slice(None) if a == axis else slice(3, -3) for a in range(3))
    assert np.allclose(back[inside], ramp[inside], atol=1e-5)
    assert np.abs(back - ramp).max() < 3 * 3 / 256  # at the border values go on: within three voxels


def test_a_volume_with_unequal_sides_keeps_its_place_and_shape() -> None:
    volume = np.zeros((20, 24, 22), np.float32)
    volume[5:10, 18:24, :] = 1
    slices = Slicing(2, 16).cut(volume)
    assert slices.shape == (22, 1, 16, 16)
    row, column = (np.average(np.arange(16), weights=slices[4, 0].numpy().sum(a)) for a in (1, 0))
    assert (row + 0.5, column + 0.5) == pytest.approx((7.5 / 20 * 16, 21 / 24 * 16), abs=0.3)
    back = np.zeros_like(volume)
    Slicing(2, 16).paste(slices, back, 0)
    assert back[7, 21, 4] > 0.9
    assert back[15, 5, 4] == 0


def test_what_shrinks_is_averaged_even_where_the_other_side_fits_already() -> None:
    stripes = np.zeros((1, 8, 32), np.float32)
    stripes[..., 1::4] = 1
    assert torch.allclose(Slicing(0, 8).cut(stripes), torch.tensor(0.25))


# The store.


def test_a_store_holds_every_scan_and_is_found_again(tmp_path: Path) -> None:
    paths = write_scans(tmp_path / "data", [(16, 16, 9)] * 5)
    first = store(paths, Slicing(2, 16), tmp_path / "cache", same)
    assert first.values.shape == (5, 9, 16, 16)
    assert first.values.dtype == np.float16
    assert first.per_scan == 9
    assert (list(first.training), list(first.validation)) == ([0, 1, 2], [3, 4])
    expected = Slicing(2, 16).cut(read(paths[1]).data)
    assert torch.allclose(first.take(1, slice(None)), expected, atol=1e-3)
    (file,) = (tmp_path / "cache").iterdir()
    stamp = file.stat().st_mtime_ns
    again = store(paths, Slicing(2, 16), tmp_path / "cache", same)
    assert again.key == first.key
    assert file.stat().st_mtime_ns == stamp


def test_changed_scans_and_another_way_to_cut_make_another_store(tmp_path: Path) -> None:
    paths = write_scans(tmp_path / "data", [(16, 16, 16)] * 4)
    first = store(paths, Slicing(2, 16), tmp_path / "cache", same)
    assert store(paths, Slicing(1, 16), tmp_path / "cache", same).key != first.key
    scans.write(paths[2], np.full((16, 16, 16), 0.25, np.float32))
    changed = store(paths, Slicing(2, 16), tmp_path / "cache", same)
    assert changed.key != first.key
    assert torch.all(changed.take(2, slice(None)) == 0.25)
    assert store(paths[::-1], Slicing(2, 16), tmp_path / "cache", same).key != changed.key


def test_a_store_that_was_cut_off_is_written_anew(tmp_path: Path) -> None:
    paths = write_scans(tmp_path / "data", [(16, 16, 4)] * 4)

    def interrupted(paths: Sequence[Path], _: str) -> Sequence[Path]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        store(paths, Slicing(2, 16), tmp_path / "cache", interrupted)
    assert list((tmp_path / "cache").iterdir()) == []
    assert store(paths, Slicing(2, 16), tmp_path / "cache", same).values.any()


def test_scans_with_different_numbers_of_slices_are_refused_and_leave_no_file(tmp_path: Path) -> None:
    paths = write_scans(tmp_path / "data", [(16, 16, 9), (16, 16, 9), (16, 16, 8), (16, 16, 9)])
    with pytest.raises(ValueError, match=r"2\.nii\.gz has 8 slices, the scans before it 9"):
        store(paths, Slicing(2, 16), tmp_path / "cache", same)
    assert list((tmp_path / "cache").iterdir()) == []


def test_scans_with_slices_of_different_sizes_are_brought_to_one(tmp_path: Path) -> None:
    paths = write_scans(tmp_path / "data", [(16, 16, 5), (32, 16, 5), (20, 24, 5), (8, 8, 5)])
    values = store(paths, Slicing(2, 16), tmp_path / "cache", same).values
    assert values.shape == (4, 5, 16, 16)
    assert np.all(values.std(axis=(1, 2, 3), dtype=np.float32) > 0.05)


def test_three_scans_are_too_few(tmp_path: Path) -> None:
    paths = write_scans(tmp_path / "data", [(16, 16, 4)] * 3)
    with pytest.raises(ValueError, match="3 training scans"):
        store(paths, Slicing(2, 16), tmp_path / "cache", same)


def test_a_tenth_is_held_out_and_none_of_it_is_drawn_for_training(tmp_path: Path) -> None:
    values = np.broadcast_to(np.arange(40.0).reshape(40, 1, 1, 1) / 40, (40, 2, 4, 4))
    slices = stored(values, held_out=4)
    drawn = slices.draw(500, np.random.default_rng(22))
    assert drawn.shape == (500, 1, 4, 4)
    assert drawn.max() < 36 / 40
    assert len(drawn.unique()) == 36
    paths = write_scans(tmp_path / "data", [(4, 4, 2)] * 30)
    kept = store(paths, Slicing(2, 4), tmp_path / "cache", same)
    assert (len(kept.training), len(kept.validation)) == (27, 3)


# Networks and checkpoints on disk.


def test_a_network_and_its_facts_come_back_as_they_were(tmp_path: Path) -> None:
    network, facts = Network(1), {"side": 16, "clip": None, "name": "x"}
    networks.save(tmp_path / "w.npz", network, facts)
    state, read_facts = networks.load(tmp_path / "w.npz")
    assert read_facts == facts
    assert list(state) == list(network.state_dict())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())
    networks.save(tmp_path / "again.npz", network, facts)
    assert (tmp_path / "w.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_no_weights_are_an_error_that_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"w\.npz"):
        networks.load(tmp_path / "w.npz")


def test_a_checkpoint_of_another_plan_is_refused_and_says_what_differs(tmp_path: Path) -> None:
    file = tmp_path / "a.pt"
    assert checkpoint.load(file, {"seed": 1}) is None
    checkpoint.save(file, {"plan": {"seed": 1, "scans": "x", "side": 64}, "step": 3})
    state = checkpoint.load(file, {"seed": 1, "scans": "x", "side": 64})
    assert state is not None
    assert state["step"] == 3
    with pytest.raises(ValueError, match=r"a\.pt .*other scans, seed.*remove it"):
        checkpoint.load(file, {"seed": 2, "scans": "y", "side": 64})
    with pytest.raises(ValueError, match="other side"):
        checkpoint.load(file, {"seed": 1, "scans": "x"})
    assert [path.name for path in tmp_path.iterdir()] == ["a.pt"]


# The loop.


@dataclass
class Plane:
    """A plane to be fitted; `stop` interrupts at a step, held-out losses rise from look `worse_from` on."""

    stop: int | None = None
    worse_from: int = 1 << 30
    broken: float | None = None
    network: nn.Module = field(init=False)
    looks: int = 0
    steps: int = 0

    def __post_init__(self) -> None:
        torch.manual_seed(3)
        self.network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 1))

    def loss(self, rng: np.random.Generator) -> Tensor:
        if self.steps == self.stop:
            raise KeyboardInterrupt
        self.steps += 1
        x = torch.from_numpy(rng.standard_normal((16, 3))).float()
        value: Tensor = (self.network(x) - x.sum(1, keepdim=True)).square().mean()
        return value if self.broken is None else value * self.broken

    def validate(self, rng: np.random.Generator) -> Figures:
        assert not self.network.training
        self.looks += 1
        with torch.no_grad():
            x = torch.from_numpy(rng.standard_normal((64, 3))).float()
            value = float((self.network(x) - x.sum(1, keepdim=True)).square().mean())
        return {"loss": value + 1000.0 * (self.looks >= self.worse_from)}

    def train(
        self, file: Path, steps: int = 20, rate: Callable[[int], float] = lambda step: 1.0, **plan: object
    ) -> list[Figures]:
        optimiser = torch.optim.Adam(self.network.parameters(), 0.02)
        learner = Learner(self.network, optimiser, self.loss, self.validate, rate)
        return fit(learner, Schedule(steps, 4), CPU, 7, file, {"scans": "abc", **plan})


def same_weights(one: nn.Module, other: nn.Module) -> bool:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize("stop", [3, 4, 11, 19])
def test_a_training_that_was_cut_off_ends_with_the_same_weights_to_the_bit(stop: int, tmp_path: Path) -> None:
    def falling(step: int) -> float:
        return 1 / (1 + step)

    whole, part, rest = Plane(), Plane(stop=stop), Plane()
    history = whole.train(tmp_path / "whole.pt", rate=falling)
    with pytest.raises(KeyboardInterrupt):
        part.train(tmp_path / "part.pt", rate=falling)
    assert rest.train(tmp_path / "part.pt", rate=falling) == history
    assert rest.steps == 20 - stop // 4 * 4
    assert same_weights(rest.network, whole.network)


def test_a_training_that_ended_is_not_trained_again(tmp_path: Path) -> None:
    whole, again = Plane(), Plane()
    history = whole.train(tmp_path / "a.pt")
    assert again.train(tmp_path / "a.pt") == history
    assert again.steps == 0
    assert same_weights(again.network, whole.network)


@pytest.mark.parametrize(
    ("other", "named"),
    [({"scans": "xyz"}, "scans"), ({"steps": 40}, "steps"), ({"side": 32}, "side")],
)
def test_other_scans_steps_and_settings_do_not_go_on_from_a_checkpoint(
    other: dict[str, Any], named: str, tmp_path: Path
) -> None:
    Plane().train(tmp_path / "a.pt")
    with pytest.raises(ValueError, match=rf"a\.pt .*other {named}"):
        Plane().train(tmp_path / "a.pt", **other)


def test_the_weights_of_the_lowest_held_out_loss_are_kept(tmp_path: Path) -> None:
    short, long = Plane(), Plane(worse_from=3)
    short.train(tmp_path / "short.pt", steps=8)
    history = long.train(tmp_path / "long.pt", steps=20)
    assert history[2]["loss"] > 1000
    assert [look["step"] for look in history] == [4, 8, 12, 16, 20]
    assert same_weights(long.network, short.network)
    assert not long.network.training


def test_training_learns_and_ends_with_a_look_at_an_odd_number_of_steps(tmp_path: Path) -> None:
    history = Plane().train(tmp_path / "a.pt", steps=301)
    assert history[-1]["step"] == 301
    assert history[-1]["loss"] < 0.3 * history[0]["loss"]
    assert history[-1]["training_loss"] < 0.5 * history[0]["training_loss"]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_loss_that_is_not_finite_ends_the_training(
    value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ValueError, match=r"the loss is (nan|inf) at step 0"):
        Plane(broken=value).train(tmp_path / "a.pt")
    line = Plane()
    monkeypatch.setattr(line, "validate", lambda rng: {"loss": value})
    with pytest.raises(ValueError, match=r"the held-out loss is (nan|inf) at step 4"):
        line.train(tmp_path / "a.pt")
    assert not (tmp_path / "a.pt").exists()


def test_a_step_of_a_falling_rate_is_as_long_as_it_says(tmp_path: Path) -> None:
    weight = nn.Linear(1, 1, bias=False)
    before = weight.weight.item()
    learner = Learner(
        weight,
        torch.optim.SGD(weight.parameters(), 0.5),
        lambda rng: weight.weight.sum(),
        lambda rng: {"loss": weight.weight.item()},
        lambda step: 1 / 2**step,
    )
    fit(learner, Schedule(3, 1), CPU, 0, tmp_path / "a.pt", {})
    assert weight.weight.item() == pytest.approx(before - 0.5 - 0.25 - 0.125)


# Validation on toy-like anomalies.


def test_a_perfect_scorer_has_figures_of_one() -> None:
    made = toys(stored(np.random.default_rng(23).random((6, 10, 16, 16)), 3), np.random.default_rng(24))
    truth = dict(zip(map(id, made.scans), made.masks, strict=True))
    perfect = made.figures(
        lambda scan: torch.from_numpy(truth[id(scan)].astype(np.float32)),
        lambda scan: float(truth[id(scan)].any()),
    )
    assert perfect == {"pixel_ap": 1, "sample_ap": 1}
    blind = made.figures(torch.zeros_like, lambda scan: 0.0)
    assert blind == {"pixel_ap": pytest.approx(np.mean(made.masks)), "sample_ap": 0.5}


def test_toys_differ_from_their_scans_in_the_sphere_alone_and_leave_the_store_as_it_was(
    tmp_path: Path,
) -> None:
    slices = store(write_scans(tmp_path / "data", [(16, 16, 12)] * 40), Slicing(2, 16), tmp_path / "c", same)
    before = np.array(slices.values)
    made = toys(slices, np.random.default_rng(25))
    (file,) = (tmp_path / "c").iterdir()
    assert np.array_equal(np.load(file), before)
    assert len(made.scans) == 2 * validation.SCANS
    half = validation.SCANS
    for changed, normal, mask in zip(made.scans[:half], made.scans[half:], made.masks, strict=False):
        assert mask.any()
        assert len(np.unique(changed.numpy()[mask])) == 1
        assert np.array_equal(changed.numpy()[~mask], normal.numpy()[~mask])
    for place, normal in enumerate(made.scans[half:]):
        assert torch.equal(normal, slices.take(int(slices.validation[place]), slice(None)))
        assert not made.masks[half + place].any()


def test_a_sphere_has_the_stated_size_in_shares_of_every_side() -> None:
    values = np.zeros((8, 32, 64, 64))
    values[:, 12:20, 24:40, 24:40] = 1  # far from the border, which would cut spheres
    masks = toys(stored(values, 4), np.random.default_rng(26)).masks[: validation.SCANS]
    for mask in masks:
        extent = [np.ptp(np.nonzero(mask)[axis]) + 1 for axis in (0, 2, 3)]
        assert extent[0] / 32 == pytest.approx(extent[1] / 64, abs=0.1)
        assert max(extent[1:]) / 64 <= 2 * validation.RADIUS[1] + 1 / 64


def test_an_empty_scan_gets_a_sphere_in_its_middle() -> None:
    made = toys(stored(np.zeros((4, 8, 16, 16))), np.random.default_rng(27))
    assert made.masks[0][4, 0, 8, 8]
    assert all(torch.isfinite(scan).all() for scan in made.scans)


def test_many_slices_are_thinned_and_the_same_seed_makes_the_same_toys() -> None:
    slices = stored(np.random.default_rng(28).random((4, 200, 4, 4)))
    one, two = (toys(slices, np.random.default_rng(29)) for _ in range(2))
    assert one.scans[0].shape == (67, 1, 4, 4)
    assert torch.equal(one.scans[2], slices.take(2, slice(None, None, 3)))
    assert all(torch.equal(a, b) for a, b in zip(one.scans, two.scans, strict=True))


@pytest.mark.parametrize("levels", [2, 5, 10_000])
def test_average_precision_equals_scikit_learns_with_ties(levels: int) -> None:
    generator = np.random.default_rng(levels)
    labels, scores = generator.random(500) < 0.1, generator.integers(levels, size=500) / levels
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores))


def test_average_precision_without_a_positive_is_zero() -> None:
    assert average_precision([False, False], [0.1, 0.2]) == 0


# Inference.


def test_scores_of_slices_do_not_depend_on_how_many_are_scored_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    torch.manual_seed(1)
    network = Network(1).eval()
    volume = np.random.default_rng(30).random((20, 24, 13), dtype=np.float32)
    slicing = Slicing(2, 32)

    def score(slices: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.sigmoid(network(slices))

    def run() -> tuple[np.ndarray, np.ndarray]:
        maps = inference.voxel_scores(volume, slicing, score, CPU)
        return maps, inference.slice_scores(volume, slicing, lambda s: score(s).mean((1, 2, 3)), CPU)

    together = run()
    assert together[0].shape == volume.shape
    assert together[0].dtype == np.float32
    assert together[1].shape == (13,)
    for at_once in (1, 5):
        monkeypatch.setattr(inference, "SLICES_AT_ONCE", at_once)
        for found, expected in zip(run(), together, strict=True):
            assert np.allclose(found, expected, atol=1e-6)
    monkeypatch.setattr(inference, "PIXELS_AT_ONCE", 1)
    assert np.allclose(run()[0], together[0], atol=1e-6)


def test_every_slice_is_scored_once_and_lands_at_its_place() -> None:
    volume = np.random.default_rng(31).random((6, 70, 8), dtype=np.float32)
    seen: list[int] = []

    def negative(slices: Tensor) -> Tensor:
        seen.append(len(slices))
        return -slices

    for axis in range(3):
        seen.clear()
        side = 8 if axis < 2 else 70
        resized = inference.voxel_scores(volume, Slicing(axis, side), negative, CPU)
        assert sum(seen) == volume.shape[axis]
        means = volume.mean(tuple(a for a in range(3) if a != axis))
        assert np.allclose(-resized.mean(tuple(a for a in range(3) if a != axis)), means, atol=0.06)
    exact = inference.voxel_scores(volume[:, :6], Slicing(2, 6), negative, CPU)
    assert np.array_equal(exact, -volume[:, :6])


# Devices.


def test_devices_are_chosen_by_name_and_unknown_ones_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose() == device.choose("cpu") == CPU
    with pytest.raises(ValueError, match="no CUDA device"):
        device.choose("cuda")
    with pytest.raises(ValueError, match=r"'tpu'.*auto, cpu, cuda"):
        device.choose("tpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert device.choose() == device.choose("cuda") == torch.device("cuda")


def test_a_cpu_computes_in_float32() -> None:
    with device.autocast(CPU):
        assert nn.Conv2d(1, 1, 3)(torch.zeros(1, 1, 4, 4)).dtype == torch.float32


# Standardising.


def test_standardising_has_the_mean_and_deviation_of_the_bodies_of_training_scans() -> None:
    values = np.random.default_rng(32).random((6, 4, 8, 8)).astype(np.float16)
    values[:, 0] = 0
    learned = Standardising.learn(Slices(values, np.arange(4), np.arange(4, 6)), limit=1.5)
    body = values[:4][values[:4] > BODY].astype(np.float64)
    assert learned.mean == pytest.approx(body.mean(), rel=1e-9)
    assert learned.spread == pytest.approx(body.std(), rel=1e-6)
    scaled = learned(torch.tensor([learned.mean, learned.mean + learned.spread, 9.0, -9.0]))
    assert torch.allclose(scaled, torch.tensor([0.0, 1.0, 1.5, -1.5]), atol=1e-6)
    unlimited = Standardising(0.5, 0.25)
    assert torch.equal(unlimited(torch.tensor([1.5, 0.0])), torch.tensor([4.0, -2.0]))


@pytest.mark.parametrize("value", [0.0, 0.1, 0.5, 1.0])
def test_a_constant_set_is_standardised_without_dividing_by_zero(value: float) -> None:
    learned = Standardising.learn(stored(np.full((4, 3, 8, 8), value)))
    assert learned.spread == 1
    assert learned.mean == pytest.approx(value, abs=1e-3)
    assert torch.isfinite(learned(torch.tensor([0.0, value, 1.0]))).all()


# SmoothGrad.


def quadratic(slices: Tensor) -> Tensor:
    """x² weighted by place, whose gradient is 2 w x."""
    weights = torch.arange(16, dtype=slices.dtype).view(1, 1, 4, 4)
    return (weights * slices.square()).sum((1, 2, 3))


def test_smooth_gradient_without_noise_is_the_gradient() -> None:
    slices = torch.rand(3, 1, 4, 4, dtype=torch.float64)
    found = smooth_gradient(quadratic, slices, torch.zeros(5, 1, 4, 4))
    assert torch.allclose(found, 2 * torch.arange(16).view(1, 1, 4, 4) * slices, atol=1e-12)
    assert not found.requires_grad


def test_smooth_gradient_of_a_quadratic_is_the_analytic_one_at_the_mean_of_the_noise() -> None:
    slices, fields = torch.rand(3, 1, 4, 4), noise(400, 4, 0.3)
    found = smooth_gradient(quadratic, slices, fields)
    weights = 2 * torch.arange(16).view(1, 1, 4, 4)
    assert torch.allclose(found, weights * (slices + fields.mean(0)), atol=1e-3)
    assert torch.allclose(found, weights * slices, atol=30 * 0.3 / 20 * 4)


def test_a_smooth_gradient_is_signed_and_the_same_in_any_company() -> None:
    slices, fields = torch.randn(6, 1, 4, 4), noise(8, 4, 0.5)
    with torch.no_grad():  # as at inference
        together = smooth_gradient(quadratic, slices, fields)
    alone = torch.cat([smooth_gradient(quadratic, one, fields) for one in slices.split(1)])
    assert torch.allclose(together, alone, atol=1e-6)
    assert (together < 0).any()


def test_noise_is_the_same_every_time_and_as_large_as_it_says() -> None:
    assert torch.equal(noise(4, 8, 0.2), noise(4, 8, 0.2))
    assert not torch.equal(noise(4, 8, 0.2), noise(4, 8, 0.2, seed=1))
    fields = noise(64, 16, 0.2)
    assert (fields.shape, fields.dtype) == ((64, 1, 16, 16), torch.float32)
    assert fields.std().item() == pytest.approx(0.2, rel=0.03)


# Patches of two subjects.


def test_every_pair_of_slices_has_one_patch_for_both_ways() -> None:
    one, other = torch.zeros(5, 1, 8, 8), torch.ones(5, 1, 8, 8)
    drawn: list[Patch] = []

    def draw() -> Patch:
        drawn.append(Patch(slice(0, 1 + len(drawn)), slice(0, 2), 0.25))
        return drawn[-1]

    def blend(own: np.ndarray, foreign: np.ndarray, patch: Patch) -> tuple[np.ndarray, np.ndarray]:
        mixed, label = own.copy(), np.zeros_like(own)
        mixed[patch.rows, patch.columns] = foreign[patch.rows, patch.columns]
        label[patch.rows, patch.columns] = patch.alpha
        return mixed, label

    mixed, labels = both_ways(one, other, draw, blend)
    assert mixed.shape == labels.shape == (10, 1, 8, 8)
    assert len(drawn) == 5
    for n in range(5):
        assert mixed[2 * n].sum() == 2 * (n + 1)
        assert torch.equal(mixed[2 * n], 1 - mixed[2 * n + 1])
        assert torch.equal(labels[2 * n], labels[2 * n + 1])
        assert torch.equal(labels[2 * n], 0.25 * mixed[2 * n])


# The wide residual network.


def parameters(network: nn.Module) -> int:
    return sum(value.numel() for value in network.parameters())


def test_the_wide_residual_network_has_as_many_parameters_as_the_papers_plan() -> None:
    assert parameters(Network(1)) == 267_035
    assert parameters(Network(2)) == pytest.approx(1.05e6, rel=0.01)
    assert parameters(Network(4)) == pytest.approx(4.16e6, rel=0.01)


@pytest.mark.parametrize(("strides", "classes"), [(4, 1), (5, 5), (3, 2)])
def test_the_network_halves_and_doubles_a_side_as_often_as_asked(strides: int, classes: int) -> None:
    network = Network(1, classes, strides).eval()
    sizes: list[int] = []
    for block in network.modules():
        if isinstance(block, Block):
            block.register_forward_hook(lambda module, given, found: sizes.append(found.shape[-1]))
    with torch.no_grad():
        assert network(torch.rand(2, 1, 64, 32)).shape == (2, classes, 64, 32)
    smallest = 32 // 2**strides
    assert min(sizes) == smallest
    assert sizes == [32 >> n for n in range(strides + 1)] + [smallest << n for n in range(1, strides + 1)]


def test_the_deeper_variant_has_one_more_block_each_way() -> None:
    def channels(strides: int) -> list[tuple[int, int]]:
        blocks = [block for block in Network(4, 5, strides).modules() if isinstance(block, Block)]
        return [(block.before.in_channels, block.before.out_channels) for block in blocks]

    down = [(16, 64), (64, 128), (128, 256), (256, 256), (256, 256)]
    assert channels(4) == [*down, (256, 128), (128, 64), (64, 16), (16, 5)]
    assert channels(5) == [*down, (256, 256), (256, 128), (128, 128), (128, 64), (64, 16), (16, 5)]


@pytest.mark.parametrize("inputs", [4, 6])
def test_a_shortcut_takes_the_input_or_where_channels_change_the_activated_one(inputs: int) -> None:
    torch.manual_seed(4)
    block, x = Block(inputs, 4, stride=2).eval(), torch.randn(2, inputs, 8, 8)
    nn.init.zeros_(block.after[-1].weight)
    if inputs == 4:
        expected = nn.functional.avg_pool2d(x, 2)
    else:
        active = torch.relu(x / np.sqrt(1 + 1e-5))
        expected = nn.functional.conv2d(active, block.shortcut.weight, stride=2)
    assert torch.allclose(block(x), expected, atol=1e-6)


def test_no_information_goes_around_the_narrowest_layer() -> None:
    network, x = Network(1).eval(), torch.rand(1, 1, 32, 32)
    encoded = [layer for layer in network.layers if isinstance(layer, Block)][4]
    encoded.register_forward_hook(lambda module, given, found: torch.zeros_like(found))
    with torch.no_grad():
        assert torch.equal(network(x), network(torch.rand(1, 1, 32, 32)))


def test_logits_are_float32_even_under_autocast() -> None:
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        assert Network(1).eval()(torch.rand(1, 1, 16, 16)).dtype == torch.float32


def test_weights_are_drawn_after_he() -> None:
    torch.manual_seed(5)
    widest = next(block for block in Network(4).modules() if isinstance(block, Block) and block.projects)
    weight = widest.after[-1].weight
    assert weight.std().item() == pytest.approx(np.sqrt(2 / (9 * weight.shape[1])), rel=0.05)


def test_figures_work_on_maps_of_half_precision() -> None:
    made = Toys([torch.rand(2, 1, 4, 4)], [np.ones((2, 1, 4, 4), bool)])
    assert made.figures(lambda scan: scan.bfloat16(), lambda scan: 1.0)["pixel_ap"] == 1
