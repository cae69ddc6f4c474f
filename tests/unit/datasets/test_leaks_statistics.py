"""The tests behind the leak gate, against slow or known answers."""

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import roc_auc_score

from datasets.leaks.duplicates import nearest, same, suspicious
from datasets.leaks.images import high_pass, noise_in, thumbnail
from datasets.leaks.permutation import auc_p, aucs, classifier_p, groups_p, holm, linear_scores
from datasets.leaks.places import assign, measure, ranks
from datasets.manifest import Case, File


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def test_aucs_are_those_of_scikit_learn_ties_included(rng: np.random.Generator) -> None:
    labels, values = rng.random(50) < 0.4, rng.integers(0, 6, (50, 4)).astype(float)
    expected = [roc_auc_score(labels, column) for column in values.T]
    assert aucs(values, labels) == pytest.approx(expected)


def test_permutation_p_agrees_with_the_rank_sum_test(rng: np.random.Generator) -> None:
    labels = np.arange(80) < 40
    values = rng.normal(size=(80, 3)) + labels[:, None] * np.array([0.0, 0.4, 0.6])
    expected = [stats.mannwhitneyu(column[labels], column[~labels]).pvalue for column in values.T]
    assert auc_p(values, labels, rng, 20_000)[1] == pytest.approx(expected, abs=0.012)


def test_holm_is_the_method_worked_by_hand() -> None:
    assert holm(np.array([0.04, 0.01, 0.03])) == pytest.approx([0.06, 0.03, 0.06])
    assert holm(np.array([0.9, 0.8])) == pytest.approx([1.0, 1.0])


def test_the_family_wise_error_of_the_corrected_tests_is_held(rng: np.random.Generator) -> None:
    """300 families of 12 correlated and tied features without a leak, at 10 %, and three standard errors."""
    labels = np.arange(60) < 30
    alarms = 0
    for _ in range(300):
        values = rng.normal(size=(60, 12)) + rng.normal(size=(60, 1))
        values[:, :4] = np.round(values[:, :4])
        alarms += bool(holm(auc_p(values, labels, rng, 999)[1]).min() <= 0.1)
    assert alarms / 300 <= 0.1 + 3 * np.sqrt(0.1 * 0.9 / 300)


def test_the_classifier_finds_what_no_single_column_tells_and_nothing_in_noise(
    rng: np.random.Generator,
) -> None:
    labels = np.arange(120) < 60
    shared = rng.normal(size=(120, 1)) * 5
    hidden = np.hstack([shared + labels[:, None], shared]) + rng.normal(size=(120, 2)) * 0.2
    assert np.all(np.abs(aucs(hidden, labels) - 0.5) < 0.15)
    assert classifier_p(hidden, labels, rng, 500)[1] < 0.01
    p = [classifier_p(rng.normal(size=(40, 5)), np.arange(40) < 20, rng, 99)[1] for _ in range(60)]
    assert np.mean(np.array(p) <= 0.1) < 0.25


def test_a_case_does_not_help_to_score_itself(rng: np.random.Generator) -> None:
    values, labels = rng.normal(size=(30, 4)), np.arange(30) < 15
    before = linear_scores(values, labels, np.random.default_rng(1))
    flipped = labels.copy()
    flipped[7] = ~flipped[7]
    after = linear_scores(values, flipped, np.random.default_rng(1))
    assert after[7] == pytest.approx(before[7])
    assert not np.allclose(after, before)


def test_groups_that_differ_are_told_and_others_are_not(rng: np.random.Generator) -> None:
    groups = np.repeat(["a", "b", "c"], 20)
    values = rng.normal(size=(60, 1))
    assert groups_p(values, groups, rng, 500) > 0.01
    assert groups_p(values + (groups == "b")[:, None] * 3, groups, rng, 500) < 0.01


def test_the_noise_of_a_smooth_image_is_found_in_a_mask_only(rng: np.random.Generator) -> None:
    image = np.linspace(0, 1, 20)[:, None, None] + np.zeros((20, 20, 20))
    mask = np.zeros(image.shape, bool)
    mask[10:] = True
    noisy = (image + rng.normal(size=image.shape) * np.where(mask, 0.02, 0.1)).astype(np.float32)
    assert noise_in(noisy, mask)[0] == pytest.approx(0.02, rel=0.1)
    assert noise_in(noisy, ~mask)[0] == pytest.approx(0.1, rel=0.1)
    assert high_pass(image.astype(np.float32)) == pytest.approx(0, abs=1e-6)


def test_a_seam_and_lost_noise_stand_out_and_a_soft_edge_does_not(rng: np.random.Generator) -> None:
    distance = np.sqrt(np.square(np.indices((30,) * 3) - 14.5).sum(axis=0))
    mask, noise = distance < 7, rng.normal(size=(30,) * 3) * 0.02
    scans = {
        "plain": 0.5 + noise,
        "soft": 0.5 + 0.15 / (1 + np.exp(distance - 7)) + noise,
        "hard": 0.5 + 0.15 * mask + noise,
        "bare": 0.5 + np.where(mask, noise * 0.2, noise),
    }
    found = {name: measure(image.astype(np.float32), mask) for name, image in scans.items()}
    assert found["hard"]["patch seams"] > 1.5 > 0.5 > found["soft"]["patch seams"]
    assert found["bare"]["noise continuity"] > 1.2 > 0.2 > abs(found["plain"]["noise continuity"])


def test_ranks_count_what_is_exceeded_by_the_margin_and_leave_out_what_has_no_value() -> None:
    table = ranks([2.0, np.nan, 1.0], [[0.0, 1.9, np.nan], [0.0], [5.0]], margin=np.e)
    assert table.tolist() == [[1.0, 2.0], [0.0, 1.0]]


def test_places_are_spread_over_the_normal_cases(rng: np.random.Generator) -> None:
    file = File(path="a", sha256="0" * 64, size=0)
    normal = [Case(id=str(i), part="test", name=str(i), tasks=(), label=0, image=file, mask=None, kind=None,
                   category=None, parameters={}) for i in range(10)]  # fmt: skip
    spread = assign([None] * 15, normal, rng)  # only their number counts
    assert {len(indices) for indices in spread.values()} == {12}
    assert all(len(set(indices)) == len(indices) for indices in spread.values())


def test_one_person_scanned_twice_is_the_only_pair(rng: np.random.Generator) -> None:
    shared = rng.normal(size=200) * 5
    people = rng.normal(size=(30, 200)) + shared
    people[17] = people[4] * 1.1 + rng.normal(size=200) * 0.2
    (pair,) = suspicious(nearest(people.astype(np.float32)))
    assert (pair.first, pair.second) == (4, 17)
    assert same(["a", "b", "a", "c", "a"]) == [(0, 2), (0, 4)]


def test_a_thumbnail_holds_the_means_of_blocks(rng: np.random.Generator) -> None:
    image = rng.random((24, 30, 8)).astype(np.float32)
    small = thumbnail(image).reshape(12, 12, 8)
    assert small[0, 0, 3] == pytest.approx(image[:2, :2, 3].mean(), rel=1e-5)
    assert small.mean() == pytest.approx(image.mean(), rel=0.05)
