import gzip
from itertools import permutations, product
from pathlib import Path

import nibabel
import numpy as np
import pytest
from fastapi.testclient import TestClient
from nibabel.orientations import apply_orientation, axcodes2ornt, io_orientation, ornt_transform
from numpy.typing import NDArray

from backend.errors import NotFound
from backend.models.submission import Submission
from backend.models.user import User
from backend.results import pictures, volumes
from backend.results.toy_files import ToyFiles
from datasets.volume import write_scan
from tests.unit.backend.world import SIDE, World

SPACING = (1.0, 2.0, 3.0)  # millimetres to the right, anterior and superior
AXES = ["".join(ends) for order in permutations(["LR", "PA", "IS"]) for ends in product(*order)]


def volume() -> NDArray[np.uint8]:
    """(5, 6, 7) in RAS, every voxel different from the others."""
    return np.arange(5 * 6 * 7, dtype=np.uint8).reshape(5, 6, 7)


def stored(path: Path, data: NDArray[np.generic], axes: str) -> Path:
    """RAS data written with its axes as `axes` says."""
    image = nibabel.Nifti1Image(data, np.diag([*SPACING, 1.0]))
    turned = image.as_reoriented(ornt_transform(io_orientation(image.affine), axcodes2ornt(axes)))
    path.write_bytes(turned.to_bytes())
    return path


@pytest.mark.parametrize("axes", AXES)
def test_however_a_file_is_stored_it_is_seen_right_anterior_superior(tmp_path: Path, axes: str) -> None:
    scan = stored(tmp_path / "scan", volume(), axes)
    grid = volumes.grid_of(scan)
    assert grid.shape == (5, 6, 7)
    assert grid.spacing_mm == SPACING
    assert grid.stored == axes
    assert np.array_equal(volumes.levels(scan, scan), volume())


def test_a_map_without_orientation_is_turned_as_its_scan(tmp_path: Path) -> None:
    scan = stored(tmp_path / "scan", volume(), "LPS")
    in_file = apply_orientation(volume(), axcodes2ornt("LPS"))
    heat = tmp_path / "map"
    heat.write_bytes(gzip.compress(nibabel.Nifti1Image(np.asarray(in_file), np.eye(4)).to_bytes()))
    assert np.array_equal(volumes.levels(heat, scan), volume())


