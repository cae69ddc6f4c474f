"""Foreign patch interpolation: its task, its scores, and that it learns."""

from collections import Counter
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from scipy.signal import savgol_filter
from scipy.stats import chisquare, kstest
from sklearn.metrics import average_precision_score

from reference_methods.common.cases import Case, read, same
from reference_methods.common.cli import main
from reference_methods.common.deep import inference
from reference_methods.common.deep.patches import ALPHA, HALF_WIDTH, Blend, Patch, PatchTask
from reference_methods.common.deep.slices import Slicing
from reference_methods.common.deep.store import Slices, store
from reference_methods.common.deep.training import Order
from reference_methods.common.deep.validation import toys
from reference_methods.common.deep.wide_residual import Network
from reference_methods.fpi import train as training
from reference_methods.fpi.config import BRAIN, CONFIGS, Config
from reference_methods.fpi.model import Model, case_score, interpolate, loss, pixel_scores
from reference_methods.fpi.train import learn, train
from tests.unit.reference_methods import scans

Pair = tuple[NDArray[np.float64], NDArray[np.float64]]
PATCH = Patch(slice(3, 9), slice(5, 12), 0.3)
PLACE = (PATCH.rows, PATCH.columns)
TINY = replace(CONFIGS["small"]["brain"], side=16, batch=4, steps=4, validate_every=2)


def pair(side: int = 16) -> Pair:
    generator = np.random.default_rng(40)
    return generator.random((side, side)), generator.random((side, side))


# The task.


def test_outside_the_patch_a_slice_is_what_it_was_to_the_bit() -> None:
    own, foreign = pair()
    mixed, label = interpolate(own, foreign, PATCH)
    outside = np.ones_like(own, bool)
    outside[PLACE] = False
    assert np.array_equal(mixed[outside], own[outside])
    assert not label[outside].any()


def test_inside_the_patch_both_subjects_are_weighted_by_alpha() -> None:
    own, foreign = pair()
    mixed, label = interpolate(own, foreign, PATCH)
    assert np.allclose(mixed[PLACE], 0.7 * own[PLACE] + 0.3 * foreign[PLACE], atol=1e-12, rtol=0)
    assert np.all(label[PLACE] == 0.3)


def test_the_slices_that_are_mixed_stay_as_they_were() -> None:
    own, foreign = pair()
    before = own.copy(), foreign.copy()
    interpolate(own, foreign, PATCH)
    assert np.array_equal(own, before[0])
    assert np.array_equal(foreign, before[1])


def test_pixels_that_are_the_same_in_both_subjects_have_no_label() -> None:
    own, foreign = pair()
    foreign[3:6] = own[3:6]
    _, label = interpolate(own, foreign, PATCH)
    expected = np.zeros_like(own)
    expected[6:9, 5:12] = 0.3
    assert np.array_equal(label, expected)


def test_differences_up_to_the_tolerance_count_as_none() -> None:
    own = np.zeros((16, 16))
    foreign = np.full((16, 16), 0.0009)
    foreign[5, 6] = 0.0011
    _, label = interpolate(own, foreign, PATCH, tolerance=1e-3)
    assert np.argwhere(label).tolist() == [[5, 6]]
    assert interpolate(own, foreign, PATCH)[1][PLACE].all()


@pytest.mark.parametrize("alpha", [0.0, 1.0])
def test_a_weight_of_zero_leaves_the_own_slice_and_one_puts_the_foreign_in(alpha: float) -> None:
    own, foreign = pair()
    mixed, _ = interpolate(own, foreign, replace(PATCH, alpha=alpha))
    expected = own.copy()
    expected[PLACE] = (own, foreign)[int(alpha)][PLACE]
    assert np.array_equal(mixed, expected)


