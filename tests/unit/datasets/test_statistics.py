import csv
import json
import math
from pathlib import Path

import pytest

from datasets import statistics
from datasets.gallery.histograms import histogram
from datasets.manifest import Case, File, Manifest
from datasets.statistics import Summary

FILE = File(path="x", sha256="0" * 64, size=1)


def _case(number: int, part: str, **properties: float | str) -> Case:
    return Case(
        id=str(number), part=part, name=f"{number}.nii.gz", tasks=(), label=None, image=FILE, mask=None,
        kind="secret-kind" if part == "test" else None, category=None, parameters={}, properties=properties,
    )  # fmt: skip


def _manifest(*cases: Case) -> Manifest:
    return Manifest(
        challenge="c", dataset="brain", version="v", shape=(4, 4, 4), cases=cases, arrangements={}
    )


BRAINS = _manifest(
    _case(0, "training", age=20.0, ventricles_ml=10.0, sex="f", variant="t1"),
    _case(1, "training", age=40.0, ventricles_ml=20.0, sex="m", variant="t2"),
    _case(2, "test", age=60.0, ventricles_ml=60.0, sex="m", variant="t1"),
    _case(3, "analysis", age=80.0, ventricles_ml=30.0, sex="m", variant="t1"),
    _case(4, "analysis", age=80.0, ventricles_ml=30.0, sex="m", variant="t1"),
)


def test_numbers_are_summed_up_over_all_by_variant_and_by_part() -> None:
    found = statistics.of(BRAINS)
    assert found.people == {"all": 4, "t1": 3, "t2": 1, "training": 2, "hidden": 2}
    ventricles = found.measured[1]
    assert (ventricles.property, ventricles.unit) == ("ventricles_ml", "ml")
    assert statistics.title(ventricles.property) == "ventricles"
    assert ventricles.groups["all"] == Summary(4, 30.0, pytest.approx(math.sqrt(1400 / 3)), 10.0, 25.0, 60.0)
    assert ventricles.groups["t2"] == Summary(1, 20.0, 0.0, 20.0, 20.0, 20.0)
    assert ventricles.groups["hidden"].mean == 45.0


def test_words_are_counted() -> None:
    [sex] = statistics.of(BRAINS).counted
    assert (sex.property, sex.groups["all"], sex.groups["t2"]) == ("sex", {"f": 1, "m": 3}, {"m": 1})


def test_somebody_whose_scan_is_there_twice_counts_once() -> None:
    assert sum(statistics.of(BRAINS).measured[0].counts) == 4


def test_neither_kinds_nor_labels_are_published(tmp_path: Path) -> None:
    paths = statistics.write([statistics.of(BRAINS)], tmp_path)
    assert [path.name for path in paths] == ["statistics.json", "statistics.csv"]
    for path in paths:
        assert "secret-kind" not in path.read_text()
        assert "label" not in path.read_text()


def test_the_files_hold_the_same_numbers(tmp_path: Path) -> None:
    statistics.write([statistics.of(BRAINS)], tmp_path)
    [told] = json.loads((tmp_path / "statistics.json").read_text())
    with (tmp_path / "statistics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 5
    for measured in told["measured"]:
        for group, summary in measured["groups"].items():
            [row] = [r for r in rows if (r["property"], r["group"]) == (measured["property"], group)]
            assert float(row["mean"]) == summary["mean"]
            assert int(row["count"]) == summary["count"]


def test_what_is_not_finite_or_not_known_is_left_out() -> None:
    found = statistics.of(_manifest(_case(0, "training", age=math.nan, fat_mm=3.0), _case(1, "training")))
    assert [measured.property for measured in found.measured] == ["fat_mm"]
    assert found.people["all"] == 1


def test_people_of_whom_nothing_is_known_have_no_statistics() -> None:
    found = statistics.of(_manifest(_case(0, "training")))
    assert (found.people, found.measured, found.counted) == ({"all": 0}, [], [])


def test_a_histogram_has_a_bar_for_every_bin_that_somebody_is_in() -> None:
    age = statistics.of(BRAINS).measured[0]
    assert histogram(age, "h").count("<rect") == sum(count > 0 for count in age.counts) == 4


def test_a_histogram_of_equal_numbers_can_be_drawn() -> None:
    same = _manifest(*(_case(i, "training", age=50.0, fat_mm=float(i)) for i in range(3)))
    assert histogram(statistics.of(same).measured[0], "h").count("<rect") == 1