def test_a_file_with_a_flat_affine_is_shown_as_it_is_stored(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(volume(), None)
    image.header.set_sform(np.zeros((4, 4)), code=1)
    (tmp_path / "scan").write_bytes(image.to_bytes())
    assert volumes.grid_of(tmp_path / "scan").shape == (5, 6, 7)
    assert np.array_equal(volumes.levels(tmp_path / "scan", tmp_path / "scan"), volume())


def test_values_become_the_nearest_of_256_levels(tmp_path: Path) -> None:
    values = np.array([0, 0.0019, 0.0021, 0.5, 1, 7, -3, np.nan], np.float32).reshape(2, 2, 2)
    scan = stored(tmp_path / "scan", values, "RAS")
    assert volumes.levels(scan, scan).ravel().tolist() == [0, 0, 1, 128, 255, 255, 0, 0]


def test_a_scan_of_more_slices_than_are_converted_at_a_time_is_whole(tmp_path: Path) -> None:
    shape = (4, 3, 2 * volumes.SLAB + 5)
    values = (np.random.default_rng(3).integers(0, 4097, shape) / 4096).astype(np.float32)
    write_scan(tmp_path / "scan", values, SPACING)
    found = volumes.levels(tmp_path / "scan", tmp_path / "scan")
    assert np.array_equal(found, np.rint(values * 255).astype(np.uint8))
    assert volumes.grid_of(tmp_path / "scan").spacing_mm == SPACING


def test_the_hottest_slices_have_the_highest_mean(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    heat = rng.integers(0, 256, (7, 5, 6)).astype(np.uint8)
    files = ToyFiles(
        image=stored(tmp_path / "scan", heat, "RAS"),
        mask=None,
        anomaly_map=stored(tmp_path / "map", heat, "RAS"),
    )
    means = [heat.mean(axis=others) for others in ((1, 2), (0, 2), (0, 1))]
    assert volumes.hottest(files) == tuple(int(np.argmax(mean)) for mean in means)
    assert volumes.hottest(ToyFiles(files.image, None, None)) == (3, 2, 3)
    with pytest.raises(NotFound):
        volumes.packed(ToyFiles(files.image, None, None), "mask", tmp_path)


def test_pictures_are_turned_as_volumes_are(tmp_path: Path) -> None:
    plain, turned = (ToyFiles(stored(tmp_path / axes, volume(), axes), None, None) for axes in ("RAS", "PIR"))
    for axis, count in enumerate((5, 6, 7)):
        assert pictures.slice_index(turned, axis, pictures.HOTTEST) == (count // 2, count)
        assert pictures.picture(turned, axis, 1, "image") == pictures.picture(plain, axis, 1, "image")


def address(toy: Submission, layer: str, case: str = "pixel/brain/toy_1.nii.gz") -> str:
    return f"/api/v1/submissions/{toy.id}/toy/{case}/volumes/{layer}"


def grey(content: bytes) -> NDArray[np.uint8]:
    """(z, y, x)"""
    return np.frombuffer(content, np.uint8).reshape(SIDE, SIDE, SIDE)


@pytest.mark.parametrize("packing", ["gzip, br", "identity"])
def test_a_volume_comes_as_bytes_that_its_headers_explain(
    client: TestClient, world: World, ada: User, toy: Submission, packing: str
) -> None:
    headers = world.token(ada) | {"Accept-Encoding": packing}
    shown = {name: client.get(address(toy, name), headers=headers) for name in volumes.LAYERS}
    heat, mask, scan = (grey(shown[name].content) for name in ("map", "mask", "image"))
    assert np.array_equal(heat, 255 * mask)
    assert mask[10:13, 5:9, 9:13].all()
    assert mask.sum() == 3 * 4 * 4
    assert scan[mask > 0].min() >= round(0.6 * 255) > scan[mask == 0].max()
    for answer in shown.values():
        assert answer.headers.get("Content-Encoding") == ("gzip" if "gzip" in packing else None)
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["Cache-Control"] == "private, no-cache"
        assert answer.headers["X-Shape"] == f"{SIDE},{SIDE},{SIDE}"
        assert answer.headers["X-Spacing"] == "1.0,1.0,1.0"
        assert answer.headers["X-Stored-Orientation"] == "RAS"
        assert "Transfer-Encoding" not in answer.headers


def test_a_volume_is_packed_once_and_its_length_is_told(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    lengths = {}
    for packing in ("gzip", "identity"):
        headers = world.token(ada) | {"Accept-Encoding": packing}
        with client.stream("GET", address(toy, "image"), headers=headers) as answer:
            raw = b"".join(answer.iter_raw())
        assert int(answer.headers["Content-Length"]) == len(raw)
        lengths[packing] = len(gzip.decompress(raw) if packing == "gzip" else raw)
    assert lengths == {"gzip": SIDE**3, "identity": SIDE**3}


def test_a_volume_that_a_browser_has_is_not_sent_again(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    headers = world.token(ada)
    first = client.get(address(toy, "map"), headers=headers)
    again = client.get(address(toy, "map"), headers=headers | {"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["ETag"] == first.headers["ETag"]
    plain = client.get(address(toy, "map"), headers=headers | {"Accept-Encoding": "identity"})
    tags = {first.headers["ETag"], plain.headers["ETag"]}
    tags |= {client.get(address(toy, name), headers=headers).headers["ETag"] for name in ("image", "mask")}
    assert len(tags) == 4
    eve = world.token(world.person("eve")) | {"If-None-Match": first.headers["ETag"]}
    assert client.get(address(toy, "map"), headers=eve).status_code == 404
    nobody = {"If-None-Match": first.headers["ETag"]}
    assert client.get(address(toy, "map"), headers=nobody).status_code == 401


def test_a_scan_is_converted_once_and_kept(
    client: TestClient, world: World, ada: User, toy: Submission
) -> None:
    headers = world.token(ada)
    first = client.get(address(toy, "image"), headers=headers)
    (kept,) = world.platform.storage.scratch("views").iterdir()
    assert gzip.decompress(kept.read_bytes()) == first.content
    volumes.levels.cache_clear()
    assert client.get(address(toy, "image"), headers=headers).content == first.content
    assert volumes.levels.cache_info().misses == 0


@pytest.mark.parametrize(
    ("layer", "case", "status"),
    [
        ("overlay", "pixel/brain/toy_1.nii.gz", 422),
        ("map", "sample/abdom/toy_1.nii.gz", 404),
        ("image", "pixel/abdom/toy_1.nii.gz", 404),
        ("image", "pixel/brain/secret1brain.nii.gz", 404),
        ("image", "pixel/brain/hidden1brain", 404),
        ("image", "pixel/brain/..%2F..%2Fetc%2Fpasswd", 404),
    ],
)
def test_there_are_volumes_of_the_own_toy_cases_only(
    client: TestClient, world: World, ada: User, toy: Submission, layer: str, case: str, status: int
) -> None:
    world.set(toy, kind="counted", task="pixel")
    world.hidden_shard(toy, 1)
    assert client.get(address(toy, layer, case), headers=world.token(ada)).status_code == status
