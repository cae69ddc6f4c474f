"""`python -m backend dataset import`"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from backend.commands import console
from backend.commands.console import Json
from backend.commands.hidden import AnomalyPath, SecretFile, private_kinds, secret_for
from backend.errors import BadInput
from challenges import spec
from challenges.spec import Challenge
from datasets.anomalies.insert import NotVisibleError
from datasets.build import BuildError
from datasets.disk import DiskError
from datasets.importers.grid import Grid
from datasets.importers.importing import (
    PROBLEMS,
    SOURCES,
    Imported,
    ImportFailed,
    Request,
    import_dataset,
)
from datasets.importers.intensities import Scale
from datasets.importers.layouts import Layout
from datasets.importers.prepare import How
from datasets.make import CannotMake

Modality = Literal["CT", "MR"]
OF_POPULATION: dict[str, Modality] = {"brain": "MR", "abdomen": "CT"}
SCALE_OF: dict[Modality, Scale] = {"CT": "hounsfield", "MR": "robust"}
TOLD = 20  # names on the screen; the file has the others

Folder = Annotated[Path, typer.Argument(exists=True, file_okay=False, help="Folder with the scans.")]


def import_scans(
    source: Folder,
    layout: Annotated[Layout, typer.Option("--as", help="How the folder is laid out.")],
    challenge: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The challenge's YAML file.")],
    dataset: Annotated[str, typer.Option(help="Which of its datasets the scans become.")],
    out: Annotated[Path, typer.Option(file_okay=False, help="Folder for the datasets; kept secret.")],
    normal: Annotated[
        list[Path] | None,
        typer.Option(exists=True, file_okay=False, help="Normal scans beside brats or isles; repeatable."),
    ] = None,
    image: Annotated[str, typer.Option(help="Word in the names of images (brats, isles).")] = "",
    mask: Annotated[str, typer.Option(help="Word in the names of masks (brats, isles).")] = "",
    series: Annotated[str, typer.Option(help="Words in the description of the DICOM series to take.")] = "",
    modality: Annotated[
        Modality | None, typer.Option(help="What the scans are; that of the population if not given.")
    ] = None,
    scale: Annotated[
        Scale | None, typer.Option(help="Grey values: hounsfield for CT, robust for MR, unit for mood.")
    ] = None,
    window: Annotated[
        tuple[float, float] | None, typer.Option(help="Hounsfield units that become 0 and 1.")
    ] = None,
    resample: Annotated[
        bool, typer.Option("--resample", help="Interpolate scans of another shape or spacing.")
    ] = False,
    kind: Annotated[str, typer.Option(help="What lesions are called in the report.")] = "lesion",
    go_on: Annotated[bool, typer.Option("--go-on", help="Leave out what cannot be used.")] = False,
    secret_file: SecretFile = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes, with one scan each at a time.")] = 1,
    anomaly_path: AnomalyPath = None,
    as_json: Json = False,
) -> None:
    """Make a dataset of scans that were taken elsewhere: with masks, or normal and to be altered."""
    try:
        described = spec.load(challenge)
        how = _how(described, dataset, layout, modality, scale, window, resample)
        request = Request(layout, source, how, tuple(normal or ()), image, mask, series, kind, go_on)
        private = anomaly_path or private_kinds(challenge, described)
        secret = secret_for(secret_file, described.id)
        out.mkdir(parents=True, exist_ok=True, mode=0o700)
        with console.counting("importing") as progress:
            made = import_dataset(described, dataset, secret, out, request, progress, workers, private)
    except (ValueError, ImportFailed, BuildError, CannotMake, NotVisibleError, DiskError) as error:
        raise BadInput("dataset_not_imported", str(error)) from error
    _show(made, challenge, out / dataset, as_json)


def _how(
    challenge: Challenge,
    slug: str,
    layout: Layout,
    modality: Modality | None,
    scale: Scale | None,
    window: tuple[float, float] | None,
    resample: bool,
) -> How:
    if slug not in challenge.datasets:
        raise ValueError(f"{challenge.id} has no dataset {slug!r}; choose from {sorted(challenge.datasets)}")
    dataset = challenge.datasets[slug]
    named = modality or OF_POPULATION.get(dataset.population)
    grid = Grid(dataset.shape, dataset.spacing_mm, resample)
    if window and window[0] >= window[1]:
        raise ValueError(f"--window {window[0]:g} {window[1]:g} is empty; name the lower value first")
    if scale:
        return How(grid, scale, named, window)
    if layout == "mood":
        return How(grid, "unit", named, window)
    if named is None:
        raise ValueError("name what the scans are with --modality CT or --modality MR")
    return How(grid, SCALE_OF[named], named, window)


def _show(made: Imported, challenge: Path, folder: Path, as_json: bool) -> None:
    described = made.manifest
    counts = {part: len(described.cases_of(part)) for part in ("training", "toy", "test", "analysis")}
    told = {
        "dataset": described.dataset,
        "version": described.version,
        "cases": counts,
        "skipped": [{"name": problem.name, "reason": problem.reason} for problem in made.skipped],
        "left": made.left,
        "notes": made.notes,
    }
    skipped = [f"left out: {problem}" for problem in made.skipped[:TOLD]]
    if len(made.skipped) > TOLD:
        skipped.append(f"and {len(made.skipped) - TOLD} more, listed in {folder / PROBLEMS}")
    spare = [f"{len(made.left)} usable scans were not needed"] if made.left else []
    cases = ", ".join(f"{count} {part}" for part, count in counts.items() if count)
    console.show(
        told,
        as_json,
        *skipped,
        *spare,
        *made.notes,
        f"{described.dataset}: {cases} cases, version {described.version}",
        f"Which case shows which scan is kept in {folder / SOURCES}",
        f"Next: python -m backend dataset audit {folder.parent}, then challenge add {challenge}",
    )
