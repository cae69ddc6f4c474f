from pathlib import Path

import pytest

from challenges.spec import load
from datasets import origin
from datasets.origin import OriginError
from tests.unit.datasets.conftest import CHALLENGES


@pytest.mark.parametrize("name", ["demo", "demo-data", "mood"])
@pytest.mark.parametrize("private", [None, Path("kinds")])
def test_a_challenge_is_read_back_as_it_was(tmp_path: Path, name: str, private: Path | None) -> None:
    challenge = load(CHALLENGES / f"{name}.yaml")
    origin.keep(tmp_path, challenge, private)
    found = origin.read(tmp_path)
    assert found is not None
    assert found.challenge == challenge
    assert found.anomaly_path == (private and private.absolute())


def test_a_folder_may_tell_nothing(tmp_path: Path) -> None:
    assert origin.read(tmp_path) is None


def test_a_damaged_file_is_refused_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / origin.NAME).write_text("[]")
    with pytest.raises(OriginError, match="run the build again"):
        origin.read(tmp_path)
