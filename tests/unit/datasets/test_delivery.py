"""What a container gets: the same volume in a file of one size, for readers of every strictness."""

import gzip
import subprocess
import zlib
from pathlib import Path

import nibabel
import numpy as np
import pytest
from isal import igzip

from datasets import volume
from datasets.delivery import BLOCK, deliver, delivered_size

SHAPE = (24, 25, 26)


@pytest.fixture
def scans(tmp_path: Path) -> list[Path]:
    """A noisy scan and an almost empty one, whose compressed sizes differ by far."""
    noisy = np.random.default_rng(0).random(SHAPE, dtype=np.float32)
    paths = [tmp_path / f"{name}.nii.gz" for name in ("noisy", "empty")]
    for path, data in zip(paths, (noisy, np.where(noisy > 0.999, noisy, 0)), strict=True):
        volume.write(path, data, (1, 1, 1), np.float32)
    return paths


def _delivered(source: Path) -> Path:
    target = source.with_name("delivered-" + source.name)
    deliver(source, target, source.with_name("scratch"))
    return target


def test_scans_of_any_content_are_delivered_at_one_size(scans: list[Path]) -> None:
    at_rest = [path.stat().st_size for path in scans]
    assert at_rest[0] > 10 * at_rest[1]
    plain = len(gzip.decompress(scans[0].read_bytes()))
    assert [_delivered(path).stat().st_size for path in scans] == [delivered_size(plain)] * 2


def test_a_delivered_file_has_one_time_and_mode_and_is_no_link_to_the_blob(scans: list[Path]) -> None:
    stats = [_delivered(path).stat() for path in scans]
    assert {(stat.st_mode & 0o777, stat.st_mtime, stat.st_atime, stat.st_nlink) for stat in stats} == {
        (0o444, 0.0, 0.0, 1)
    }
    assert not {stat.st_ino for stat in stats} & {path.stat().st_ino for path in scans}


def test_the_first_bytes_of_delivered_files_are_the_same_whatever_gzip_wrote_before(
    scans: list[Path],
) -> None:
    content = gzip.decompress(scans[0].read_bytes())
    named = scans[0].with_name("named.nii.gz")
    with named.open("wb") as file, gzip.GzipFile("abnormal.nii", "wb", 9, file, mtime=12345) as stream:
        stream.write(content)
    assert b"abnormal" in named.read_bytes()
    assert _delivered(named).read_bytes() == _delivered(scans[0]).read_bytes()


def test_every_reader_gets_the_same_content(scans: list[Path]) -> None:
    for path in scans:
        content = gzip.decompress(path.read_bytes())
        made = _delivered(path)
        stored = made.read_bytes()
        assert gzip.decompress(stored) == content
        strict = zlib.decompressobj(wbits=31)
        assert strict.decompress(stored) + strict.flush() == content
        assert (strict.eof, strict.unused_data) == (True, b"")
        assert igzip.decompress(stored) == content
        expected = nibabel.load(path)
        assert np.array_equal(nibabel.load(made).get_fdata(), expected.get_fdata())
        assert np.array_equal(volume.read(made).data, volume.read(path).data)


def test_the_program_gzip_finds_nothing_wrong(scans: list[Path]) -> None:
    for path in scans:
        done = subprocess.run(["gzip", "-tv", _delivered(path)], capture_output=True, check=True)
        assert b"OK" in done.stderr


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_the_size_is_known_before_and_a_plain_file_is_delivered_alike(tmp_path: Path, size: int) -> None:
    content = np.random.default_rng(size).bytes(size)
    for name, stored in (("plain", content), ("packed", gzip.compress(content))):
        (tmp_path / name).write_bytes(stored)
        made = _delivered(tmp_path / name).read_bytes()
        assert gzip.decompress(made) == content
        assert len(made) == delivered_size(size)


def test_a_damaged_source_leaves_nothing_behind(scans: list[Path]) -> None:
    scans[0].write_bytes(scans[0].read_bytes()[:-9])
    with pytest.raises(EOFError):
        _delivered(scans[0])
    assert sorted(path.name for path in scans[0].parent.iterdir()) == ["empty.nii.gz", "noisy.nii.gz"]
