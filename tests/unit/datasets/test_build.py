import gzip
import hashlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from challenges.spec import Challenge
from datasets import build as builder
from datasets import manifest, volume
from datasets.build import BuildError, build, verify
from datasets.manifest import Case, File
from datasets.plan import PlanError
from tests.unit.datasets.conftest import SECRET, Built, small

OTHER_SECRET = b"another secret of enough bytes"


@pytest.fixture
def copy(built: Built, tmp_path: Path) -> Path:
    shutil.copytree(built.out, tmp_path / "copy")
    return tmp_path / "copy"


def _brain_only(challenge: Challenge) -> Challenge:
    return challenge.model_copy(update={"datasets": {"brain": challenge.datasets["brain"]}})


def _cut_short(challenge: Challenge, secret: bytes, out: Path, patch: pytest.MonkeyPatch, after: int) -> None:
    """A build that is ended from outside when it has made some cases."""
    original, made = builder.make, []

    def counting(job: builder.Job, case: builder.Planned) -> Case:
        if len(made) == after:
            raise KeyboardInterrupt
        made.append(case.id)
        return original(job, case)

    with patch.context() as patched:
        patched.setattr(builder, "make", counting)
        with pytest.raises(KeyboardInterrupt):
            build(challenge, secret, out)


def _digests(out: Path) -> dict[str, str]:
    files = sorted(path for path in out.rglob("*") if path.is_file())
    return {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def _images(built: Built) -> Iterator[tuple[Case, Path]]:
    for slug, described in built.manifests.items():
        for case in described.cases:
            yield case, built.out / slug / case.image.path


def test_the_folders_are_those_that_were_agreed(built: Built) -> None:
    brain = built.out / "brain"
    toys = [f"toy_{i}.nii.gz" for i in range(4)]
    assert sorted(path.name for path in brain.iterdir()) == [
        "brain_train", "manifest.json", "test", "test_label", "toy", "toy_label",
    ]  # fmt: skip
    assert sorted(path.name for path in (brain / "brain_train").iterdir()) == ["00000.nii.gz", "00001.nii.gz"]
    assert sorted(path.name for path in (brain / "toy_label/pixel").iterdir()) == toys
    assert sorted(path.name for path in (brain / "toy_label/sample").iterdir()) == [
        f"{toy}.txt" for toy in toys
    ]
    assert len(list((brain / "test").iterdir())) == len(list((brain / "test_label/sample").iterdir())) == 12
    assert len(list((brain / "test_label/pixel").iterdir())) == 8


def test_the_manifest_returned_is_the_one_on_disk(built: Built) -> None:
    for slug, described in built.manifests.items():
        assert manifest.read(built.out / slug / "manifest.json") == described
        assert (described.challenge, described.dataset) == ("demo", slug)


def test_every_file_has_the_digest_size_and_shape_of_the_manifest(built: Built) -> None:
    for slug, described in built.manifests.items():
        for case in described.cases:
            for file in filter(None, (case.image, case.mask)):
                content = (built.out / slug / file.path).read_bytes()
                assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.size)
                assert volume.read(built.out / slug / file.path).data.shape == described.shape


def test_a_mask_belongs_to_every_case_of_a_voxel_task_and_is_empty_for_a_normal_one(built: Built) -> None:
    for slug, described in built.manifests.items():
        for case in described.cases:
            assert (case.mask is not None) == ("pixel" in case.tasks)
            if case.mask:
                mask = volume.read(built.out / slug / case.mask.path).data
                assert set(np.unique(mask)) == ({0, 1} if case.label else {0})


def test_the_label_files_say_what_the_manifest_says(built: Built) -> None:
    for slug, described in built.manifests.items():
        for case in (*described.cases_of("toy"), *described.cases_of("test")):
            text = (built.out / slug / f"{case.part}_label/sample/{case.name}.txt").read_text()
            assert text == f"{case.label}\n"


