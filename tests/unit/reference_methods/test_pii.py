"""Poisson image interpolation against its equations, and the method that learns from it."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.sparse import coo_matrix
from scipy.sparse.linalg import spsolve
from sklearn.metrics import average_precision_score

from reference_methods.common.cases import Case, same
from reference_methods.common.deep.patches import Patch, both_ways
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.standardising import Standardising
from reference_methods.common.deep.store import store
from reference_methods.common.deep.training import Order
from reference_methods.pii.config import BRAIN, CONFIGS, Config
from reference_methods.pii.model import Model, blended, case_score, guidance, loss, poisson_blend, solve
from reference_methods.pii.train import learn, train
from tests.unit.reference_methods import scans

RECTANGLES = [(1, 1), (1, 7), (9, 1), (5, 3), (13, 22), (26, 26)]
NEIGHBOURS = ((-1, 0), (1, 0), (0, -1), (0, 1))
TINY = replace(BRAIN, side=16, widen=1, batch=4, steps=2, validate_every=2)

Exact = NDArray[np.float64]


def pair(shape: tuple[int, int], seed: int = 0) -> tuple[Exact, Exact]:
    """Two images of a rectangle of unknowns within its frame."""
    own, foreign = np.random.default_rng(seed).random((2, shape[0] + 2, shape[1] + 2))
    return own, foreign


def difference(own: Exact, foreign: Exact, alpha: float, p: tuple[int, int], q: tuple[int, int]) -> float:
    """Equation 8 for one pair of pixels."""
    kept = (1 - alpha) * (own[p] - own[q])
    taken = alpha * (foreign[p] - foreign[q])
    return float(kept if abs(kept) > abs(taken) else taken)


def solved_sparsely(own: Exact, foreign: Exact, alpha: float) -> Exact:
    """Equations 5 and 6 with |N_p| f_p, one row a pixel inside, by a sparse direct solver."""
    inner = [(int(r), int(c)) for r, c in np.argwhere(np.pad(np.ones(np.array(own.shape) - 2), 1))]
    number = {p: n for n, p in enumerate(inner)}
    entries, right = [(n, n, 4.0) for n in range(len(inner))], np.zeros(len(inner))
    for p, row in number.items():
        for q in ((p[0] + r, p[1] + c) for r, c in NEIGHBOURS):
            right[row] += difference(own, foreign, alpha, p, q)
            if q in number:
                entries.append((row, number[q], -1.0))
            else:
                right[row] += own[q]
    rows, columns, values = zip(*entries, strict=True)
    solution = own.copy()
    solution[1:-1, 1:-1] = np.reshape(
        spsolve(coo_matrix((values, (rows, columns))).tocsc(), right), np.array(own.shape) - 2
    )
    return solution


def neighbours(image: Exact) -> Exact:
    """Sum of the four neighbours of every pixel inside."""
    return image[:-2, 1:-1] + image[2:, 1:-1] + image[1:-1, :-2] + image[1:-1, 2:]


# The Poisson equation.


@pytest.mark.parametrize("alpha", [0.05, 0.4, 0.95])
@pytest.mark.parametrize("shape", RECTANGLES)
def test_every_pixel_inside_fulfils_the_equation_and_the_frame_stays(
    shape: tuple[int, int], alpha: float
) -> None:
    own, foreign = pair(shape)
    result = blended(own, foreign, alpha)
    frame = np.pad(np.zeros(shape, bool), 1, constant_values=True)
    assert np.array_equal(result[frame], own[frame])
    for row, column in np.ndindex(shape):
        p = row + 1, column + 1
        around = [(p[0] + r, p[1] + c) for r, c in NEIGHBOURS]
        asked = sum(difference(own, foreign, alpha, p, q) for q in around)
        assert 4 * result[p] - sum(result[q] for q in around) == pytest.approx(asked, abs=1e-8)


@pytest.mark.parametrize("alpha", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("shape", RECTANGLES)
def test_sine_transforms_find_what_a_sparse_solver_finds(shape: tuple[int, int], alpha: float) -> None:
    own, foreign = pair(shape, seed=1)
    expected = solved_sparsely(own, foreign, alpha)
    assert np.abs(blended(own, foreign, alpha) - expected).max() < 1e-8


def test_with_nothing_foreign_the_slice_comes_back() -> None:
    own, foreign = pair((12, 9))
    assert np.abs(blended(own, foreign, 0.0) - own).max() < 1e-10


def test_a_slice_cloned_into_itself_comes_back() -> None:
    own, _ = pair((12, 9))
    assert np.abs(blended(own, own, 1.0) - own).max() < 1e-10


@pytest.mark.parametrize("alpha", [0.3, 0.7, 1.0])
def test_how_bright_the_foreign_slice_is_does_not_matter(alpha: float) -> None:
    own, foreign = pair((12, 9))
    assert np.abs(blended(own, foreign + 5, alpha) - blended(own, foreign, alpha)).max() < 1e-8


def test_cloning_the_own_slice_plus_a_constant_gives_the_own_slice() -> None:
    own, _ = pair((12, 9))
    assert np.abs(blended(own, own - 3, 1.0) - own).max() < 1e-8


@pytest.mark.parametrize("alpha", [0.2, 0.5, 0.9])
def test_a_slice_interpolated_with_itself_is_flattened_towards_the_harmonic_function(alpha: float) -> None:
    own, _ = pair((12, 9))
    harmonic = blended(own, np.zeros_like(own), 1.0)
    expected = harmonic + max(alpha, 1 - alpha) * (own - harmonic)
    assert np.abs(blended(own, own, alpha) - expected).max() < 1e-8


def test_without_gradients_every_pixel_is_the_mean_of_its_neighbours() -> None:
    own, _ = pair((12, 9))
    result = blended(own, np.full_like(own, 0.7), 1.0)
    assert np.abs(result[1:-1, 1:-1] - neighbours(result) / 4).max() < 1e-12


def test_without_gradients_a_ramp_on_the_frame_goes_on_inside() -> None:
    row, column = np.indices((14, 11))
    ramp = 0.1 + 0.03 * row - 0.02 * column
    own = ramp.copy()
    own[1:-1, 1:-1] = np.random.default_rng(3).random((12, 9))
    assert np.abs(blended(own, np.zeros_like(own), 1.0) - ramp).max() < 1e-10


def test_a_single_pixel_is_the_mean_of_its_neighbours_plus_a_quarter_of_the_differences() -> None:
    own = np.array([[9, 0.2, 9], [0.4, 0.5, 0.6], [9, 0.9, 9]])
    foreign = np.array([[7, 0.1, 7], [0.8, 0.3, 0.3], [7, 0.5, 7]])
    # α = 1/4. Own differences × 3/4: .225, .075, -.075, -.3; foreign × 1/4: .05, -.125, 0, -.05.
    differences = 0.225 - 0.125 - 0.075 - 0.3
    result = blended(own, foreign, 0.25)
    assert result[1, 1] == pytest.approx((0.2 + 0.4 + 0.6 + 0.9) / 4 + differences / 4, abs=1e-12)


def test_the_solver_inverts_the_operator_with_zeros_around() -> None:
    values = np.random.default_rng(4).normal(size=(17, 8))
    padded = np.pad(values, 1)
    assert np.abs(solve(4 * values - neighbours(padded)) - values).max() < 1e-12


@pytest.mark.parametrize("alpha", [0.0, 0.05, 0.5, 0.95, 1.0])
def test_the_larger_weighted_difference_is_taken(alpha: float) -> None:
    own, foreign = np.random.default_rng(5).normal(size=(2, 30, 20))
    own[:5], foreign[3:8] = 0, 0
    expected = np.empty_like(own)
    for place in np.ndindex(own.shape):
        kept, taken = (1 - alpha) * own[place], alpha * foreign[place]
        expected[place] = kept if abs(kept) > abs(taken) else taken
    assert np.array_equal(guidance(own, foreign, alpha), expected)


def test_of_differences_of_one_size_the_foreign_is_taken_either_way_round() -> None:
    own, foreign = np.array([0.2, -0.2]), np.array([-0.2, 0.2])
    assert np.array_equal(guidance(own, foreign, 0.5), foreign / 2)
    assert np.array_equal(guidance(-own, -foreign, 0.5), -guidance(own, foreign, 0.5))


# The patch in a slice, and its label.


def slices(seed: int = 6, side: int = 24) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    own, foreign = np.random.default_rng(seed).random((2, side, side), dtype=np.float32)
    return own, foreign


PATCH = Patch(slice(5, 14), slice(8, 20), 0.6)


def test_outside_the_patch_no_bit_changes_and_the_label_is_zero() -> None:
    own, foreign = slices()
    mixed, label = poisson_blend(own, foreign, PATCH)
    outside = np.ones(own.shape, bool)
    outside[PATCH.rows, PATCH.columns] = False
    assert (mixed.dtype, label.dtype) == (np.float32, np.float32)
    assert mixed[outside].tobytes() == own[outside].tobytes()
    assert not label[outside].any()


def test_inside_is_the_solution_from_the_pixels_just_outside() -> None:
    own, foreign = slices()
    own[0, 0], own[0, 1] = -100, 100  # so that nothing is clipped
    mixed, _ = poisson_blend(own, foreign, PATCH)
    window = slice(4, 15), slice(7, 21)
    expected = solved_sparsely(own[window].astype(float), foreign[window].astype(float), PATCH.alpha)
    assert np.abs(mixed[window] - expected).max() < 1e-6


def test_the_result_stays_in_the_range_of_the_slice_it_was_put_into() -> None:
    own, foreign = slices()
    own = 0.4 + 0.2 * own
    mixed, label = poisson_blend(own, 20 * foreign, PATCH)
    assert mixed.min() == own.min()
    assert mixed.max() == own.max()
    assert label[PATCH.rows, PATCH.columns].any()


def test_the_label_is_alpha_where_the_result_moved_by_more_than_the_tolerance() -> None:
    own, foreign = slices()
    # A flat slice, and a foreign step of 0.01 across it: the change fades from it to the patch's edges.
    own[:], foreign[:], foreign[:, 14:] = 0.5, 0.5, 0.51
    own[0, 0], own[0, 1] = 0, 1
    mixed, label = poisson_blend(own, foreign, PATCH)
    moved = np.abs(mixed - own) > 1e-3
    assert np.array_equal(label, np.where(moved, np.float32(0.6), np.float32(0)))
    assert 0 < moved.sum() < 9 * 12
    assert (np.abs(mixed - own)[~moved] > 0).any()


def test_nothing_is_labelled_where_the_foreign_patch_changes_nothing() -> None:
    blank = np.zeros((24, 24), np.float32)
    mixed, label = poisson_blend(blank, blank, PATCH)
    assert not mixed.any()
    assert not label.any()


def test_an_unseen_weight_gives_the_slice_and_no_label() -> None:
    own, foreign = slices()
    mixed, label = poisson_blend(own, foreign, replace(PATCH, alpha=0.0))
    assert np.allclose(mixed, own, atol=1e-7)
    assert not label.any()


def test_the_border_of_the_slice_is_left_out_of_a_patch_that_reaches_it() -> None:
    own, foreign = slices(side=12)
    own[0, 0], own[0, 1] = -100, 100  # so that nothing is clipped
    mixed, label = poisson_blend(own, foreign, Patch(slice(0, 12), slice(0, 12), 0.9))
    border = np.pad(np.zeros((10, 10), bool), 1, constant_values=True)
    assert np.array_equal(mixed[border], own[border])
    assert not label[border].any()
    assert label[1:-1, 1:-1].all()


def test_a_patch_on_the_border_alone_changes_nothing() -> None:
    own, foreign = slices()
    mixed, label = poisson_blend(own, foreign, Patch(slice(0, 1), slice(3, 9), 0.9))
    assert np.array_equal(mixed, own)
    assert not label.any()


def test_blending_first_or_standardising_first_is_the_same() -> None:
    own, foreign = slices()
    scale, offset = np.float32(4), np.float32(-1.5)
    mixed, label = poisson_blend(own, foreign, PATCH)
    later, same_label = poisson_blend(own * scale + offset, foreign * scale + offset, PATCH, 4e-3)
    assert np.allclose(later, mixed * scale + offset, atol=1e-5)
    assert np.array_equal(label, same_label)


def test_both_slices_of_a_pair_are_blended_by_one_patch() -> None:
    own, foreign = (torch.from_numpy(part)[None, None] for part in slices())
    mixed, labels = both_ways(own, foreign, lambda: PATCH, poisson_blend)
    forth, back = poisson_blend(*slices(), PATCH), poisson_blend(*slices()[::-1], PATCH)
    assert np.array_equal(mixed.numpy()[:, 0], np.stack([forth[0], back[0]]))
    assert np.array_equal(labels.numpy()[:, 0], np.stack([forth[1], back[1]]))


# Loss and scores.


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.95])
def test_the_loss_is_least_at_alpha_and_is_its_entropy_there(alpha: float) -> None:
    label = torch.full((2, 1, 4, 4), alpha, dtype=torch.float64)
    here = loss(torch.logit(label), label)
    assert here.item() == pytest.approx(-alpha * np.log(alpha) - (1 - alpha) * np.log(1 - alpha), abs=1e-12)
    for aside in (-0.2, 0.2):
        assert loss(torch.logit(label) + aside, label) > here


def test_a_case_scores_the_mean_of_its_highest_quarter_of_slices() -> None:
    assert case_score(np.array([0.1, 0.7, 0.2, 0.0, 0.3, 0.5, 0.1, 0.2])) == pytest.approx(0.6)
    assert case_score(np.array([0.4], np.float32)) == pytest.approx(0.4)


# The trained method.


def case(data: NDArray[np.float32]) -> Case:
    return Case(Path("case.nii.gz"), data, scans.AFFINE)


@pytest.fixture(scope="module")
def training(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, generator = tmp_path_factory.mktemp("scans"), np.random.default_rng(7)
    return [scans.write(folder / f"{n}.nii.gz", scans.normal(generator)) for n in range(4)]


@pytest.fixture(scope="module")
def model(training: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Model:
    return learn(training, same, Order("brain", tmp_path_factory.mktemp("folder"), device="cpu"), TINY)


def test_maps_and_scores_lie_between_zero_and_one(model: Model) -> None:
    scan = case(scans.abnormal(np.random.default_rng(8)))
    scores = model.voxel_scores(scan)
    assert (scores.shape, scores.dtype) == (scans.SHAPE, np.float32)
    assert scores.min() >= 0
    assert scores.max() <= 1
    assert model.case_score(scan) == pytest.approx(np.sort(scores.mean((0, 1)))[16:].mean(), abs=0.02)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("shape", [scans.SHAPE, (16, 16, 1)])
def test_constant_volumes_have_finite_scores(model: Model, value: float, shape: tuple[int, ...]) -> None:
    scan = case(np.full(shape, value, np.float32))
    assert np.isfinite(model.voxel_scores(scan)).all()
    assert 0 <= model.case_score(scan) <= 1


def test_a_slice_scores_the_same_in_any_batch(model: Model) -> None:
    batch = torch.from_numpy(np.random.default_rng(9).random((6, 1, 16, 16), dtype=np.float32))
    alone = torch.cat([model.of_slices(one[None]) for one in batch])
    assert torch.allclose(model.of_slices(batch), alone, atol=1e-6)


def test_a_case_scores_the_same_whatever_was_scored_before(model: Model) -> None:
    scan = case(scans.abnormal(np.random.default_rng(8)))
    before = model.voxel_scores(scan), model.case_score(scan)
    model.voxel_scores(case(scans.normal(np.random.default_rng(9)) * 3))
    assert np.array_equal(before[0], model.voxel_scores(scan))
    assert before[1] == model.case_score(scan)


def test_what_was_saved_scores_the_same(model: Model, tmp_path: Path) -> None:
    scan = case(scans.abnormal(np.random.default_rng(8)))
    model.save(tmp_path / "brain.npz")
    again = Model.load(tmp_path / "brain.npz")
    assert np.array_equal(again.voxel_scores(scan), model.voxel_scores(scan))
    assert again.case_score(scan) == model.case_score(scan)


def test_the_same_seed_trains_the_same_weights(model: Model, training: list[Path], tmp_path: Path) -> None:
    again = learn(training, same, Order("brain", tmp_path, device="cpu"), TINY)
    other = learn(training, same, Order("brain", tmp_path / "other", device="cpu", seed=1), TINY)
    one, two, three = (
        torch.cat([p.flatten() for p in m.network.parameters()]) for m in (model, again, other)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, three)


def test_slices_are_standardised_by_training_scans_on_every_way_to_the_network(
    model: Model, training: list[Path], tmp_path: Path
) -> None:
    learned = Standardising.learn(store(training, TINY.slicing, tmp_path, same))
    assert (model.facts["mean"], model.facts["spread"]) == (learned.mean, learned.spread)
    assert 0.4 < learned.mean < 0.6
    batch = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    inner = torch.sigmoid(model.network.network((batch - learned.mean) / learned.spread))
    assert torch.allclose(model.of_slices(batch), inner, atol=1e-6)


def test_an_order_takes_its_settings_by_name(
    training: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONFIGS, "tiny", {"brain": TINY, "abdom": replace(TINY, axis=1)})
    trained = train(training, same, Order("abdom", tmp_path, "tiny", "cpu", steps=1))
    assert trained.slicing == Slicing(1, 16)
    assert (trained.facts["steps"], trained.facts["seed"]) == (1, 0)


def test_the_settings_are_the_published_ones_and_a_small_variant_of_them() -> None:
    for dataset, slicing in {"brain": Slicing(2, 256), "abdom": Slicing(1, 512)}.items():
        paper, small = CONFIGS["paper"][dataset], CONFIGS["small"][dataset]
        assert (paper.slicing, paper.widen, paper.strides, paper.core) == (slicing, 4, 4, 0.8)
        assert (paper.learning_rate, paper.batch) == (1e-3, 32)
        assert paper.steps == 50 * paper.validate_every
        assert replace(small, side=slicing.side, widen=4, steps=paper.steps) == replace(
            paper, validate_every=small.validate_every
        )


# Learning.


def speckled(generator: np.random.Generator, side: int = 32) -> NDArray[np.float32]:
    """A head of speckled tissue around a dark core, whose outlines differ from one to the next."""
    grid = np.indices((side, side, side)) / side - 0.5
    bent = grid + 0.04 * np.stack([_smooth(generator, side, 5) for _ in range(3)])
    radius = np.sqrt((bent**2).sum(axis=0))
    tissue = np.where(radius < 0.15, 0.3, 0.6) + 0.08 * _smooth(generator, side, 0.6)
    return np.where(radius < 0.45, np.clip(tissue, 0.05, 1), 0).astype(np.float32)


def _smooth(generator: np.random.Generator, side: int, sigma: float) -> Exact:
    field = gaussian_filter(generator.normal(size=(side, side, side)), sigma)
    return np.asarray(field / field.std())


def own_task(model: Model, people: list[NDArray[np.float32]], config: Config) -> tuple[float, float]:
    """Average precision on Poisson patches in people whom it never saw, and the share of changed pixels."""
    generator, examples = np.random.default_rng(11), []
    for one, other in zip(people[::2], people[1::2], strict=True):
        cut = (config.slicing.cut(person) for person in (one, other))
        examples.append(
            both_ways(*cut, lambda: Patch.draw(config.side, config.core, 1, generator), poisson_blend)
        )
    mixed, labels = (torch.cat(part) for part in zip(*examples, strict=True))
    changed = labels.numpy().ravel() > 0
    return float(average_precision_score(changed, model.of_slices(mixed).numpy().ravel())), changed.mean()


@pytest.mark.slow
def test_it_learns_to_find_poisson_patches_in_people_it_never_saw(tmp_path: Path) -> None:
    generator = np.random.default_rng(10)
    paths = [scans.write(tmp_path / f"{n:02}.nii.gz", speckled(generator)) for n in range(16)]
    # A short training wants long steps.
    config = replace(CONFIGS["small"]["brain"], side=32, steps=600, validate_every=100, learning_rate=5e-3)
    people = [speckled(generator) for _ in range(6)]
    before, after = (Order("brain", tmp_path / name, device="cpu") for name in ("before", "after"))
    untrained, share = own_task(learn(paths, same, replace(before, steps=1), config), people, config)
    learned, _ = own_task(learn(paths, same, after, config), people, config)
    assert learned > 4 * share
    assert learned > 2 * untrained
