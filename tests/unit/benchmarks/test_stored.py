"""Bootstrapping and rescoring stored statistics: what is drawn for them, and that both scripts tell."""

import json
from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import bootstrap, rescoring
from benchmarks.from_stored import ARRANGEMENTS, rescored
from benchmarks.stored import VOXELS, Board, levels_in_use


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Board:
    drawn = Board(str(tmp_path_factory.mktemp("board")), submissions=2, cases=6, batch=4)
    drawn.write()
    return drawn


def test_every_case_has_all_its_voxels_and_only_abnormal_cases_have_a_lesion(board: Board):
    histograms = [list(board.histograms(submission)) for submission in range(2)]
    for one, other, label in zip(*histograms, board.labels(), strict=True):
        assert one.positive_voxels + one.negative_voxels == VOXELS
        assert one.positive_voxels == other.positive_voxels
        assert (one.positive_voxels > 0) == label


def test_the_first_submission_is_better_than_the_last(board: Board):
    first, last = (sum(h.average_precision() for h in list(board.histograms(s))[1::2]) for s in range(2))
    assert first > last


def test_lesions_make_use_of_most_levels(board: Board):
    assert levels_in_use(board.histograms(0)) > 3000


def test_an_arrangement_has_every_case_once_and_in_every_batch_both_classes():
    board = Board("", cases=542)
    batches = board.arrangement(1)
    assert sorted(case for batch in batches for case in batch) == list(range(542))
    assert {len(batch) for batch in batches} == {20, 2}
    assert all(2 * board.labels()[batch].sum() == len(batch) for batch in batches)
    assert batches == board.arrangement(1)
    assert batches != board.arrangement(2)


def test_bootstraps_tell_what_they_took(capsys: pytest.CaptureFixture[str]):
    assert bootstrap.main(["--quick"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(told) == {
        "seconds",
        "peak_mb",
        "original_seconds_extrapolated",
        "speedup",
        "largest_difference",
    }
    assert told["largest_difference"] <= 1e-12
    assert told["speedup"] > 1


def test_rescoring_tells_what_it_took(capsys: pytest.CaptureFixture[str]):
    assert rescoring.main(["--quick"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(told) == {"seconds", "peak_mb", "original_seconds_extrapolated", "speedup"}


def test_rescoring_gives_the_figures_of_each_arrangement(board: Board):
    work: Callable[[], list[list[float]]] = rescored(
        {"folder": board.folder, "submissions": 2, "cases": 6, "batch": 4}
    )
    histograms = list(board.histograms(1))
    for value, number in zip(work()[1], ARRANGEMENTS, strict=True):
        sums = [
            sum((histograms[case] for case in batch[1:]), histograms[batch[0]])
            for batch in board.arrangement(number)
        ]
        assert value == pytest.approx(np.mean([one.average_precision() for one in sums]), abs=1e-12)


def test_values_that_disagree_end_a_benchmark_in_failure(board: Board, capsys: pytest.CaptureFixture[str]):
    ours = bootstrap.Cost(value=[], cpu_s=1.0, wall_s=1.0, peak_mb=1.0)
    one = bootstrap.Original(reading=1.0, scoring=1.0)
    assert bootstrap._tell(board, 10, ours, one, difference=1e-9) == 1
    assert bootstrap._tell(board, 10, ours, one, difference=1e-13) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["speedup"] == 2 * 10 * 6 / 2
