"""Archives made to harm or to deceive: each is rejected for a reason of its own, fast, in little memory."""

import gzip
import json
import lzma
import tarfile
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from submissions.archive import ArchiveLimits, ArchiveRejected
from submissions.contract import Code
from submissions.image import inspect_archive
from tests.archives import Image, Member, blob_name, descriptor, digest, save, special, tar

LIMITS = ArchiveLimits(archive=64 << 20, unpacked=32 << 20, entries=1000)
GIB = 1 << 30


def rejection(path: Path, limits: ArchiveLimits = LIMITS, *look_for: str) -> ArchiveRejected:
    with pytest.raises(ArchiveRejected) as caught:
        inspect_archive(path, limits, look_for=look_for)
    return caught.value


def rejected(folder: Path, members: list[Member], compress: bool = False, *look_for: str) -> ArchiveRejected:
    return rejection(save(folder / "image.tar", members, compress), LIMITS, *look_for)


def of_layer(*members: Member) -> list[Member]:
    return Image(layers=[tar(*members)]).docker()


def without(members: list[Member], part: str) -> list[Member]:
    return [member for member in members if part not in str(member[0])]


def changed(members: list[Member], part: str, change: Callable[[bytes], bytes]) -> list[Member]:
    return [(name, change(data) if part in str(name) else data) for name, data in members]


def manifest(members: list[Member], **settings: Any) -> list[Member]:
    """The members with keys of the one image in manifest.json set to something else."""
    return changed(
        members, "manifest.json", lambda data: json.dumps([json.loads(data)[0] | settings]).encode()
    )


class TestDamage:
    @pytest.mark.parametrize("data", [b"", b"hello", b"\x1f\x8b", b"PK\x03\x04" * 200, bytes(100)])
    def test_what_is_no_archive_is_rejected(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "a.tar"
        path.write_bytes(data)
        assert rejection(path).code in (Code.ARCHIVE_UNREADABLE, Code.ARCHIVE_NO_IMAGE)

    @pytest.mark.parametrize("compress", [False, True])
    @pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
    def test_a_truncated_archive_is_rejected(self, tmp_path: Path, compress: bool, share: float) -> None:
        path = save(tmp_path / "a.tar", of_layer(("a", b"x" * 5000)), compress)
        path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
        assert rejection(path).code in (Code.ARCHIVE_UNREADABLE, Code.ARCHIVE_NO_IMAGE)

    @pytest.mark.parametrize("cut", [1, 4, 8])
    def test_a_gzip_stream_without_its_whole_end_is_rejected(self, tmp_path: Path, cut: int) -> None:
        path = save(tmp_path / "a.tar", Image().docker(), compress=True)
        path.write_bytes(path.read_bytes()[:-cut])
        assert rejection(path).code is Code.ARCHIVE_UNREADABLE

    def test_a_wrong_gzip_checksum_is_rejected(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.tar", Image().docker(), compress=True)
        data = bytearray(path.read_bytes())
        data[-8] ^= 1
        path.write_bytes(data)
        assert rejection(path).code is Code.ARCHIVE_UNREADABLE

    def test_rubbish_behind_a_gzip_stream_is_rejected(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.tar", Image().docker(), compress=True)
        path.write_bytes(path.read_bytes() + b"rubbish")
        assert rejection(path).code is Code.ARCHIVE_UNREADABLE

    def test_another_compression_is_rejected_with_the_way_out(self, tmp_path: Path) -> None:
        path = save(tmp_path / "a.tar", Image().docker())
        path.write_bytes(lzma.compress(path.read_bytes()))
        found = rejection(path)
        assert found.code is Code.ARCHIVE_UNREADABLE
        assert "docker save IMAGE | gzip" in found.message

    @settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(place=st.floats(0, 0.999), value=st.binary(min_size=1, max_size=8), compress=st.booleans())
    def test_any_damage_is_a_rejection_or_harmless(
        self, tmp_path: Path, place: float, value: bytes, compress: bool
    ) -> None:
        image = Image(layers=[tar(("ä" * 60, b"x" * 700), ("b", b"y"))], compress=True)
        path = save(tmp_path / "a.tar", image.docker(), compress)
        data = bytearray(path.read_bytes())
        start = int(len(data) * place)
        data[start : start + len(value)] = value
        path.write_bytes(data)
        with suppress(ArchiveRejected):
            assert inspect_archive(path, LIMITS).layers == tuple(map(digest, image.layers))

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"no tar at all", id="text"),
            pytest.param(b"x" * 4096, id="a block"),
            pytest.param(gzip.compress(b"x" * 4096), id="compressed"),
        ],
    )
    def test_a_layer_that_is_no_tar_is_rejected(self, tmp_path: Path, data: bytes) -> None:
        assert rejected(tmp_path, Image(layers=[data]).docker()).code is Code.ARCHIVE_LAYER_UNREADABLE

    def test_a_layer_compressed_with_zstd_is_rejected_by_name(self, tmp_path: Path) -> None:
        found = rejected(tmp_path, Image(layers=[b"\x28\xb5\x2f\xfd" + bytes(600)]).docker())
        assert found.code is Code.ARCHIVE_LAYER_UNREADABLE
        assert "zstd" in found.message


