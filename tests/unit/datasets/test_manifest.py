from pathlib import Path
from typing import Any

import pytest

from datasets import manifest
from datasets.manifest import Case, File, Manifest


def _case(identity: str, **changes: Any) -> Case:
    fields: dict[str, Any] = {
        "id": identity,
        "part": "test",
        "name": f"{identity}.nii.gz",
        "tasks": ("sample", "pixel"),
        "label": 1,
        "image": File(path=f"test/{identity}.nii.gz", sha256="0" * 64, size=5),
        "mask": None,
        "kind": "sphere",
        "category": "local",
        "parameters": {"centre": [1, 2, 3], "radius": 2.5},
    }
    return Case(**(fields | changes))


def _manifest(*cases: Case) -> Manifest:
    return Manifest(
        challenge="demo",
        dataset="brain",
        version="v",
        shape=(4, 5, 6),
        cases=cases,
        arrangements={"pixel": [[["a"], ["b"]], [["b"], ["a"]]]},
    )


def test_a_manifest_survives_writing_and_reading(tmp_path: Path) -> None:
    written = _manifest(_case("a"), _case("b", label=0, kind=None, category=None, parameters={}))
    manifest.write(written, tmp_path / "manifest.json")
    assert manifest.read(tmp_path / "manifest.json") == written


def test_cases_are_chosen_by_part_and_task() -> None:
    described = _manifest(_case("a"), _case("b", tasks=("sample",)), _case("c", part="training", tasks=()))
    assert [case.id for case in described.cases_of("test")] == ["a", "b"]
    assert [case.id for case in described.cases_of("test", "pixel")] == ["a"]
    assert [case.id for case in described.cases_of("training")] == ["c"]
    assert described.cases_of("training", "pixel") == []


def test_a_missing_manifest_says_to_build_first(tmp_path: Path) -> None:
    with pytest.raises(manifest.ManifestError, match="build the dataset first"):
        manifest.read(tmp_path / "manifest.json")


@pytest.mark.parametrize("content", ["", "{}", '{"format": 2}', "[1]"])
def test_a_damaged_manifest_is_an_error_that_names_the_file(tmp_path: Path, content: str) -> None:
    (tmp_path / "manifest.json").write_text(content)
    with pytest.raises(manifest.ManifestError, match=r"manifest\.json"):
        manifest.read(tmp_path / "manifest.json")
