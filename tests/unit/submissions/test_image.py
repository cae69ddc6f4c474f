import json
import tarfile
import tracemalloc
from pathlib import Path

import pytest

from submissions.archive import ArchiveLimits, ArchiveRejected
from submissions.contract import Code
from submissions.image import ImageFacts, inspect_archive, rewrite_without_tags
from tests.archives import Image, Member, blob_name, descriptor, digest, save, special, tar

LIMITS = ArchiveLimits(archive=64 << 20, unpacked=64 << 20)
SCRIPT = "/workspace/run_pixel_brain.sh"


def inspect(path: Path, members: list[Member], *look_for: str, compress: bool = False) -> ImageFacts:
    return inspect_archive(
        save(path / "image.tar", members, compress), LIMITS, look_for=look_for or (SCRIPT,)
    )


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("layout", ["docker", "docker 25", "oci"])
@pytest.mark.parametrize("packed", [False, True])
def test_every_layout_is_understood(tmp_path: Path, layout: str, compress: bool, packed: bool) -> None:
    image = Image(compress=packed)
    facts = inspect(tmp_path, members_of(image, layout), compress=compress)
    assert facts.id == image.id
    assert facts.layers == (digest(image.layers[0]),)
    assert facts.unpacked_bytes == len(image.layers[0])
    assert facts.found == {SCRIPT}
    assert (facts.os, facts.architecture) == ("linux", "amd64")
    assert facts.warnings == ()


def members_of(image: Image, layout: str) -> list[Member]:
    if layout == "docker":
        return image.docker()
    if layout == "oci":
        return image.oci()
    listed = {
        "Config": blob_name(image.config),
        "RepoTags": ["a:1"],
        "Layers": [*map(blob_name, image.stored)],
    }
    return [*image.oci(), ("manifest.json", json.dumps([listed]).encode())]


def test_settings_are_reported_and_what_the_platform_changes_is_a_warning(tmp_path: Path) -> None:
    settings = {
        "Env": ["PATH=/bin", "A=b"],
        "Entrypoint": ["python", "x.py"],
        "Volumes": {"/data": {}, "/cache/x": {}},
        "Healthcheck": {"Test": ["CMD", "true"]},
        "User": "participant",
    }
    facts = inspect(tmp_path, Image(settings=settings).docker())
    assert facts.env == ("PATH=/bin", "A=b")
    assert facts.entrypoint == ("python", "x.py")
    assert facts.volumes == ("/data", "/cache/x")
    words = ["ENTRYPOINT", "VOLUME /data", "VOLUME /cache/x", "HEALTHCHECK", "USER"]
    assert [word for word, warning in zip(words, facts.warnings, strict=True) if word in warning] == words


def test_equal_layers_are_saved_as_links_by_docker_and_accepted(tmp_path: Path) -> None:
    first, second = tar(("a", b"1")), tar((SCRIPT[1:], b"2"))
    image = Image(layers=[first, second, first])
    listed = {
        "Config": f"{image.id[7:]}.json",
        "RepoTags": None,
        "Layers": ["x/layer.tar", "y/layer.tar", "z/layer.tar"],
    }
    members: list[Member] = [
        (f"{image.id[7:]}.json", image.config),
        ("x/layer.tar", first),
        ("y/layer.tar", second),
        special("z/layer.tar", tarfile.SYMTYPE, "../x/layer.tar"),
        ("manifest.json", json.dumps([listed]).encode()),
    ]
    assert inspect(tmp_path, members).layers == tuple(map(digest, image.layers))
    rewrite_without_tags(tmp_path / "image.tar", tmp_path / "plain.tar")
    assert inspect_archive(tmp_path / "plain.tar", LIMITS).id == image.id


def test_of_an_archive_for_several_platforms_the_right_image_is_taken(tmp_path: Path) -> None:
    other = Image(layers=[tar(("b", b"1"))], top={"architecture": "arm64"})
    assert inspect(tmp_path, other.oci(Image())).id == Image().id


def test_an_index_may_name_platforms_that_are_not_in_the_archive(tmp_path: Path) -> None:
    image = Image()
    inner = {"manifests": [descriptor(b"absent"), descriptor(image.manifest())]}
    data = json.dumps(inner).encode()
    outer = {"manifests": [descriptor(data), descriptor(data)]}
    members = [*image.blobs(), (blob_name(data), data), ("index.json", json.dumps(outer).encode())]
    assert inspect(tmp_path, members).id == image.id


def test_an_attestation_is_no_image(tmp_path: Path) -> None:
    image, note = Image(), Image(layers=[tar(("c", b""))], top={"architecture": "unknown"})
    marked = descriptor(note.manifest()) | {
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"}
    }
    index = {"manifests": [descriptor(image.manifest()), marked]}
    members = [*image.blobs(), *note.blobs(), ("index.json", json.dumps(index).encode())]
    assert inspect(tmp_path, members).id == image.id


def test_one_image_under_two_tags_is_one_image(tmp_path: Path) -> None:
    image = Image()
    assert inspect(tmp_path, image.docker(tags=("a:1", "b:2"))).id == image.id


def test_another_platform_can_be_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path / "a.tar", Image(top={"architecture": "arm64"}).docker())
    assert inspect_archive(path, LIMITS, platform="linux/arm64").architecture == "arm64"