class TestSize:
    def test_an_archive_above_the_limit_is_rejected_before_it_is_read(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tar"
        with path.open("wb") as file:
            file.truncate(100 * GIB)
        found = rejection(path)
        assert found.code is Code.ARCHIVE_TOO_LARGE
        assert "64 MiB" in found.message

    def test_five_megabytes_that_become_five_gigabytes_are_rejected_early(self, tmp_path: Path) -> None:
        found, seconds, memory = measured(bomb(tmp_path / "outer.tar.gz", self.outer_bomb()))
        assert found.code is Code.ARCHIVE_UNPACKS_TOO_LARGE
        assert seconds < 2
        assert memory < 16 << 20

    def test_a_compressed_layer_that_becomes_gigabytes_is_rejected_early(self, tmp_path: Path) -> None:
        found, seconds, memory = measured(save(tmp_path / "a.tar", [("x/layer.tar", self.outer_bomb())]))
        assert found.code is Code.ARCHIVE_UNPACKS_TOO_LARGE
        assert seconds < 2
        assert memory < 32 << 20

    @staticmethod
    def outer_bomb() -> bytes:
        info = tarfile.TarInfo("layer.tar")
        info.size = 5 * GIB
        return gzip.compress(info.tobuf()) + gzip.compress(bytes(32 << 20)) * 160

    def test_all_layers_together_count(self, tmp_path: Path) -> None:
        image = Image(layers=[tar((f"f{n}", bytes(9 << 20))) for n in range(4)], compress=True)
        assert rejected(tmp_path, image.docker()).code is Code.ARCHIVE_UNPACKS_TOO_LARGE

    def test_the_holes_of_a_sparse_file_count(self, tmp_path: Path) -> None:
        layer = bytearray(tar(("holes", b"x"), format=tarfile.GNU_FORMAT))
        layer[156:157] = b"S"
        layer[483:495] = b"%011o\0" % (10 * (GIB // 2))
        layer[148:156] = b"%06o\0 " % (sum(layer[:148]) + 256 + sum(layer[156:512]))
        found = rejected(tmp_path, Image(layers=[bytes(layer)]).docker())
        assert found.code is Code.ARCHIVE_UNPACKS_TOO_LARGE

    def test_the_holes_of_a_pax_sparse_file_count(self, tmp_path: Path) -> None:
        info = tarfile.TarInfo("holes")
        info.pax_headers = {"GNU.sparse.realsize": str(10 * GIB), "GNU.sparse.name": "holes"}
        assert rejected(tmp_path, of_layer((info, b"x"))).code is Code.ARCHIVE_UNPACKS_TOO_LARGE

    @pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.XGLTYPE])
    def test_a_header_of_gigabytes_is_not_read(self, tmp_path: Path, kind: bytes) -> None:
        info = tarfile.TarInfo("x")
        info.type, info.size = kind, 8 * GIB - 512
        found, _, memory = measured(
            bomb(tmp_path / "a", gzip.compress(info.tobuf()) + gzip.compress(bytes(30 << 20)))
        )
        assert found.code is Code.ARCHIVE_UNREADABLE
        assert memory < 16 << 20

    def test_too_many_files_are_rejected(self, tmp_path: Path) -> None:
        found = rejected(tmp_path, of_layer(*[(f"f{n}", b"") for n in range(1001)]))
        assert found.code is Code.ARCHIVE_TOO_MANY_ENTRIES
        assert "1,000" in found.message

    def test_thousands_of_files_beside_the_layers_are_no_image(self, tmp_path: Path) -> None:
        assert rejected(tmp_path, [(f"f{n}", b"") for n in range(5000)]).code is Code.ARCHIVE_NO_IMAGE

    def test_a_configuration_of_sixty_megabytes_is_rejected(self, tmp_path: Path) -> None:
        image = Image(settings={"Labels": {"x": "y" * (60 << 20)}})
        path = save(tmp_path / "a.tar", image.docker())
        assert rejection(path, replace(LIMITS, archive=GIB)).code is Code.ARCHIVE_JSON_TOO_LARGE

    def test_many_json_files_together_do_not_fill_the_memory(self, tmp_path: Path) -> None:
        text = b'{"x": "' + b"y" * (3 << 20) + b'"}'
        members: list[Member] = [(f"{n}.json", text) for n in range(15)]
        found, _, memory = measured(save(tmp_path / "a.tar", members))
        assert found.code is Code.ARCHIVE_NO_IMAGE
        assert memory < 32 << 20

    def test_millions_of_empty_gzip_members_do_not_stop_the_reader(self, tmp_path: Path) -> None:
        path = bomb(tmp_path / "a", gzip.compress(b"") * 3_000_000)
        found, seconds, _ = measured(path)
        assert found.code is Code.ARCHIVE_UNREADABLE
        assert seconds < 2


def bomb(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def measured(path: Path) -> tuple[ArchiveRejected, float, int]:
    tracemalloc.start()
    started = time.monotonic()
    try:
        found = rejection(path)
        return found, time.monotonic() - started, tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


class TestIdentity:
    def test_the_file_system_of_a_container_is_no_image(self, tmp_path: Path) -> None:
        members = [("etc/passwd", b"root"), special("bin", tarfile.SYMTYPE, "usr/bin")]
        found = rejected(tmp_path, members)
        assert found.code is Code.ARCHIVE_NO_IMAGE
        assert "docker export" in found.message

    @pytest.mark.parametrize("listed", [b"[]", b"null", b'[{"Config": null, "Layers": null}]'])
    def test_a_manifest_without_an_image_is_rejected(self, tmp_path: Path, listed: bytes) -> None:
        found = rejected(tmp_path, changed(Image().docker(), "manifest.json", lambda _: listed))
        assert found.code in (Code.ARCHIVE_NO_IMAGE, Code.ARCHIVE_JSON_INVALID)

    def test_two_images_in_one_archive_are_rejected(self, tmp_path: Path) -> None:
        first, second = Image(), Image(layers=[tar(("b", b""))])
        listed = [json.loads(dict(image.docker())["manifest.json"])[0] for image in (first, second)]
        members = without([*first.docker(), *without(second.docker(), "repositories")], "manifest.json")
        found = rejected(tmp_path, [*members, ("manifest.json", json.dumps(listed).encode())])
        assert found.code is Code.ARCHIVE_SEVERAL_IMAGES
        assert "2 images" in found.message

    def test_two_images_in_one_oci_archive_are_rejected(self, tmp_path: Path) -> None:
        members = Image().oci(Image(layers=[tar(("b", b""))]))
        assert rejected(tmp_path, members).code is Code.ARCHIVE_SEVERAL_IMAGES

    @pytest.mark.parametrize("layout", [Image.docker, Image.oci])
    def test_a_layer_that_is_not_in_the_archive_is_rejected_wherever_else_it_is(
        self, tmp_path: Path, layout: Callable[[Image], list[Member]]
    ) -> None:
        image = Image(layers=[tar(("mine", b"")), tar(("somebody else's", b""))])
        members = [member for member in layout(image) if member[1] != image.layers[1]]
        assert rejected(tmp_path, members).code is Code.ARCHIVE_LAYER_MISSING

    def test_a_layer_that_is_not_the_one_of_the_configuration_is_rejected(self, tmp_path: Path) -> None:
        members = changed(Image().docker(), "layer.tar", lambda _: tar(("other", b"")))
        assert rejected(tmp_path, members).code is Code.ARCHIVE_DIGEST_WRONG

    def test_a_compressed_layer_with_other_content_is_rejected(self, tmp_path: Path) -> None:
        members = changed(Image().docker(), "layer.tar", lambda _: gzip.compress(tar(("other", b""))))
        assert rejected(tmp_path, members).code is Code.ARCHIVE_DIGEST_WRONG

    def test_a_blob_that_does_not_have_the_digest_of_its_name_is_rejected(self, tmp_path: Path) -> None:
        image = Image(compress=True)
        name, again = blob_name(image.stored[0]), gzip.compress(image.layers[0], 9)
        members = [(path, again if path == name else data) for path, data in image.oci()]
        assert rejected(tmp_path, members).code is Code.ARCHIVE_DIGEST_WRONG

    def test_a_configuration_that_does_not_have_the_digest_of_its_name_is_rejected(
        self, tmp_path: Path
    ) -> None:
        image = Image()
        members = changed(image.docker(), image.id[7:], lambda data: data + b" ")
        assert rejected(tmp_path, members).code is Code.ARCHIVE_DIGEST_WRONG

    @pytest.mark.parametrize("count", [0, 2])
    def test_more_or_fewer_layers_than_the_configuration_names_are_rejected(
        self, tmp_path: Path, count: int
    ) -> None:
        members = Image().docker()
        layers = json.loads(dict(members)["manifest.json"])[0]["Layers"] * count
        assert rejected(tmp_path, manifest(members, Layers=layers)).code is Code.ARCHIVE_JSON_INVALID

    @pytest.mark.parametrize("place", [{"architecture": "arm64"}, {"os": "windows"}, {"architecture": None}])
    def test_another_platform_is_rejected_with_the_way_out(
        self, tmp_path: Path, place: dict[str, Any]
    ) -> None:
        found = rejected(tmp_path, Image(top=place).docker())
        assert found.code is Code.ARCHIVE_PLATFORM_WRONG
        assert "--platform linux/amd64" in found.message

    def test_a_layer_at_a_remote_address_is_rejected(self, tmp_path: Path) -> None:
        image = Image()
        layer = descriptor(image.layers[0]) | {"urls": ["https://example.org/layer"]}
        data = json.dumps({"config": descriptor(image.config), "layers": [layer]}).encode()
        index = json.dumps({"manifests": [descriptor(data)]}).encode()
        members = [*image.blobs(), (blob_name(data), data), ("index.json", index)]
        assert rejected(tmp_path, members).code is Code.ARCHIVE_FOREIGN_LAYER

    def test_a_layer_at_a_remote_address_is_rejected_in_the_archives_of_docker(self, tmp_path: Path) -> None:
        sources = {"sha256:0": {"urls": ["https://example.org/layer"]}}
        found = rejected(tmp_path, manifest(Image().docker(), LayerSources=sources))
        assert found.code is Code.ARCHIVE_FOREIGN_LAYER


class TestPaths:
    @pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x"])
    def test_a_path_that_leads_outside_is_rejected(self, tmp_path: Path, name: str) -> None:
        found = rejected(tmp_path, [(name, b"x"), *Image().docker()])
        assert found.code is Code.ARCHIVE_PATH_UNSAFE

    @pytest.mark.parametrize("name", ["/etc/shadow", "../../etc/shadow"])
    @pytest.mark.parametrize("key", ["Config", "Layers"])
    def test_a_manifest_that_names_a_path_outside_is_rejected(
        self, tmp_path: Path, name: str, key: str
    ) -> None:
        value = name if key == "Config" else [name]
        assert rejected(tmp_path, manifest(Image().docker(), **{key: value})).code is Code.ARCHIVE_PATH_UNSAFE

    @pytest.mark.parametrize("target", ["/etc/passwd", "../../etc/passwd", "../x"])
    def test_a_link_that_leads_outside_is_rejected(self, tmp_path: Path, target: str) -> None:
        members = [
            *Image().docker(),
            special("a/layer.tar", tarfile.SYMTYPE, f"../{target}".replace("..//", "/")),
        ]
        assert rejected(tmp_path, members).code is Code.ARCHIVE_PATH_UNSAFE

    @pytest.mark.parametrize("target", ["manifest.json", "nowhere", "."])
    def test_a_link_to_anything_but_a_layer_is_rejected(self, tmp_path: Path, target: str) -> None:
        members = [*Image().docker(), special("layer.tar", tarfile.SYMTYPE, target)]
        assert rejected(tmp_path, members).code is Code.ARCHIVE_ENTRY_UNEXPECTED

    @pytest.mark.parametrize("kind", [tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
    def test_what_docker_never_writes_is_rejected(self, tmp_path: Path, kind: bytes) -> None:
        members = [*Image().docker(), special("x", kind, "manifest.json")]
        assert rejected(tmp_path, members).code is Code.ARCHIVE_ENTRY_UNEXPECTED

    @pytest.mark.parametrize("name", ["manifest.json", "./manifest.json", ".//manifest.json"])
    def test_a_name_that_occurs_twice_is_rejected(self, tmp_path: Path, name: str) -> None:
        assert rejected(tmp_path, [*Image().docker(), (name, b"[]")]).code is Code.ARCHIVE_NAME_TWICE

    @pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE])
    @pytest.mark.parametrize("name", ["sda", "devices/sda", "workspace/dev/sda", "./dev"])
    def test_a_device_node_outside_dev_is_rejected(self, tmp_path: Path, kind: bytes, name: str) -> None:
        assert rejected(tmp_path, of_layer(special(name, kind))).code is Code.ARCHIVE_DEVICE_NODE

    def test_device_nodes_under_dev_are_normal_in_base_images(self, tmp_path: Path) -> None:
        layer = tar(special("dev/null", tarfile.CHRTYPE), special("./dev/sda", tarfile.BLKTYPE))
        assert inspect_archive(save(tmp_path / "a.tar", Image(layers=[layer]).docker()), LIMITS).layers

    @pytest.mark.parametrize(
        "member",
        [
            ("../x", b""),
            ("a/../../x", b""),
            ("dev/../sda", b""),
            special("x", tarfile.LNKTYPE, "../../etc/shadow"),
        ],
    )
    def test_a_layer_that_climbs_is_rejected(self, tmp_path: Path, member: Member) -> None:
        assert rejected(tmp_path, of_layer(member)).code is Code.ARCHIVE_PATH_UNSAFE

    def test_a_device_node_behind_a_long_name_is_rejected(self, tmp_path: Path) -> None:
        info, data = special("x" * 200, tarfile.BLKTYPE)
        assert rejected(tmp_path, of_layer((info, data))).code is Code.ARCHIVE_DEVICE_NODE

    def test_a_message_quotes_a_strange_name_harmlessly(self, tmp_path: Path) -> None:
        message = rejected(tmp_path, of_layer(special("a\n\x1b[31m<b>", tarfile.BLKTYPE))).message
        assert message.isprintable()


class TestConfiguration:
    @pytest.mark.parametrize("variable", ["LD_PRELOAD=/x.so", "LD_PRELOAD", "LD_AUDIT=/x.so"])
    def test_preloading_into_the_engines_hooks_is_rejected(self, tmp_path: Path, variable: str) -> None:
        found = rejected(tmp_path, Image(settings={"Env": ["A=b", variable]}).docker())
        assert found.code is Code.ARCHIVE_LD_PRELOAD
        assert variable.partition("=")[0] in found.message

    @pytest.mark.parametrize(
        "top",
        [
            {"Config": {"Env": ["LD_PRELOAD=/x.so"]}},
            {"CONFIG": None},
            {"oſ": "linux"},
            {"rootfſ": {"type": "layers", "diff_ids": []}},
        ],
    )
    def test_a_second_spelling_that_only_the_engine_reads_is_rejected(
        self, tmp_path: Path, top: dict[str, Any]
    ) -> None:
        assert rejected(tmp_path, Image(top=top).docker()).code is Code.ARCHIVE_JSON_INVALID

    def test_the_only_spelling_is_read_in_any_case(self, tmp_path: Path) -> None:
        found = rejected(tmp_path, Image(settings={"eNV": ["LD_PRELOAD=/x.so"]}).docker())
        assert found.code is Code.ARCHIVE_LD_PRELOAD

    def test_a_key_that_occurs_twice_is_rejected(self, tmp_path: Path) -> None:
        members = changed(
            Image().docker(), "manifest.json", lambda data: data.replace(b"{", b'{"Config": "x", ')
        )
        assert rejected(tmp_path, members).code is Code.ARCHIVE_JSON_INVALID

    @pytest.mark.parametrize(
        "data", [b"[" * 100_000, b"{", b'[{"Config": NaN', b"[\xff]", b'{"a": 1}', b"[1]"]
    )
    def test_json_that_is_none_is_rejected(self, tmp_path: Path, data: bytes) -> None:
        members = changed(Image().docker(), "manifest.json", lambda _: data)
        assert rejected(tmp_path, members).code is Code.ARCHIVE_JSON_INVALID

    @pytest.mark.parametrize(
        "settings",
        [{"Env": "A=b"}, {"Env": [1]}, {"Volumes": ["/x"]}, {"Entrypoint": {"a": 1}}],
    )
    def test_settings_of_another_type_are_rejected(self, tmp_path: Path, settings: dict[str, Any]) -> None:
        assert rejected(tmp_path, Image(settings=settings).docker()).code is Code.ARCHIVE_JSON_INVALID

    @pytest.mark.parametrize(
        "rootfs", [None, [], {"diff_ids": ["md5:0"]}, {"diff_ids": [3]}, {"diff_ids": {}}]
    )
    def test_layers_without_digests_are_rejected(self, tmp_path: Path, rootfs: object) -> None:
        assert rejected(tmp_path, Image(top={"rootfs": rootfs}).docker()).code is Code.ARCHIVE_JSON_INVALID

    @pytest.mark.parametrize("volume", ["/", "data", "", "/a/../b", "/a\nb", "/workspace", "/workspace/"])
    def test_a_volume_that_cannot_be_masked_is_rejected(self, tmp_path: Path, volume: str) -> None:
        script = "/workspace/run_pixel_brain.sh"
        found = rejected(tmp_path, Image(settings={"Volumes": {volume: {}}}).docker(), False, script)
        assert found.code is Code.ARCHIVE_VOLUME_UNUSABLE
        assert found.message.isprintable()

    def test_hundreds_of_volumes_are_rejected(self, tmp_path: Path) -> None:
        volumes: dict[str, Any] = {f"/v{n}": {} for n in range(33)}
        found = rejected(tmp_path, Image(settings={"Volumes": volumes}).docker())
        assert found.code is Code.ARCHIVE_VOLUME_UNUSABLE

    def test_an_index_that_names_itself_ends(self, tmp_path: Path) -> None:
        inner = json.dumps({"manifests": []}).encode()
        index = json.dumps({"manifests": [descriptor(inner)] * 1000}).encode()
        assert (
            rejected(tmp_path, [(blob_name(inner), inner), ("index.json", index)]).code
            is Code.ARCHIVE_NO_IMAGE
        )