def test_both_ways_of_a_pair_mirror_each_other() -> None:
    own, foreign = pair()
    (one, label), (other, back) = interpolate(own, foreign, PATCH), interpolate(foreign, own, PATCH)
    assert np.allclose((one + other)[PLACE], (own + foreign)[PLACE], atol=1e-12)
    assert np.array_equal(label, back)
    swapped = interpolate(foreign, own, replace(PATCH, alpha=0.7))[0]
    assert np.allclose(swapped[PLACE], one[PLACE], atol=1e-12)


# The draw of a patch.


@pytest.fixture(scope="module")
def drawn() -> list[Patch]:
    generator = np.random.default_rng(41)
    return [Patch.draw(256, 0.5, 1, generator) for _ in range(20_000)]


def test_alpha_is_uniform_from_5_to_95_percent(drawn: list[Patch]) -> None:
    low, high = ALPHA
    assert (low, high) == (0.05, 0.95)
    assert kstest([patch.alpha for patch in drawn], "uniform", (low, high - low)).pvalue > 1e-3


def test_half_widths_are_uniform_from_5_to_20_percent_of_the_side(drawn: list[Patch]) -> None:
    assert HALF_WIDTH == (0.05, 0.20)
    widths = Counter(patch.rows.stop - patch.rows.start for patch in drawn)
    assert sorted(widths) == [2 * half for half in range(13, 51)]
    assert chisquare(list(widths.values())).pvalue > 1e-3
    assert all(p.rows.stop - p.rows.start == p.columns.stop - p.columns.start for p in drawn)


