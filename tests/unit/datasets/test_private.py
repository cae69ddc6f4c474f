import shutil
from pathlib import Path

import pytest

from challenges.spec import Challenge
from datasets import plan
from datasets.anomalies import private
from datasets.anomalies.kinds import LOCAL, SHIPPED, known
from datasets.anomalies.private import PrivateKindError
from datasets.build import build
from tests.unit.datasets.conftest import SECRET, small

SQUARE = '''
"""A kind that nobody has seen."""

from dataclasses import dataclass
from typing import ClassVar

from datasets.anomalies.scene import place


@dataclass(frozen=True)
class Slab:
    name: ClassVar[str] = "secret-slab"
    category: ClassVar[str] = "local"
    group: ClassVar[str] = "corruptions"
    populations: ClassVar[tuple[str, ...]] = ("abdomen",)
    needs_donor: ClassVar[bool] = False
    centre: tuple[int, int, int]

    @classmethod
    def draw(cls, rng, scene, difficulty):
        return cls(place(rng, scene.subject.foreground, 3))

    def apply(self, scene):
        image = scene.subject.image.copy()
        x, y, z = self.centre
        image[max(x - 3, 0) : x + 3, max(y - 3, 0) : y + 3, z : z + 2] += 0.4
        return image
'''


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "kinds"
    made.mkdir()
    (made / "slab.py").write_text(SQUARE)
    (made / "_notes.py").write_text("this is not Python")
    return made


def _abdomen_only(demo: Challenge, local: list[str]) -> Challenge:
    dataset = small(demo).datasets["abdom"]
    cases = dataset.cases.model_copy(update={"test": {"sample": 4, "pixel": 4}, "toy_abnormal": 1})
    changed = dataset.model_copy(update={"anomalies": {"local": local}, "cases": cases})
    return demo.model_copy(update={"datasets": {"abdom": changed}})


def test_a_kind_from_a_private_folder_stands_beside_those_that_ship(folder: Path) -> None:
    kinds = known(folder)
    assert set(kinds.local) == {*LOCAL, "secret-slab"}
    assert "secret-slab" in kinds.suiting("local", "abdomen")
    assert "secret-slab" not in kinds.suiting("local", "brain")
    assert "secret-slab" in kinds.chosen("local", "abdomen", ["all"])
    assert known(None) is SHIPPED
    assert "secret-slab" not in LOCAL


@pytest.mark.parametrize("workers", [1, 2])
def test_a_dataset_is_built_with_a_private_kind(
    demo: Challenge, folder: Path, tmp_path: Path, workers: int
) -> None:
    challenge = _abdomen_only(demo, ["secret-slab"])
    with pytest.raises(plan.PlanError, match="'secret-slab' does not exist"):
        build(challenge, SECRET, tmp_path / "out")
    built = build(challenge, SECRET, tmp_path / "out", workers=workers, private=folder)["abdom"]
    abnormal = [case for case in built.cases_of("test") if case.label]
    assert {case.kind for case in abnormal} == {"secret-slab"}
    assert all(case.mask and case.parameters["attempts"] >= 1 for case in abnormal)


def test_other_private_files_make_another_digest_wherever_they_lie(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder, tmp_path / "copy")
    assert private.digest(tmp_path / "copy") == private.digest(folder)
    (tmp_path / "copy" / "slab.py").write_text(SQUARE.replace("0.4", "0.5"))
    assert private.digest(tmp_path / "copy") != private.digest(folder)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def (", r"kind\.py: cannot be imported: SyntaxError"),
        ("import nothing_like_that", r"kind\.py: cannot be imported: ModuleNotFoundError.*nothing_like_that"),
        ("x = 1 / 0", r"kind\.py: cannot be imported: ZeroDivisionError"),
        ("x = 1", r"kind\.py: defines no kind"),
        (SQUARE.replace("@dataclass(frozen=True)\n", ""), r"kind\.py: Slab is no dataclass"),
        (SQUARE.replace("needs_donor: ", "other: "), r"kind\.py: Slab lacks needs_donor"),
        (SQUARE.replace('"corruptions"', '"horrors"'), r"secret-slab\.group is 'horrors'; choose from"),
        (SQUARE.replace('"local"', '"near"'), r"secret-slab\.category is 'near'; choose from"),
        (SQUARE.replace('("abdomen",)', '("knee",)'), r"populations names \['knee'\]; choose from"),
        (SQUARE.replace('"secret-slab"', '"Secret Slab"'), r"the name 'Secret Slab' is not like"),
        (SQUARE.replace('"secret-slab"', '"sphere"'), r"a local kind named 'sphere' exists already"),
    ],
)
def test_a_file_that_defines_no_usable_kind_is_named_with_the_reason(
    tmp_path: Path, text: str, message: str
) -> None:
    (tmp_path / "kind.py").write_text(text)
    with pytest.raises(PrivateKindError, match=message):
        known(tmp_path)


def test_a_folder_that_is_missing_or_empty_is_named(tmp_path: Path) -> None:
    with pytest.raises(PrivateKindError, match=r"nowhere: there is no such folder"):
        known(tmp_path / "nowhere")
    with pytest.raises(PrivateKindError, match=r"no Python file in it defines a kind"):
        known(tmp_path)
