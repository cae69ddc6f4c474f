"""Remove what runs left on this machine: containers, volumes, loop devices, files and images of ours."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from submissions import loops
from submissions.engine import NAME_LABEL, Engine, EngineError
from submissions.output import discard_file, output_files

YOUNG = timedelta(minutes=10)


@dataclass
class Swept:
    """What a sweep removed, by name or id, and what it could not remove, with the reason."""

    containers: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def sweep(
    engine: Engine,
    directory: Path | None,
    needed: Collection[str],
    needed_images: Collection[str],
    young: timedelta = YOUNG,
) -> Swept:
    """Remove everything of the engine's namespace whose job is not in `needed`, older than `young`.

    `directory` holds the output files of this installation; None if it has none. What cannot be removed is
    told in `problems` and left for the next sweep.
    """
    swept = Swept()
    before = datetime.now(UTC) - young
    gone = _containers(engine, needed, before, swept)
    _volumes(engine, needed, before, swept)
    if directory is not None and directory.is_dir() and loops.missing() is None:
        _files(directory, needed, before, gone, swept)
    _images(engine, needed_images, swept)
    return swept


def _containers(engine: Engine, needed: Collection[str], before: datetime, swept: Swept) -> set[str]:
    """Returns the names of the jobs whose containers went."""
    gone: set[str] = set()
    for state in engine.containers():
        if state.labels.get(NAME_LABEL) in needed or state.created > before:
            continue
        try:
            engine.remove(state.id)
            swept.containers.append(state.name)
            gone.add(state.labels.get(NAME_LABEL, ""))
        except EngineError as error:
            swept.problems.append(str(error))
    return gone


def _volumes(engine: Engine, needed: Collection[str], before: datetime, swept: Swept) -> None:
    for volume in engine.volumes():
        if volume.labels.get(NAME_LABEL) in needed or volume.created > before:
            continue
        try:
            engine.remove_volume(volume.name)
            swept.volumes.append(volume.name)
        except EngineError as error:
            swept.problems.append(str(error))


def _files(
    directory: Path, needed: Collection[str], before: datetime, gone: Collection[str], swept: Swept
) -> None:
    """Files are old by their last write, or because their container was."""
    for name, file in output_files(directory).items():
        try:
            young = datetime.fromtimestamp(file.stat().st_mtime, UTC) > before
            if name in needed or (young and name not in gone):
                continue
            discard_file(file)
            swept.files.append(name)
        except (loops.LoopError, OSError) as error:
            swept.problems.append(f"{file.name}: {error}")
    for device in loops.orphans(directory):
        try:
            loops.detach(device)
        except loops.LoopError as error:
            swept.problems.append(str(error))


def _images(engine: Engine, needed: Collection[str], swept: Swept) -> None:
    for image_id in engine.images():
        if image_id in needed:
            continue
        try:
            if engine.remove_image(image_id):
                swept.images.append(image_id)
        except EngineError as error:
            swept.problems.append(str(error))