def test_the_batches_hold_each_pixel_case_once_and_an_abnormal_one_each_in_both_arrangements(
    built: Built,
) -> None:
    for described in built.manifests.values():
        assert set(described.arrangements) == {"pixel"}
        assert len(described.arrangements["pixel"]) == 2
        label = {case.id: case.label for case in described.cases_of("test", "pixel")}
        for batches in described.arrangements["pixel"]:
            assert sorted(case for batch in batches for case in batch) == sorted(label)
            assert all(any(label[case] for case in batch) for batch in batches)


def test_headers_and_file_times_of_all_scans_are_the_same(built: Built) -> None:
    for slug in built.manifests:
        files = [path for case, path in _images(built) if path.is_relative_to(built.out / slug)]
        assert len({gzip.decompress(path.read_bytes())[:352] for path in files}) == 1
        assert len({path.read_bytes()[:10] for path in files}) == 1
        assert {path.stat().st_mtime for path in files} == {volume.WRITTEN_AT}


def test_the_secret_is_in_no_file(built: Built) -> None:
    for path in built.out.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert SECRET not in content
            assert SECRET.hex().encode() not in content


def test_the_same_secret_gives_the_same_files_with_any_number_of_workers(
    built: Built, tmp_path: Path
) -> None:
    steps: list[tuple[str, int, int]] = []
    build(_brain_only(built.challenge), SECRET, tmp_path, lambda *step: steps.append(step), workers=2)
    assert _digests(tmp_path / "brain") == _digests(built.out / "brain")
    assert steps == [("brain", done, 18) for done in range(19)]


def test_another_secret_gives_no_equal_scan_name_or_batch(built: Built, tmp_path: Path) -> None:
    other = build(_brain_only(built.challenge), OTHER_SECRET, tmp_path)["brain"]
    ours = built.manifests["brain"]
    assert not {case.image.sha256 for case in ours.cases} & {case.image.sha256 for case in other.cases}
    assert not {case.id for case in ours.cases} & {case.id for case in other.cases}
    assert not {case.name for case in ours.cases_of("test")} & {case.name for case in other.cases_of("test")}
    assert ours.version != other.version


def test_no_scan_occurs_twice(built: Built) -> None:
    digests = [case.image.sha256 for case, _ in _images(built)]
    assert len(digests) == len(set(digests)) == 36


def test_building_again_keeps_every_file(built: Built, copy: Path) -> None:
    before = {path: path.stat().st_ino for path in copy.rglob("*.nii.gz")}
    steps: list[tuple[str, int, int]] = []
    again = build(built.challenge, SECRET, copy, lambda *step: steps.append(step))
    assert again == built.manifests
    assert {path: path.stat().st_ino for path in copy.rglob("*.nii.gz")} == before
    assert steps == [("brain", 18, 18), ("abdom", 18, 18)]


@pytest.mark.parametrize("damage", ["removed", "truncated", "other"])
def test_a_damaged_scan_mask_or_label_is_made_again(built: Built, copy: Path, damage: str) -> None:
    case = next(case for case in built.manifests["brain"].cases_of("test", "pixel") if case.label)
    assert case.mask
    broken = [copy / "brain" / case.image.path, copy / "brain" / case.mask.path]
    for path in broken:
        content = path.read_bytes()
        if damage == "removed":
            path.unlink()
        else:
            path.write_bytes(content[:100] if damage == "truncated" else content[:-1] + b"?")
    next((copy / "abdom/test_label/sample").iterdir()).unlink()
    with pytest.raises(BuildError, match=case.image.path):
        verify(copy / "brain", built.manifests["brain"])
    build(built.challenge, SECRET, copy)
    assert _digests(copy) == _digests(built.out)


