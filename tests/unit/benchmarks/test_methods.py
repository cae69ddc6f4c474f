"""The benchmark of methods: everybody is asked about the same cases, and figures are told right."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from benchmarks import methods, one_method
from benchmarks.measure import Cost
from datasets.manifest import Case, File, Manifest
from reference_methods.common.cases import find, read, same
from reference_methods.pca.train import train as train_pca
from tests.unit.reference_methods import scans

TEST_CASES = 6


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Training scans, and test cases of both tasks of which every second is abnormal."""
    folder = tmp_path_factory.mktemp("scans")
    generator = np.random.default_rng(5)
    scans.write_training(folder, generator, count=8)
    cases = [_case(folder / "brain", number, generator) for number in range(TEST_CASES)]
    described = Manifest(
        challenge="demo", dataset="brain", version="1", shape=scans.SHAPE, cases=tuple(cases), arrangements={}
    )
    (folder / "brain" / "manifest.json").write_text(described.model_dump_json())
    return folder


def _case(folder: Path, number: int, generator: np.random.Generator) -> Case:
    abnormal = number % 2
    mask = np.zeros(scans.SHAPE, np.float32)
    mask[scans.LESION] = abnormal
    name = f"{number}.nii.gz"
    scans.write(folder / "test" / name, (scans.abnormal if abnormal else scans.normal)(generator))
    scans.write(folder / "masks" / name, mask)
    files = [File(path=f"{part}/{name}", sha256="0" * 64, size=1) for part in ("test", "masks")]
    return Case(
        id=str(number),
        part="test",
        name=name,
        tasks=("sample", "pixel"),
        label=1 if abnormal else 0,
        image=files[0],
        mask=files[1],
        kind="cube" if abnormal else None,
        category="local" if abnormal else None,
        parameters={},
    )


def ask(name: str, dataset: Path, folder: Path, steps: int = 1) -> dict[str, float]:
    return one_method.learn_and_ask(name, 0, steps, "cpu", str(dataset / "brain"), str(folder))()


def test_average_precisions_are_those_of_scikit_learn(dataset: Path, tmp_path: Path) -> None:
    told = ask("pca", dataset, tmp_path)
    method = train_pca(find(dataset / "brain" / "brain_train"), same)
    cases = [read(dataset / "brain" / "test" / f"{number}.nii.gz") for number in range(TEST_CASES)]
    masks = [read(dataset / "brain" / "masks" / f"{number}.nii.gz").data > 0 for number in range(TEST_CASES)]
    maps = [method.voxel_scores(case).astype(np.float16) for case in cases]
    expected = average_precision_score(np.ravel(masks), np.ravel(maps))
    assert told["pixel_ap"] == pytest.approx(expected, abs=1e-12)
    labels, scores = [mask.any() for mask in masks], [method.case_score(case) for case in cases]
    assert told["sample_ap"] == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert told["train_s"] > 0
    assert told["case_s"] > 0


@pytest.mark.parametrize("name", one_method.NETWORKS)
def test_every_network_learns_and_is_asked(name: str, dataset: Path, tmp_path: Path) -> None:
    told = ask(name, dataset, tmp_path)
    assert 0 < told["pixel_ap"] <= 1
    assert 0 < told["sample_ap"] <= 1


def test_the_last_line_has_means_and_spreads_of_seeds_beside_the_positive_share(
    dataset: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def cost(_: Callable[..., Any], name: str, seed: int, *__: Any, cores: None) -> Cost:
        found = {"pixel_ap": 0.2 + seed / 10, "sample_ap": 0.5, "train_s": 4.0 + seed, "case_s": 0.25}
        return Cost(found, cpu_s=9, wall_s=9, peak_mb=100 + seed)

    described = Manifest.model_validate_json((dataset / "brain" / "manifest.json").read_text())
    monkeypatch.setattr(methods, "cost", cost)
    monkeypatch.setattr(methods, "_build", lambda cases, out: out.symlink_to(dataset) or described)
    assert methods.main(["--methods", "fpi", "pca"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    lesion = 4**3 / np.prod(scans.SHAPE)
    assert told.pop("positive_share") == pytest.approx(lesion / 2)
    assert told == {
        "abnormal_share": 0.5,
        "fpi": {
            "pixel_ap": {"mean": 0.3, "spread": 0.2},
            "sample_ap": {"mean": 0.5, "spread": 0},
            "train_s": 5,
            "case_s": 0.25,
            "peak_mb": 102,
        },
        "pca": {
            "pixel_ap": {"mean": 0.2, "spread": 0},
            "sample_ap": {"mean": 0.5, "spread": 0},
            "train_s": 4,
            "case_s": 0.25,
            "peak_mb": 100,
        },
    }


@pytest.mark.slow
def test_the_script_runs(capsys: pytest.CaptureFixture[str]) -> None:
    assert methods.main(["--quick"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {*one_method.NETWORKS, *one_method.SIMPLE, "positive_share"} <= set(told)
