"""The leak gate on cheap sets: nothing where nothing is, and what is planted."""

import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from datasets import manifest
from datasets.leaks import report
from datasets.leaks.audit import AuditError, audit
from datasets.leaks.findings import AuditReport
from datasets.seeds import Seeds
from tests.unit.datasets.leak_sets import LEAKS, SECRET, write

ROUNDS = 2000
QUICK = ("kept dtype", "sorted names", "one subject twice", "seed in the header", "header scaling")


def audited(folder: Path, secret: bytes | None = SECRET) -> AuditReport:
    return audit(folder, secret, np.random.default_rng(0), rounds=ROUNDS)


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, AuditReport]:
    folder = write(tmp_path_factory.mktemp("clean"), seed=0, tests=30, training=3)
    return folder, audited(folder)


def _names(found: AuditReport) -> set[str]:
    return {one.name for one in found.leaks}


def test_a_set_without_leaks_passes(clean: tuple[Path, AuditReport]) -> None:
    assert clean[1].leaks == []
    assert clean[1].cases == {"field": 30}


def test_a_report_says_what_was_tried(clean: tuple[Path, AuditReport]) -> None:
    tried = {one.name: one for one in clean[1].findings}
    for name in ("headers", "gzip headers", "delivered sizes", "writers", "order of names", "maximum",
                 "metadata together", "exact zeros", "saturated voxels", "gaps in the histogram",
                 "one subject twice", "noise continuity, all local kinds", "patch seams, blob",
                 "traces of the secret", "kind by extent of the body"):  # fmt: skip
        assert tried[name].verdict == "ok", name
    assert tried["headers"].p is None
    gated = [one for one in clean[1].findings if one.p_holm is not None]
    assert all(one.p is not None and one.p <= one.p_holm <= 1 for one in gated)


def test_a_report_states_what_any_method_has_to_beat(clean: tuple[Path, AuditReport]) -> None:
    lines = {(one.level, one.score): one for one in clean[1].baselines}
    for score in (("case", "metadata, linear"), ("case", "intensity"), ("case", "flatness"),
                  ("voxel", "intensity"), ("voxel", "flatness")):  # fmt: skip
        assert 0 < lines[score].average_precision <= 1
    assert lines["case", "intensity"].prevalence == 0.5
    assert lines["voxel", "intensity"].prevalence < 0.05


def test_the_written_report_is_json_and_a_page_with_a_figure(
    clean: tuple[Path, AuditReport], tmp_path: Path
) -> None:
    told, page = report.write(clean[1], tmp_path)
    read = json.loads(told.read_text())
    assert read["passed"] is True
    assert len(read["findings"]) == len(clean[1].findings)
    section = ElementTree.fromstring(report.section(clean[1]))
    dots = section.findall(".//{http://www.w3.org/2000/svg}circle")
    assert len(dots) == sum(one.auc is not None for one in clean[1].findings)
    assert "No leak" in page.read_text()


def test_the_same_seed_gives_the_same_report(clean: tuple[Path, AuditReport]) -> None:
    assert audited(clean[0]) == clean[1]


def test_without_the_secret_the_report_says_that_it_was_not_looked_for(
    clean: tuple[Path, AuditReport],
) -> None:
    found = {one.name: one for one in audited(clean[0], None).findings}
    assert found["traces of the secret"].verdict == "note"


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_leak_of_metadata_or_identity_is_found(tmp_path: Path, name: str) -> None:
    leak, expected = LEAKS[name]
    assert set(expected) <= _names(audited(write(tmp_path, 1, leak, tests=24, training=2)))


def test_a_series_may_show_one_person_and_other_analysis_sets_may_not(tmp_path: Path) -> None:
    series, proxy = (
        write(tmp_path / name, 4, tests=8, training=12, analysis=(name, 3))
        for name in ("size-series", "proxy")
    )
    assert "one subject twice" not in _names(audited(series))
    (found,) = [one for one in audited(proxy).leaks if one.name == "one subject twice"]
    assert "3 pairs" in found.sentence


def test_a_derived_seed_beside_the_scans_is_found(tmp_path: Path) -> None:
    write(tmp_path, 2, tests=8, training=0)
    described = manifest.read(tmp_path / "field/manifest.json")
    purpose = ("generator", "cheap", "field", described.cases[3].id, "anomaly")
    digest = Seeds(SECRET).digest(*purpose)
    (tmp_path / "field/log.txt").write_text(f"seed {int.from_bytes(digest, 'big')}")
    (one,) = [one for one in audited(tmp_path).leaks if one.name == "traces of the secret"]
    assert "the seed for anomaly (decimal) is in log.txt" in one.sentence


def test_a_folder_without_datasets_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AuditError, match="dataset build"):
        audited(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in LEAKS if name not in QUICK])
def test_every_planted_leak_is_found(tmp_path: Path, name: str) -> None:
    leak, expected = LEAKS[name]
    assert set(expected) <= _names(audited(write(tmp_path, 3, leak)))


@pytest.mark.slow
def test_sets_without_leaks_raise_no_more_alarms_than_allowed(tmp_path: Path) -> None:
    """With 12 sets, 4 or more alarms at 5 % each would be less likely than 1 in 500."""
    alarms = [bool(audited(write(tmp_path / str(seed), seed, tests=60)).leaks) for seed in range(100, 112)]
    assert sum(alarms) < 4
