"""What a real engine saves is accepted, and what is rewritten is loaded by a real engine, without a name."""

import json
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from submissions.archive import ArchiveLimits, ArchiveRejected
from submissions.contract import Code
from submissions.image import inspect_archive, rewrite_without_tags
from tests.archives import Image, Member, digest, save, tar

LIMITS = ArchiveLimits(archive=1 << 30, unpacked=1 << 30)
SCRIPT = "/workspace/run_sample_abdom.sh"


class Shelf:
    """Loads archives and removes what it loaded."""

    def __init__(self, engine: docker.DockerClient) -> None:
        self.engine = engine
        self.ids: set[str] = set()

    def load(self, path: Path) -> tuple[str, list[str]]:
        """Id and tags of the image in an archive."""
        with path.open("rb") as file:
            [image] = self.engine.images.load(file)
        self.ids.add(image.id)
        return image.id, image.tags

    def make(self, tag: str = "") -> str:
        """An image that no other test has; its id."""
        changes = ['ENTRYPOINT ["x"]', "ENV A=b", f"LABEL one={uuid.uuid4()}"]
        answer = self.engine.api.import_image_from_data(layer(), changes=changes)
        image_id = str(json.loads(answer.splitlines()[-1])["status"])
        self.ids.add(image_id)
        if tag:
            self.engine.images.get(image_id).tag(*tag.split(":"))
        return image_id

    def remove(self) -> None:
        for image_id in self.ids:
            self.engine.images.remove(image_id, force=True)


@pytest.fixture
def shelf(engine: docker.DockerClient) -> Iterator[Shelf]:
    shelf = Shelf(engine)
    yield shelf
    shelf.remove()


def layer(*members: Member) -> bytes:
    return tar((SCRIPT[1:], b"exit 0\n"), (f"only/{uuid.uuid4()}", b""), *members)


@pytest.mark.parametrize("tag", ["", f"moodarena-test-{uuid.uuid4().hex[:8]}:1"], ids=["untagged", "tagged"])
def test_what_the_engine_saves_is_loaded_again_as_the_same_image_without_its_name(
    shelf: Shelf, tmp_path: Path, tag: str
) -> None:
    image_id = shelf.make(tag)
    saved = tmp_path / "image.tar"
    saved.write_bytes(b"".join(shelf.engine.images.get(image_id).save(named=bool(tag))))
    facts = inspect_archive(saved, LIMITS, look_for=[SCRIPT])
    assert (facts.id, facts.entrypoint, facts.env) == (image_id, ("x",), ("A=b",))
    assert facts.found == {SCRIPT}
    assert rewrite_without_tags(saved, tmp_path / "plain.tar") == image_id
    shelf.engine.images.remove(image_id, force=True)
    assert shelf.load(tmp_path / "plain.tar") == (image_id, [])


@pytest.mark.parametrize("layout", [Image.docker, Image.oci])
@pytest.mark.parametrize("compress", [False, True])
def test_every_layout_is_loaded_under_the_id_that_was_inspected(
    shelf: Shelf, tmp_path: Path, layout: Callable[[Image], list[Member]], compress: bool
) -> None:
    lowest = layer()
    image = Image(layers=[lowest, layer(), lowest], compress=compress)
    source = save(tmp_path / "image.tar", layout(image), compress)
    facts = inspect_archive(source, LIMITS)
    rewrite_without_tags(source, tmp_path / "plain.tar")
    assert shelf.load(tmp_path / "plain.tar") == (facts.id, [])
    loaded = shelf.engine.api.inspect_image(facts.id)
    assert tuple(loaded["RootFS"]["Layers"]) == facts.layers == tuple(map(digest, image.layers))


def test_an_archive_cannot_take_over_the_tag_of_another_image(shelf: Shelf, tmp_path: Path) -> None:
    tag = f"moodarena-test-{uuid.uuid4().hex[:8]}:1"
    theirs = shelf.make(tag)
    source = save(tmp_path / "image.tar", Image(layers=[layer()]).docker(tags=(tag,)))
    rewrite_without_tags(source, tmp_path / "plain.tar")
    mine, tags = shelf.load(tmp_path / "plain.tar")
    assert mine != theirs
    assert tags == []
    assert shelf.engine.images.get(tag).id == theirs


def test_a_layer_that_only_the_engine_has_is_not_lent_to_an_archive(shelf: Shelf, tmp_path: Path) -> None:
    theirs = shelf.make()
    [secret] = shelf.engine.api.inspect_image(theirs)["RootFS"]["Layers"]
    image = Image(top={"rootfs": {"type": "layers", "diff_ids": [secret]}})
    members = [member for member in image.docker() if "layer.tar" not in str(member[0])]
    with pytest.raises(ArchiveRejected) as caught:
        inspect_archive(save(tmp_path / "image.tar", members), LIMITS)
    assert caught.value.code is Code.ARCHIVE_LAYER_MISSING


def test_an_exported_container_is_told_apart_from_a_saved_image(shelf: Shelf, tmp_path: Path) -> None:
    container = shelf.engine.containers.create(shelf.make(), network_mode="none")
    try:
        (tmp_path / "image.tar").write_bytes(b"".join(container.export()))
    finally:
        container.remove()
    with pytest.raises(ArchiveRejected) as caught:
        inspect_archive(tmp_path / "image.tar", LIMITS)
    assert caught.value.code is Code.ARCHIVE_NO_IMAGE