def test_a_build_that_was_cut_short_goes_on_where_it_stopped(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = _brain_only(built.challenge)
    _cut_short(challenge, SECRET, tmp_path, monkeypatch, after=7)
    assert not (tmp_path / "brain/manifest.json").exists()
    (tmp_path / "brain/test/.left-over.part").parent.mkdir(exist_ok=True)
    (tmp_path / "brain/test/.left-over.part").write_bytes(b"half a file")
    steps: list[tuple[str, int, int]] = []
    build(challenge, SECRET, tmp_path, lambda *step: steps.append(step))
    assert steps[0] == ("brain", 7, 18)
    assert _digests(tmp_path / "brain") == _digests(built.out / "brain")


def test_what_an_unfinished_build_with_another_secret_left_is_replaced(
    built: Built, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    challenge = _brain_only(built.challenge)
    _cut_short(challenge, OTHER_SECRET, tmp_path, monkeypatch, after=7)
    left = {path.name for path in tmp_path.rglob("*.nii.gz")}
    assert len(left) == 7
    build(challenge, SECRET, tmp_path)
    assert _digests(tmp_path / "brain") == _digests(built.out / "brain")


def test_a_finished_dataset_of_another_secret_or_setting_is_not_overwritten(
    built: Built, demo: Challenge, copy: Path
) -> None:
    for challenge, secret in ((built.challenge, OTHER_SECRET), (small(demo, 16), SECRET)):
        with pytest.raises(BuildError, match="another version of this dataset"):
            build(challenge, secret, copy)
    assert _digests(copy) == _digests(built.out)


def test_a_new_title_is_no_new_version(built: Built, copy: Path) -> None:
    brain = built.challenge.datasets["brain"].model_copy(update={"title": "Heads"})
    renamed = built.challenge.model_copy(
        update={"title": "Other", "datasets": built.challenge.datasets | {"brain": brain}}
    )
    assert build(renamed, SECRET, copy) == built.manifests


def test_an_unknown_population_stops_the_build_before_anything_is_written(
    built: Built, tmp_path: Path
) -> None:
    brain = built.challenge.datasets["brain"].model_copy(update={"population": "knee"})
    with pytest.raises(PlanError, match="'knee'"):
        build(built.challenge.model_copy(update={"datasets": {"brain": brain}}), SECRET, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_short_secret_is_refused(built: Built, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least 16"):
        build(built.challenge, b"secret", tmp_path)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (np.full((20, 22, 21), 1.5, np.float32), "outside"),
        (np.full((20, 22, 21), np.nan, np.float32), "outside"),
        (np.zeros((20, 22, 20), np.float32), "shape"),
        (np.zeros((20, 22, 21), np.float32), "one value only"),
    ],
)
def test_verify_sees_what_a_digest_cannot(built: Built, copy: Path, data: np.ndarray, message: str) -> None:
    described = built.manifests["brain"]
    case = described.cases[0]
    volume.write(copy / "brain" / case.image.path, data, (1, 1, 1), np.float32)
    content = (copy / "brain" / case.image.path).read_bytes()
    file = File(path=case.image.path, sha256=hashlib.sha256(content).hexdigest(), size=len(content))
    wrong = described.model_copy(update={"cases": (case.model_copy(update={"image": file}),)})
    with pytest.raises(BuildError, match=message):
        verify(copy / "brain", wrong)


def test_verify_refuses_a_mask_that_does_not_fit_its_label(built: Built) -> None:
    described = built.manifests["brain"]
    case = next(case for case in described.cases_of("test", "pixel") if case.label)
    wrong = described.model_copy(update={"cases": (case.model_copy(update={"label": 0}),)})
    with pytest.raises(BuildError, match="empty for a normal case"):
        verify(built.out / "brain", wrong)


def test_hidden_kinds_are_not_told_by_the_share_of_zeros_or_the_maximum(built: Built) -> None:
    """A coarse check at this size: altered scans stay within the spread of the normal ones."""
    for slug, described in built.manifests.items():
        images = {case.id: volume.read(built.out / slug / case.image.path).data for case in described.cases}
        normal = [images[case.id] for case in described.cases if not case.label]
        altered = [images[case.id] for case in described.cases if case.label and case.category == "local"]
        for measure in (lambda data: (data == 0).mean(), lambda data: (data == 1).mean()):
            spread = [float(measure(data)) for data in normal]
            margin = 0.02 + 2 * float(np.std(spread))
            for data in altered:
                assert min(spread) - margin <= float(measure(data)) <= max(spread) + margin


def test_files_can_be_read_by_the_user_that_runs_containers(built: Built) -> None:
    assert all(os.stat(path).st_mode & 0o777 == 0o644 for _, path in _images(built))
