"""A check with an engine that only pretends: what is asked of it, what is read, what is told."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

from challenges import spec
from scoring.histograms import VoxelHistogram
from submissions import kit
from submissions.archive import ArchiveRejected
from submissions.check import Bench, Inspection, ScriptReport, loaded, run_script
from submissions.container import RunOutcome, Stop
from submissions.contract import Code, Outcome, scripts_of
from submissions.display import check_json, script
from submissions.fake_engine import Behaviour, FakeEngine, FakeOutput
from submissions.image import ImageFacts
from submissions.kit import Kit, KitError
from submissions.sandbox import Job, create_request
from submissions.verdict import failure_of_run, unfinished_outcome

SIDE = 8
LABELS = (1, 0, 1)
SPEC = (
    (Path(__file__).parents[3] / "challenges" / "demo.yaml")
    .read_text(encoding="utf-8")
    .replace("[64, 64, 64]", f"[{SIDE}, {SIDE}, {SIDE}]")
    .replace("cases_per_container: 4", "cases_per_container: 2")
)
FACTS = ImageFacts(
    id=f"sha256:{'1' * 64}",
    architecture="amd64",
    os="linux",
    env=(),
    entrypoint=(),
    volumes=("/data",),
    layers=(),
    unpacked_bytes=1,
    found=frozenset(),
    warnings=(),
)


def mask_of(label: int) -> NDArray[np.uint8]:
    mask = np.zeros((SIDE, SIDE, SIDE), np.uint8)
    mask[2:4, 2:4, 2:5] = label
    return mask


def write_volume(path: Path, data: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.Nifti1Image(data, np.eye(4)).to_filename(path)


@pytest.fixture
def demo(tmp_path: Path) -> Kit:
    folder = tmp_path / "kit"
    for number, label in enumerate(LABELS):
        name = f"toy_{number}.nii.gz"
        write_volume(folder / "brain" / "toy" / name, mask_of(label).astype(np.float32))
        write_volume(folder / "brain" / "toy_label" / "pixel" / name, mask_of(label))
        text = folder / "brain" / "toy_label" / "sample" / f"{name}.txt"
        text.parent.mkdir(exist_ok=True)
        text.write_text(f"{label}\n")
    (folder / kit.SPEC).write_text(SPEC)
    return kit.read(folder)


def checked(
    demo: Kit, task: str, *behaviours: Behaviour, full: bool = False
) -> tuple[ScriptReport, FakeEngine]:
    engine = FakeEngine(behaviours)

    def output_for(_: Any, job: Job, folder: Path, __: Any) -> FakeOutput:
        return FakeOutput(engine, job, folder / "output", is_full=full)

    bench = Bench(engine, demo, announce=lambda text: pytest.fail(text), output_for=output_for)
    return run_script(bench, FACTS, task, "brain"), engine


def brightness(source: Path, target: Path) -> None:
    for case in source.iterdir():
        image: Any = nibabel.load(case)
        (target / f"{case.name}.txt").write_text(f"{image.get_fdata().max()}\n")


def copy(source: Path, target: Path) -> None:
    for case in source.iterdir():
        (target / case.name).write_bytes(case.read_bytes())


def test_right_answers_reach_the_highest_score_in_both_tasks(demo: Kit) -> None:
    for task, writes in (("sample", brightness), ("pixel", copy)):
        report, _ = checked(demo, task, Behaviour(writes=writes))
        assert (report.average_precision, report.failure) == (1.0, None)
        assert report.outcomes == {"scored": 3}
        assert [case.name for case in report.cases] == [f"toy_{number}.nii.gz" for number in range(3)]


def test_containers_are_asked_for_as_a_worker_asks_for_them(demo: Kit) -> None:
    _, engine = checked(demo, "pixel", Behaviour(writes=copy))
    assert len(engine.requests) == 2, "three cases, two to a container"
    sizes: list[int] = []
    for name, request in zip(engine.started, engine.requests, strict=True):
        source = next(mount for mount in request["HostConfig"]["Mounts"] if mount["Type"] == "bind")["Source"]
        volume = engine.container_name(name)
        sizes.append(2 if not sizes else 1)
        job = Job(
            name=name,
            image_id=FACTS.id,
            command=["sh", "/workspace/run_pixel_brain.sh", "/mnt/data", "/mnt/pred"],
            input_dir=Path(source),
            input="/mnt/data",
            output="/mnt/pred",
            limits=demo.challenge.limits,
            cases=sizes[-1],
            image_volumes=FACTS.volumes,
        )
        assert request == create_request(job, engine.facts(), engine.labels(name), volume)
    assert not engine.containers()
    assert not engine.volumes()


def test_a_missing_case_counts_as_zero_and_is_named(demo: Kit) -> None:
    def all_but_the_first(source: Path, target: Path) -> None:
        brightness(source, target)
        (target / "toy_0.nii.gz.txt").unlink(missing_ok=True)

    report, _ = checked(demo, "sample", Behaviour(writes=all_but_the_first))
    assert [case.outcome for case in report.cases] == [Outcome.MISSING, Outcome.SCORED, Outcome.SCORED]
    assert report.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert report.failure is not None
    assert report.failure.code is Code.MISSING_PREDICTIONS
    assert "toy_0.nii.gz" in report.failure.message


SATURATED = (1 - 1e-4 * np.random.default_rng(2).random((SIDE,) * 3)).astype(np.float32)


def saturated(source: Path, target: Path) -> None:
    """Right answers within 1e-4 of 1."""
    for case in source.iterdir():
        image: Any = nibabel.load(case)
        write_volume(target / case.name, np.where(image.get_fdata() > 0, 1, SATURATED - 1e-6).astype("f4"))


def test_maps_that_collapse_when_rounded_are_told_case_by_case(demo: Kit) -> None:
    report, _ = checked(demo, "pixel", Behaviour(writes=saturated))
    first, normal, _ = report.cases
    assert report.failure is None, "a collapse is a warning"
    assert first.exact_average_precision == 1.0
    assert first.average_precision is not None
    assert first.average_precision < 0.5
    assert first.warning is not None
    assert (normal.average_precision, normal.exact_average_precision, normal.warning) == (None, None, None)


def test_maps_that_survive_rounding_get_no_warning(demo: Kit) -> None:
    report, _ = checked(demo, "pixel", Behaviour(writes=copy))
    told = [(case.average_precision, case.exact_average_precision, case.warning) for case in report.cases]
    assert told == [(1.0, 1.0, None), (None, None, None), (1.0, 1.0, None)]


def all_but_the_normal_one(source: Path, target: Path) -> None:
    copy(source, target)
    (target / "toy_1.nii.gz").unlink(missing_ok=True)


@pytest.mark.parametrize("missing", ["zero", "worst", "reject"])
def test_a_missing_map_costs_what_the_challenge_says(demo: Kit, missing: str) -> None:
    changed = spec.parse(SPEC.replace("missing: worst", f"missing: {missing}"))
    report, _ = checked(replace(demo, challenge=changed), "pixel", Behaviour(writes=all_but_the_normal_one))
    assert report.outcomes == {"scored": 2, "missing": 1}
    normal = VoxelHistogram.absent(0, SIDE**3, "worst" if missing == "worst" else "zero")
    assert report.predictions.histograms["toy_1.nii.gz"] == normal
    assert report.average_precision == pytest.approx(24 / (24 + SIDE**3) if missing == "worst" else 1.0)


def test_objects_are_counted_where_the_challenge_asks_for_them(demo: Kit) -> None:
    asked = "arrangements: 2\n      objects: {thresholds: [0.5], min_volume_mm3: 0.0}"
    changed = spec.parse(SPEC.replace("arrangements: 2 ", f"{asked} "))
    report, _ = checked(replace(demo, challenge=changed), "pixel", Behaviour(writes=all_but_the_normal_one))
    assert report.predictions.objects == {
        "toy_0.nii.gz": {0.5: (1, 0, 0)},
        "toy_1.nii.gz": {0.5: (0, 0, 0)},
        "toy_2.nii.gz": {0.5: (1, 0, 0)},
    }


def test_a_check_can_be_told_to_programs(demo: Kit) -> None:
    report, _ = checked(demo, "pixel", Behaviour(writes=saturated))
    challenge, found = inspection_of(("pixel", "brain"))
    [told] = json.loads(json.dumps(check_json(found, challenge, [report])))["scripts"]
    assert told["outcomes"] == {"scored": 3}
    assert told["cases"][0]["warning"] == report.cases[0].warning
    assert told["cases"][0]["exact_average_precision"] == 1.0
    assert "predictions" not in told


def test_a_check_shows_both_figures_and_the_warning(demo: Kit, capsys: pytest.CaptureFixture[str]) -> None:
    report, _ = checked(demo, "pixel", Behaviour(writes=saturated))
    script(report, with_log=False)
    shown = " ".join(capsys.readouterr().err.split())
    assert f"toy_0.nii.gz scored {report.cases[0].average_precision:.3f} 1.000" in shown
    assert "toy_1.nii.gz scored – –" in shown
    assert f"Warning: toy_0.nii.gz: {report.cases[0].warning}" in shown


def test_a_map_of_another_shape_says_how_many_slices_were_written(demo: Kit) -> None:
    def short(source: Path, target: Path) -> None:
        for case in source.iterdir():
            write_volume(target / case.name, np.zeros((SIDE, SIDE, SIDE - 1), np.float32))

    report, _ = checked(demo, "pixel", Behaviour(writes=short))
    assert report.outcomes == {"wrong_shape": 3}
    assert report.failure is not None
    assert report.failure.message == "toy_0.nii.gz: 7 slices written, 8 expected (and 2 more like it)."


def test_a_crash_keeps_what_was_written_and_shows_the_log(demo: Kit) -> None:
    def first_only(source: Path, target: Path) -> None:
        (target / "toy_0.nii.gz.txt").write_text("0.9")

    report, _ = checked(demo, "sample", Behaviour(exit_code=1, log=b"no model file\n", writes=first_only))
    assert report.outcomes == {"scored": 1, "crashed": 2}
    assert report.failure is not None
    assert report.failure.code is Code.CRASHED
    assert report.log == "no model file\n" * 2


def test_a_full_output_folder_is_told_apart_from_a_crash(demo: Kit) -> None:
    report, _ = checked(demo, "sample", Behaviour(exit_code=1), full=True)
    assert report.failure is not None
    assert report.failure.code is Code.OUTPUT_FULL


def test_cases_are_readable_for_the_sandbox_whatever_the_modes_at_home(demo: Kit) -> None:
    for path in demo.toys("brain"):
        path.chmod(0o600)
    modes: list[int] = []

    def look(source: Path, target: Path) -> None:
        modes.extend(path.stat().st_mode & 0o777 for path in [source, *source.iterdir()])
        brightness(source, target)

    checked(demo, "sample", Behaviour(writes=look))
    assert set(modes) == {0o755, 0o644}


@pytest.mark.parametrize(
    ("harm", "task"),
    [
        (lambda folder: (folder / "toy_label/sample/toy_1.nii.gz.txt").unlink(), "sample"),
        (lambda folder: (folder / "toy_label/sample/toy_1.nii.gz.txt").write_text("2"), "sample"),
        (lambda folder: (folder / "toy_label/pixel/toy_1.nii.gz").write_bytes(b"half"), "pixel"),
        (lambda folder: [path.unlink() for path in (folder / "toy").iterdir()], "pixel"),
    ],
)
def test_a_damaged_kit_says_how_to_repair_it(demo: Kit, harm: Callable[[Path], Any], task: str) -> None:
    harm(demo.folder / "brain")
    with pytest.raises(KitError, match="moodarena download demo"):
        checked(demo, task, Behaviour(writes=brightness))


def inspection_of(*present: tuple[str, str]) -> tuple[spec.Challenge, Inspection]:
    challenge = spec.parse(SPEC)
    scripts = scripts_of(challenge.entry, challenge.tasks, challenge.datasets)
    lacking = {pair: script for pair, script in scripts.items() if pair not in present}
    return challenge, Inspection(FACTS, {pair: scripts[pair] for pair in present}, lacking)


def test_only_scripts_that_the_image_brings_are_run_and_the_rest_is_told() -> None:
    challenge, found = inspection_of(("sample", "brain"), ("sample", "abdom"), ("pixel", "brain"))
    assert found.pairs() == [("sample", "brain"), ("sample", "abdom"), ("pixel", "brain")]
    assert found.pairs("sample", "abdom") == [("sample", "abdom")]
    assert found.incomplete(challenge) == {"pixel": ["/workspace/run_pixel_abdom.sh"]}
    with pytest.raises(ArchiveRejected) as caught:
        found.pairs("pixel", "abdom")
    assert caught.value.code is Code.SCRIPT_MISSING
    assert "/workspace/run_pixel_abdom.sh" in caught.value.message


def test_an_image_that_was_there_before_is_not_removed(tmp_path: Path) -> None:
    archive = tmp_path / "image.tar"
    archive.write_bytes(b"not read")
    engine = FakeEngine()
    engine.load(archive)
    [known] = engine.images()
    with loaded(engine, archive, known):
        pass
    assert engine.images() == [known]


TIMED_OUT, CRASHED = Outcome.TIMED_OUT, Outcome.CRASHED
FINE = RunOutcome(0, False, False, False, None, 1.0, 1, "", "")


@pytest.mark.parametrize(
    ("ended", "code", "outcome"),
    [
        (FINE, None, None),
        (replace(FINE, output_full=True), None, None),
        (replace(FINE, out_of_memory=True), None, None),
        (
            replace(FINE, exit_code=None, timed_out=True, out_of_memory=True),
            Code.TIMED_OUT,
            Outcome.TIMED_OUT,
        ),
        (replace(FINE, exit_code=137, out_of_memory=True), Code.OUT_OF_MEMORY, CRASHED),
        (replace(FINE, exit_code=1, output_full=True), Code.OUTPUT_FULL, CRASHED),
        (replace(FINE, exit_code=None, stopped=Stop.CANCELLED), Code.CRASHED, CRASHED),
        (replace(FINE, exit_code=127), Code.CRASHED, CRASHED),
    ],
)
def test_the_most_telling_cause_is_told(
    demo: Kit, ended: RunOutcome, code: Code | None, outcome: Outcome | None
) -> None:
    job = Job("j", FACTS.id, ["sh"], demo.folder, "/in", "/out", demo.challenge.limits, cases=2)
    told = failure_of_run(job, ended)
    assert (told.code if told else None) is code
    assert unfinished_outcome(ended) is outcome
