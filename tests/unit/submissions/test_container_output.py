"""What leaves an output in memory, and which output is chosen."""

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from submissions import loops, output
from submissions.engine import Facts
from submissions.fake_engine import FakeEngine
from submissions.output import LoopOutput, TmpfsOutput, choose_output, copy_flat_files
from tests.unit.submissions.test_container_sandbox import DOCKER, JOB


class Tar:
    """A tar stream in the making."""

    def __init__(self) -> None:
        self._buffer = io.BytesIO()
        self._archive = tarfile.open(fileobj=self._buffer, mode="w")  # noqa: SIM115

    def add(self, name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> "Tar":
        member = tarfile.TarInfo(name)
        member.size, member.type, member.linkname = len(content), kind, link
        self._archive.addfile(member, io.BytesIO(content))
        return self

    def chunks(self, size: int = 1000) -> Iterator[bytes]:
        self._archive.close()
        data = self._buffer.getvalue()
        return (data[start : start + size] for start in range(0, len(data), size))


def copied(tar: Tar, folder: Path, limit: int = 10_000) -> dict[str, bytes]:
    copy_flat_files(tar.chunks(), folder, limit)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_flat_regular_files_are_copied(tmp_path: Path) -> None:
    tar = Tar().add("./", kind=tarfile.DIRTYPE).add("./a.txt", b"0.5").add("./b.nii.gz", b"x" * 5000)

    assert copied(tar, tmp_path) == {"a.txt": b"0.5", "b.nii.gz": b"x" * 5000}


@pytest.mark.parametrize(
    "name", ["../up", "/etc/passwd", "folder/in", "./folder/in", "..", "new\nline", "back\\slash", "\udcff"]
)
def test_names_that_are_not_plain_stay_behind(tmp_path: Path, name: str) -> None:
    (tmp_path / "inner").mkdir()

    assert copied(Tar().add(name, b"1").add("./good", b"2"), tmp_path / "inner") == {"good": b"2"}
    assert {path.name for path in tmp_path.iterdir()} == {"inner"}


@pytest.mark.parametrize(
    "kind",
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.DIRTYPE],
)
def test_what_is_no_file_stays_behind(tmp_path: Path, kind: bytes) -> None:
    tar = Tar().add("./good", b"2").add("./bad", kind=kind, link="/etc/passwd")

    assert copied(tar, tmp_path) == {"good": b"2"}


def test_files_are_copied_up_to_the_limit_in_all(tmp_path: Path) -> None:
    tar = Tar().add("./a", b"1" * 600).add("./too large", b"2" * 600).add("./c", b"3" * 400)

    assert copied(tar, tmp_path, limit=1000) == {"a": b"1" * 600, "c": b"3" * 400}


def test_a_name_that_comes_twice_keeps_its_first_content(tmp_path: Path) -> None:
    assert copied(Tar().add("./a", b"1").add("./a", b"2"), tmp_path) == {"a": b"1"}


def test_a_stream_that_never_ends_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "_STREAM_ROOM", 10_000)
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        header = tarfile.TarInfo("./sparse")
        header.size = 1 << 40
        yield header.tobuf()
        while True:
            taken += 1000
            yield bytes(1000)

    copy_flat_files(endless(), tmp_path, 5000)

    assert taken <= 25_000
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_stream_gives_what_came_before(tmp_path: Path) -> None:
    whole = b"".join(Tar().add("./a", b"1").add("./b", b"2" * 2000).chunks())

    copy_flat_files([whole[:2000]], tmp_path, 10_000)

    assert (tmp_path / "a").read_bytes() == b"1"


class Elsewhere(FakeEngine):
    def facts(self) -> Facts:
        return DOCKER


def test_without_loop_devices_memory_is_used_and_announced_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(loops, "missing", lambda: "root is needed for an exact limit")

    chosen = choose_output(FakeEngine(), JOB, tmp_path, said.append)

    assert isinstance(chosen, TmpfsOutput)
    assert chosen.extra_memory == JOB.output_bytes
    assert said == [
        "Output limit: 3 MB of memory instead of an exact file system (root is needed for an exact limit)."
    ]


def test_an_engine_on_another_machine_cannot_mount_our_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(loops, "missing", lambda: None)

    assert isinstance(choose_output(Elsewhere(), JOB, tmp_path, said.append), TmpfsOutput)
    assert "another machine" in said[0]


def test_with_loop_devices_the_output_is_exact_and_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(loops, "missing", lambda: None)
    monkeypatch.setattr(loops, "kernel", lambda: DOCKER.kernel)

    assert isinstance(choose_output(Elsewhere(), JOB, tmp_path, said.append), LoopOutput)
    assert said == []