@pytest.mark.parametrize("side", ["rows", "columns"])
def test_centres_are_uniform_in_the_core(side: str, drawn: list[Patch]) -> None:
    places = [getattr(patch, side) for patch in drawn]
    centres = Counter((place.start + place.stop) // 2 for place in places)
    assert sorted(centres) == list(range(64, 192))
    assert chisquare(list(centres.values())).pvalue > 1e-3


def test_rows_columns_widths_and_weights_are_drawn_apart(drawn: list[Patch]) -> None:
    figures = np.array(
        [
            (
                p.rows.start + p.rows.stop,
                p.columns.start + p.columns.stop,
                p.alpha,
                np.ptp([p.rows.start, p.rows.stop]),
            )
            for p in drawn
        ]
    )
    assert np.abs(np.corrcoef(figures.T) - np.eye(4)).max() < 0.03


def test_a_patch_is_clipped_at_the_border_and_never_empty() -> None:
    generator = np.random.default_rng(42)
    patches = [Patch.draw(32, 0.8, 1, generator) for _ in range(2_000)]
    for place in [place for patch in patches for place in (patch.rows, patch.columns)]:
        assert 0 <= place.start < place.stop <= 32
    assert min(patch.rows.start for patch in patches) == 0
    assert max(patch.rows.stop for patch in patches) == 32


def test_weights_of_the_variant_with_classes_are_its_levels_without_zero() -> None:
    generator = np.random.default_rng(43)
    levels = Counter(Patch.draw(64, 0.8, 5, generator).alpha for _ in range(4_000))
    assert sorted(levels) == [0.25, 0.5, 0.75, 1.0]
    assert chisquare(list(levels.values())).pvalue > 1e-3


def task_on(slices: Slices, config: Config, blend: Blend, network: Network | None = None) -> PatchTask:
    return PatchTask(
        network or Network(config.widen, config.classes, config.strides),
        slices,
        toys(slices, np.random.default_rng(0)),
        torch.device("cpu"),
        batch=config.batch,
        core=config.core,
        levels=config.classes,
        blend=blend,
        loss=loss,
        pixel_scores=pixel_scores,
        case_score=case_score,
    )


def test_a_slice_meets_the_slice_of_the_same_place_in_another_training_subject() -> None:
    scan, place = np.arange(6).reshape(6, 1, 1, 1), np.arange(10).reshape(1, 10, 1, 1)
    values = np.broadcast_to(scan * 16 + place, (6, 10, 16, 16)).astype(np.float16)
    met: list[tuple[int, int]] = []

    def blend(own: NDArray[np.float32], foreign: NDArray[np.float32], patch: Patch) -> Pair:
        met.append((int(own[0, 0]), int(foreign[0, 0])))
        return interpolate(own, foreign, patch)

    task = task_on(Slices(values, np.arange(4), np.arange(4, 6)), replace(TINY, batch=32), blend)
    batches = []
    for seed in range(12):
        task.training_loss(np.random.default_rng(seed))
        batches.append([*met])
        met.clear()
    assert {len(batch) for batch in batches} == {32}
    for batch in batches:
        assert len({frozenset((one // 16, other // 16)) for one, other in batch}) == 1
        assert batch[1::2] == [(other, one) for one, other in batch[::2]]
    everything = [pair for batch in batches for pair in batch]
    assert all(one // 16 != other // 16 and one % 16 == other % 16 for one, other in everything)
    assert {one // 16 for one, _ in everything} == {0, 1, 2, 3}
    assert {one % 16 for one, _ in everything} == set(range(10))
    task.validate(np.random.default_rng(1))
    assert {one // 16 for one, _ in met} == {4, 5}


# Loss and scores.


@pytest.mark.parametrize("alpha", [0.05, 0.3, 0.95])
def test_the_least_loss_is_the_entropy_of_alpha_and_is_had_at_alpha(alpha: float) -> None:
    label = torch.full((2, 1, 4, 4), alpha, dtype=torch.float64)
    probabilities = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    losses = [loss(torch.full_like(label, float(torch.logit(p))), label).item() for p in probabilities]
    entropy = -alpha * np.log(alpha) - (1 - alpha) * np.log(1 - alpha)
    assert probabilities[int(np.argmin(losses))].item() == pytest.approx(alpha, abs=1e-9)
    assert min(losses) == pytest.approx(entropy, rel=1e-9)


def test_the_loss_is_the_mean_cross_entropy_over_all_pixels() -> None:
    torch.manual_seed(6)
    logits, label = torch.randn(3, 1, 4, 4).double(), torch.rand(3, 1, 4, 4).double()
    p = torch.sigmoid(logits)
    by_hand = -(label * p.log() + (1 - label) * (1 - p).log()).mean()
    assert loss(logits, label).item() == pytest.approx(by_hand.item(), rel=1e-12)


def test_the_loss_with_classes_asks_for_the_level_of_alpha() -> None:
    torch.manual_seed(7)
    logits = torch.randn(2, 5, 4, 4).double()
    label = torch.randint(0, 5, (2, 1, 4, 4)) / 4
    chosen = torch.log_softmax(logits, 1).gather(1, (label * 4).long())
    assert loss(logits, label).item() == pytest.approx(-chosen.mean().item(), rel=1e-12)


@pytest.mark.parametrize("level", range(5))
def test_a_certain_class_scores_its_level(level: int) -> None:
    logits = torch.full((1, 5, 2, 2), -1e4)
    logits[:, level] = 1e4
    assert torch.equal(pixel_scores(logits), torch.full((1, 1, 2, 2), level / 4))


def test_classes_score_their_expected_level_and_one_class_its_probability() -> None:
    logits = torch.log(torch.tensor([0.1, 0.2, 0.3, 0.4, 1e-30])).view(1, 5, 1, 1)
    assert pixel_scores(logits).item() == pytest.approx(0.2 / 4 + 0.3 / 2 + 0.4 * 3 / 4)
    sigmoid = pixel_scores(torch.tensor([0.0, np.log(3)]).view(1, 1, 1, 2))
    assert sigmoid.flatten().tolist() == pytest.approx([0.5, 0.75])


def test_a_case_scores_the_mean_of_the_highest_quarter_of_its_smoothed_profile() -> None:
    profile = np.random.default_rng(44).random(64)
    smooth = np.sort(savgol_filter(profile, 7, 3))
    assert case_score(profile) == pytest.approx(smooth[48:].mean())
    cubic = np.linspace(-1, 1, 40) ** 3 / 4 + 0.5  # a filter of order 3 leaves it alone
    assert case_score(cubic) == pytest.approx(cubic[30:].mean())
    assert case_score(np.array([0.1, 0.2, 0.3, 0.4])) == pytest.approx(0.4)
    assert case_score(np.array([0.3])) == pytest.approx(0.3)
    assert case_score(np.full(256, 0.2)) == pytest.approx(0.2)


def test_a_case_score_stays_in_range_where_smoothing_overshoots() -> None:
    profile = np.r_[np.zeros(8), np.ones(6), np.zeros(2)]
    assert case_score(profile) == 1
    assert case_score(np.zeros(16)) == 0


# The settings.


def test_the_papers_settings_are_the_default_and_the_small_ones_the_same_method() -> None:
    brain, abdomen = CONFIGS["paper"]["brain"], CONFIGS["paper"]["abdom"]
    assert brain == BRAIN == Config()
    assert (brain.side, brain.axis, brain.widen, brain.classes, brain.strides) == (256, 2, 4, 1, 4)
    assert (abdomen.side, abdomen.axis, abdomen.widen, abdomen.classes, abdomen.strides) == (512, 1, 4, 5, 5)
    assert (brain.core, abdomen.core, brain.tolerance, abdomen.tolerance) == (0.5, 0.8, 0.0, 1e-3)
    assert brain.steps == 50 * 800 * 256 // 32
    assert abdomen.steps == 50 * 550 * 512 // 32
    for dataset, small in CONFIGS["small"].items():
        same_method = replace(
            CONFIGS["paper"][dataset],
            side=64, widen=1, strides=4, steps=small.steps, validate_every=small.validate_every,
        )  # fmt: skip
        assert small == same_method


# The trained method.


def ball_scans(folder: Path, count: int = 6) -> list[Path]:
    generator = np.random.default_rng(45)
    return [scans.write(folder / f"{n}.nii.gz", scans.normal(generator)) for n in range(count)]


@pytest.fixture(scope="module", params=["brain", "abdom"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Model:
    folder = tmp_path_factory.mktemp("fpi")
    config = replace(TINY, axis=CONFIGS["small"][request.param].axis)
    if request.param == "abdom":
        config = replace(config, classes=5, tolerance=1e-3, side=32, strides=5)
    return learn(ball_scans(folder / "data"), same, Order(request.param, folder / "cache"), config)


def case_of(data: NDArray[np.float32]) -> Case:
    return Case(Path("0.nii.gz"), data, np.eye(4))


def test_scores_have_the_shape_and_range_that_are_due(model: Model) -> None:
    for shape in [scans.SHAPE, (7, 5, 9), (40, 30, 3)]:
        case = case_of(np.random.default_rng(46).random(shape, dtype=np.float32))
        scores = model.voxel_scores(case)
        assert (scores.shape, scores.dtype) == (shape, np.float32)
        assert 0 <= scores.min() < scores.max() <= 1
        assert 0 <= model.case_score(case) <= 1


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_empty_and_constant_volumes_have_finite_scores(value: float, model: Model) -> None:
    case = case_of(np.full(scans.SHAPE, value, np.float32))
    assert np.isfinite(model.voxel_scores(case)).all()
    assert np.isfinite(model.case_score(case))


def test_scores_of_a_certain_network_do_not_leave_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(1)
    certain = torch.full((1, 1, 16, 16), 40.0)
    monkeypatch.setattr(network, "forward", lambda x: certain.expand(len(x), -1, -1, -1))
    model = Model(network, Slicing(2, 16), {})
    for shape in [(37, 53, 4), (101, 13, 6)]:
        assert model.voxel_scores(case_of(np.zeros(shape, np.float32))).max() == 1


def test_scores_are_the_same_however_many_slices_are_scored_at_once(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = case_of(scans.abnormal(np.random.default_rng(47)))
    maps, score = model.voxel_scores(case), model.case_score(case)
    monkeypatch.setattr(inference, "SLICES_AT_ONCE", 3)
    assert np.allclose(model.voxel_scores(case), maps, atol=1e-6)
    assert model.case_score(case) == pytest.approx(score, abs=1e-6)


def test_an_untouched_part_of_the_volume_scores_the_same_whatever_other_slices_hold(model: Model) -> None:
    data = scans.normal(np.random.default_rng(48))
    other = data.copy()
    slices = [slice(None)] * 3
    slices[model.slicing.axis] = slice(0, 5)
    kept = tuple(slices)
    slices[model.slicing.axis] = slice(5, None)
    other[tuple(slices)] = 1
    assert np.array_equal(model.voxel_scores(case_of(data))[kept], model.voxel_scores(case_of(other))[kept])


def test_a_case_scores_the_same_alone_and_in_a_folder_and_nothing_else_is_written(
    model: Model, tmp_path: Path
) -> None:
    model.save(tmp_path / "weights" / "brain.npz")
    generator = np.random.default_rng(49)
    for name in ("a", "b", "c"):
        scans.write(tmp_path / "all" / f"{name}.nii.gz", scans.normal(generator))
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "b.nii.gz").write_bytes((tmp_path / "all" / "b.nii.gz").read_bytes())
    before = {path for path in tmp_path.rglob("*")}
    for task in ("pixel", "sample"):
        for source in ("all", "one"):
            target = tmp_path / f"{task}-{source}"
            target.mkdir()
            main(
                Model.load,
                [task, "brain", str(tmp_path / source), str(target), "--weights", str(tmp_path / "weights")],
            )
    written = {path.relative_to(tmp_path).parts[0] for path in set(tmp_path.rglob("*")) - before}
    assert written == {"pixel-all", "pixel-one", "sample-all", "sample-one"}
    assert (tmp_path / "pixel-all/b.nii.gz").read_bytes() == (tmp_path / "pixel-one/b.nii.gz").read_bytes()
    texts = [(tmp_path / f"sample-{source}/b.nii.gz.txt").read_text() for source in ("all", "one")]
    assert texts[0] == texts[1]
    assert np.array_equal(read(tmp_path / "pixel-one/b.nii.gz").affine, scans.AFFINE)


def test_a_model_comes_back_as_it_was_saved(model: Model, tmp_path: Path) -> None:
    model.save(tmp_path / "w.npz")
    again, case = Model.load(tmp_path / "w.npz"), case_of(scans.normal(np.random.default_rng(50)))
    assert again.facts == model.facts
    assert np.array_equal(again.voxel_scores(case), model.voxel_scores(case))
    assert again.case_score(case) == model.case_score(case)


def test_the_same_seed_learns_the_same_weights_and_another_seed_others(tmp_path: Path) -> None:
    paths = ball_scans(tmp_path / "data")
    for name, seed in [("one", 1), ("two", 1), ("three", 2)]:
        learn(paths, same, Order("brain", tmp_path / name, seed=seed), TINY).save(tmp_path / f"{name}.npz")
    one, two, three = ((tmp_path / f"{name}.npz").read_bytes() for name in ("one", "two", "three"))
    assert one == two
    assert one != three


def test_an_order_names_the_settings_and_may_replace_the_steps(tmp_path: Path) -> None:
    trained = train(ball_scans(tmp_path / "data"), same, Order("abdom", tmp_path / "cache", steps=0))
    assert trained.facts == {**asdict(CONFIGS["small"]["abdom"]), "steps": 0, "seed": 0}
    assert trained.slicing == Slicing(1, 64)


def test_a_training_on_other_scans_does_not_go_on_from_the_checkpoint(tmp_path: Path) -> None:
    paths, order = ball_scans(tmp_path / "data"), Order("brain", tmp_path / "cache")
    learn(paths, same, order, TINY)
    with pytest.raises(ValueError, match=r"fpi-brain\.pt .*other scans"):
        learn(paths[:-1], same, order, TINY)


# That it learns.


def tissue(generator: np.random.Generator, shape: tuple[int, int, int] = (32, 32, 16)) -> NDArray[np.float32]:
    """A scan like all others in its coarse shape, with coarse and fine structures of its own."""
    common = gaussian_filter(np.random.default_rng(51).normal(size=shape), 4)
    coarse = gaussian_filter(generator.normal(size=shape), 3)
    fine = gaussian_filter(generator.normal(size=shape), 1)
    parts = [weight * field / field.std() for weight, field in ((0.1, common), (0.12, coarse), (0.03, fine))]
    return np.clip(0.5 + sum(parts), 0.05, 1).astype(np.float32)


LEARNING = replace(BRAIN, side=32, widen=1, steps=600, validate_every=200)


def own_task_precision(model: Model, slices: Slices) -> tuple[float, float]:
    """Average precision of finding fresh patches in unseen scans, and their share of pixels."""
    found: list[tuple[torch.Tensor, torch.Tensor]] = []

    def catch(logits: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
        found.append((pixel_scores(logits), label > 0))
        return logits.mean()

    task = replace(task_on(slices, LEARNING, interpolate, model.network), loss=catch)
    with torch.no_grad():
        for seed in range(20):
            task.training_loss(np.random.default_rng(seed))
    scores, truth = (torch.cat(parts).ravel().numpy() for parts in zip(*found, strict=True))
    return float(average_precision_score(truth, scores)), float(truth.mean())


def learned(folder: Path, steps: int) -> tuple[float, float]:
    generator = np.random.default_rng(52)
    paths = [scans.write(folder / "data" / f"{n:02}.nii.gz", tissue(generator)) for n in range(24)]
    unseen = [scans.write(folder / "unseen" / f"{n}.nii.gz", tissue(generator)) for n in range(8)]
    model = learn(paths, same, Order("brain", folder / "cache", steps=steps), LEARNING)
    return own_task_precision(model, store(unseen, LEARNING.slicing, folder / "cache", same))


@pytest.mark.slow
def test_training_finds_patches_in_unseen_scans(tmp_path: Path) -> None:
    precision, share = learned(tmp_path, LEARNING.steps)
    print(f"own task: average precision {precision:.4f}, share {share:.4f}")
    assert precision > 4 * share


@pytest.mark.slow
def test_training_with_shuffled_labels_finds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(53)

    def shuffled(
        own: NDArray[np.float32], foreign: NDArray[np.float32], patch: Patch, tolerance: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        mixed, label = interpolate(own, foreign, patch, tolerance)
        return mixed, generator.permutation(label.ravel()).reshape(label.shape)

    monkeypatch.setattr(training, "interpolate", shuffled)
    precision, share = learned(tmp_path, LEARNING.steps)
    print(f"own task: average precision {precision:.4f}, share {share:.4f}")
    assert precision < 1.5 * share


@pytest.mark.slow
def test_an_untrained_network_finds_nothing(tmp_path: Path) -> None:
    precision, share = learned(tmp_path, 0)
    print(f"own task: average precision {precision:.4f}, share {share:.4f}")
    assert precision < 2 * share


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1, 5])
def test_the_loss_on_one_batch_falls_by_half_in_a_hundred_steps(classes: int) -> None:
    config = replace(LEARNING, classes=classes)
    generator = np.random.default_rng(54)
    values = np.stack([np.moveaxis(tissue(generator), 2, 0) for _ in range(4)]).astype(np.float16)
    torch.manual_seed(8)
    task = task_on(Slices(values, np.arange(2), np.arange(2, 4)), config, partial(interpolate, tolerance=0))
    optimiser = torch.optim.Adam(task.network.parameters(), config.learning_rate)
    losses = []
    for _ in range(100):
        losses.append(task.training_loss(np.random.default_rng(0)))
        optimiser.zero_grad()
        torch.autograd.backward(losses[-1])
        optimiser.step()
    assert losses[-1].item() < 0.5 * losses[0].item()
