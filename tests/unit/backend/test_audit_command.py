"""`dataset audit` as an operator types it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from backend.cli import app
from tests.unit.datasets.leak_sets import CLEAN, LEAKS, SECRET, Leak, write

runner = CliRunner()


@pytest.mark.parametrize(("leak", "status"), [(CLEAN, 0), (LEAKS["gzip name field"][0], 1)])
def test_an_audit_leaves_its_report_and_ends_with_1_on_a_leak(
    tmp_path: Path, leak: Leak, status: int
) -> None:
    data = write(tmp_path / "scans", seed=5, leak=leak, tests=16, training=2)
    (tmp_path / "secret").write_bytes(SECRET + b"\n")
    command = ["dataset", "audit", str(data), "--rounds", "2000", "--secret-file", str(tmp_path / "secret")]
    result = runner.invoke(app, [*command, "--json"])
    assert result.exit_code == status, result.output
    told = json.loads((data / "audit/audit.json").read_text())
    assert told["passed"] is (status == 0)
    assert json.loads(result.stdout) == told
    assert "<svg" in (data / "audit/audit.html").read_text()


def test_a_folder_that_holds_no_dataset_is_refused_with_a_sentence(tmp_path: Path) -> None:
    result = runner.invoke(app, ["dataset", "audit", str(tmp_path)])
    assert result.exit_code != 0
    assert "dataset build" in f"{result.output}{result.exception}"
