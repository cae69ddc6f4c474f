"""The benchmark of making cases: what is made, that solvers agree, and what is told."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import blending, datasets, one_case
from benchmarks.measure import Cost

SIDE = 13


def test_the_sine_transform_solves_the_equation_and_float32_is_as_good_as_float32_can_be() -> None:
    found = blending.agreement(SIDE)
    assert found["residual"] < 1e-12
    assert found["float32"] < 1e-6


@pytest.mark.parametrize("solver", [blending.by_conjugate_gradients, blending.by_elimination])
def test_sparse_solvers_reach_the_same(solver: Callable[[int], Callable[[], float]]) -> None:
    assert solver(SIDE)() < 1e-7


def test_every_kind_is_there_in_one_of_the_datasets_that_it_suits() -> None:
    brain, abdomen = one_case.kinds("brain"), one_case.kinds("abdom")
    assert {"local/poisson-patch", "global/blur"} <= set(brain) & set(abdomen)
    assert "global/atrophy" in set(brain) - set(abdomen)
    assert "local/sphere" not in brain
    for slug, chosen in datasets.KINDS.items():
        assert set(chosen) <= {"normal", *one_case.kinds(slug)}


def test_a_case_is_made_and_made_the_same_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(one_case, "WARM", 16)
    work = one_case.case("abdom", "global/blur", "easy", 16)
    assert work() == work()
    assert work() != one_case.case("abdom", "normal", "easy", 16)()


def _fake(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[str], float], error: float) -> None:
    def cost(prepare: Callable[..., Any], *arguments: Any) -> Cost:
        value = error if prepare is blending.by_elimination else 0.0
        return Cost(value, seconds(prepare.__name__), 1.0, 100.0)

    monkeypatch.setattr(datasets, "cost", cost)
    monkeypatch.setattr(datasets, "REGION", SIDE)


def test_the_last_line_tells_the_figures(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _fake(monkeypatch, lambda name: {"case": 3.0, "by_sines": 20.0}.get(name, 60.0), error=1e-9)
    assert datasets.main(["--quick"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert told.pop("poisson_residual") < 1e-10
    assert told == {
        "brain256_cpu_s": 3.0,
        "brain256_peak_mb": 100.0,
        "abdomen512_cpu_s": 3.0,
        "abdomen512_peak_mb": 100.0,
        "poisson_speedup": 60.0,
    }


def test_solvers_that_disagree_end_it_with_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake(monkeypatch, lambda name: 1.0, error=1e-3)
    assert datasets.main(["--quick", "--dataset", "brain"]) == 1
