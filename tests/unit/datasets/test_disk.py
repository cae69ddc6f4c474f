import shutil
from collections import namedtuple
from pathlib import Path

import pytest

from challenges.spec import Challenge
from datasets import disk
from datasets.anomalies.kinds import SHIPPED
from datasets.build import build
from tests.unit.datasets.conftest import SECRET, Built, small

Usage = namedtuple("Usage", "total used free")


def test_what_a_dataset_takes_is_less_than_what_was_told_but_not_by_far(built: Built) -> None:
    need = disk.need(built.challenge, SHIPPED, built.out)
    files = sum(path.stat().st_size for path in built.out.rglob("*") if path.is_file())
    assert files <= need.total <= 3 * files
    assert need.there > 0.8 * files


def test_a_disk_with_too_little_room_is_refused_before_anything_is_written(
    demo: Challenge, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10**6, 10**6, 1000))
    with pytest.raises(disk.DiskError, match=r"GB too little\. Name a folder.*or lower `shape`"):
        build(small(demo), SECRET, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_already_is_not_needed_again(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    there = disk.need(built.challenge, SHIPPED, built.out)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, there.total - there.there))
    disk.check(disk.need(built.challenge, SHIPPED, built.out))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(0, 0, there.total - there.there - 1))
    with pytest.raises(disk.DiskError):
        disk.check(disk.need(built.challenge, SHIPPED, built.out))


def test_the_original_challenge_needs_hundreds_of_gigabytes(demo: Challenge, tmp_path: Path) -> None:
    big = demo.datasets["abdom"].model_copy(update={"shape": (512, 512, 512)})
    challenge = demo.model_copy(update={"datasets": {"abdom": big}})
    assert disk.need(challenge, SHIPPED, tmp_path).total == pytest.approx(32 * 2 * 512**3, rel=0.05)
