import importlib.util
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from challenges.spec import load
from datasets.make import Job
from datasets.seeds import Seeds

ROOT = Path(__file__).parents[2]
SECRET = b"0123456789abcdef"


@pytest.fixture
def demo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """`setup/demo.py` with a folder of its own."""
    monkeypatch.setenv("MOODARENA_DEMO_DATA", str(tmp_path))
    found = importlib.util.spec_from_file_location("demo_script", ROOT / "setup" / "demo.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    yield module
    sys.modules.pop("demo_script", None)


def test_scans_of_another_version_are_built_anew_and_those_of_this_one_kept(
    demo: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    challenge, secret = load(ROOT / "challenges" / "demo.yaml"), tmp_path / "secret"
    secret.write_bytes(SECRET + b"\n")
    for name in ("brain", "abdom"):
        folder = tmp_path / "scans" / name
        folder.mkdir(parents=True)
        version = Job(challenge, name, Seeds(SECRET), folder).version if name == "brain" else "older"
        described = {"challenge": "demo", "dataset": name, "version": version, "shape": [64, 64, 64]}
        text = json.dumps({**described, "cases": [], "arrangements": {}})
        (folder / "manifest.json").write_text(text)
    demo._forget_other_scans(challenge, secret)
    assert [path.name for path in (tmp_path / "scans").iterdir()] == ["brain"]
    assert "built anew" in capsys.readouterr().out.replace("\n", " ")


def test_a_step_that_fails_ends_the_demo_in_a_sentence(demo: ModuleType) -> None:
    with pytest.raises(SystemExit, match="python -m backend nonsense") as ended:
        demo._run("backend", "nonsense")
    assert ended.value.code != 0