def test_progress_counts_every_byte_of_the_file(tmp_path: Path) -> None:
    path, seen = save(tmp_path / "a.tar", Image().docker(), compress=True), list[int]()
    inspect_archive(path, LIMITS, progress=seen.append)
    assert sum(seen) == path.stat().st_size


@pytest.mark.parametrize("name", ["n" * 150, "d/" * 60 + "ä" * 90, "ünïcode/x"])
@pytest.mark.parametrize("format", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_long_and_foreign_names_are_read(tmp_path: Path, name: str, format: int) -> None:
    layer = tar((name, b"x"), (SCRIPT[1:], b"x"), format=format)
    facts = inspect(tmp_path, Image(layers=[layer]).docker(), f"/{name}", SCRIPT)
    assert facts.found == {f"/{name}", SCRIPT}


FILE = (SCRIPT[1:], b"echo\n")
FOLDER = special("workspace", tarfile.DIRTYPE)


@pytest.mark.parametrize(
    ("layers", "there"),
    [
        ([[("./" + SCRIPT[1:], b"")]], True),
        ([[FILE], [("other", b"")]], True),
        ([[("other", b"")]], False),
        ([[FILE], [("workspace/.wh.run_pixel_brain.sh", b"")]], False),
        ([[FILE], [(".wh.workspace", b"")]], False),
        ([[FILE], [("workspace/.wh..wh..opq", b"")]], False),
        ([[FILE], [(".wh..wh..opq", b"")]], False),
        ([[FILE], [("workspace/.wh..wh..opq", b""), FILE]], True),
        ([[FILE], [(".wh.workspace", b"")], [FILE]], True),
        ([[FILE], [("workspace", b"now a file")]], False),
        ([[FILE], [FOLDER]], True),
        ([[special(SCRIPT[1:], tarfile.DIRTYPE)]], False),
        ([[special(SCRIPT[1:], tarfile.SYMTYPE, "run.sh"), ("workspace/run.sh", b"")]], True),
        ([[special("workspace", tarfile.SYMTYPE, "app"), ("app/run_pixel_brain.sh", b"")]], True),
        ([[special("workspace", tarfile.SYMTYPE, "/opt/../app"), ("app/run_pixel_brain.sh", b"")]], True),
        ([[special("workspace", tarfile.SYMTYPE, "../../app"), ("app/run_pixel_brain.sh", b"")]], True),
        ([[special("workspace", tarfile.SYMTYPE, "app")]], False),
        ([[special("workspace", tarfile.SYMTYPE, "workspace")]], False),
        ([[FILE], [special("workspace", tarfile.SYMTYPE, "app")]], False),
        ([[("a", b""), special(SCRIPT[1:], tarfile.LNKTYPE, "a")]], True),
    ],
)
def test_a_script_is_found_where_the_layers_leave_it(
    tmp_path: Path, layers: list[list[Member]], there: bool
) -> None:
    facts = inspect(tmp_path, Image(layers=[tar(*layer) for layer in layers]).docker())
    assert (SCRIPT in facts.found) is there


@pytest.mark.parametrize("layout", ["docker", "docker 25", "oci"])
@pytest.mark.parametrize("compress", [False, True])
def test_rewriting_keeps_the_image_and_nothing_else(tmp_path: Path, layout: str, compress: bool) -> None:
    image = Image(layers=[tar(("a", b"1" * 3000)), tar(FILE), tar(("a", b"1" * 3000))], compress=compress)
    source = save(tmp_path / "image.tar", [*members_of(image, layout), ("extra", b"x" * 2000)], compress)
    assert rewrite_without_tags(source, tmp_path / "plain.tar") == image.id
    with tarfile.open(tmp_path / "plain.tar") as archive:
        layers = {f"{digest(layer)[7:]}.tar" for layer in image.layers}
        assert set(archive.getnames()) == {"manifest.json", f"{image.id[7:]}.json"} | layers
        manifest = archive.extractfile("manifest.json")
        assert manifest is not None
        [listed] = json.load(manifest)
    assert listed["RepoTags"] is None
    assert listed["Layers"] == [f"{digest(layer)[7:]}.tar" for layer in image.layers]
    assert inspect_archive(tmp_path / "plain.tar", LIMITS, look_for=[SCRIPT]).found == {SCRIPT}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "plain.tar"]


def test_an_archive_that_lost_a_layer_after_its_inspection_is_not_rewritten(tmp_path: Path) -> None:
    members = [member for member in Image().docker() if "layer.tar" not in str(member[0])]
    with pytest.raises(ArchiveRejected) as caught:
        rewrite_without_tags(save(tmp_path / "a.tar", members), tmp_path / "b.tar")
    assert caught.value.code is Code.ARCHIVE_LAYER_MISSING
    assert not (tmp_path / "b.tar").exists()


def test_an_empty_layer_is_a_layer(tmp_path: Path) -> None:
    assert len(inspect(tmp_path, Image(layers=[bytes(1024), tar(FILE)]).docker()).layers) == 2


def test_a_layer_whose_first_file_looks_like_json_is_a_layer(tmp_path: Path) -> None:
    facts = inspect(tmp_path, Image(layers=[tar(("{x}", b""), FILE)]).docker())
    assert facts.found == {SCRIPT}


def test_memory_does_not_grow_with_the_archive(tmp_path: Path) -> None:
    layer = tar(("zeros", bytes(48 << 20)))
    path = save(tmp_path / "a.tar", Image(layers=[layer], compress=True).docker())
    tracemalloc.start()
    try:
        inspect_archive(path, LIMITS)
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()
