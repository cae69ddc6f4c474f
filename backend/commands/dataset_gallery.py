"""`python -m backend dataset gallery` and `dataset statistics`"""

from pathlib import Path
from typing import Annotated

import typer

from backend.commands import console
from backend.commands.audit import Built, secret_of
from backend.commands.console import Json
from backend.errors import BadInput
from datasets import origin, statistics
from datasets.anomalies.kinds import known
from datasets.anomalies.private import PrivateKindError
from datasets.gallery import contents, page
from datasets.gallery.contents import GalleryError
from datasets.manifest import ManifestError
from datasets.volume import VolumeError, write_bytes

Out = Annotated[
    Path | None, typer.Option(file_okay=False, help="Folder to write to; DIR/gallery if not given.")
]


def show_gallery(
    folder: Built,
    secret_file: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, help="The secret seed, if not that of the data folder."),
    ] = None,
    out: Out = None,
    examples: Annotated[
        int, typer.Option(min=1, max=2, help="Scans of each kind and difficulty that are shown.")
    ] = 1,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw cases.")] = 1,
    as_json: Json = False,
) -> None:
    """One page with the people, every kind before and after, toys, analysis sets, the leak report."""
    target = out or folder / "gallery"
    try:
        audit = page.read_audit(folder / "audit" / "audit.json")
        kinds = known(_private(folder))
        with console.counting("drawing") as progress:
            shown = contents.collect(folder, secret_of(secret_file, folder), examples, workers, progress)
    except (GalleryError, ManifestError, VolumeError, PrivateKindError, OSError, ValueError) as error:
        raise BadInput("gallery_not_made", str(error)) from error
    write_bytes(target / "gallery.html", page.to_html(shown, audit, kinds))
    statistics.write([one.statistics for one in shown], target)
    lines = [f"{one.title}: no scans before the anomaly, since {one.reason}" for one in shown if one.reason]
    kinds_of = {one.described.dataset: len(one.kinds) for one in shown}
    told = {"page": str(target / "gallery.html"), "kinds": kinds_of, "no_twins": lines}
    console.show(told, as_json, *lines, f"The page is {target / 'gallery.html'}; it shows hidden cases.")


def tell_statistics(folder: Built, out: Out = None, as_json: Json = False) -> None:
    """What may be published about the people of each dataset: volumes, ages, contrast."""
    try:
        found = [statistics.of(described) for described in contents.manifests(folder)]
    except (GalleryError, ManifestError) as error:
        raise BadInput("no_statistics", str(error)) from error
    written = statistics.write(found, out or folder / "gallery")
    lines = [
        f"{one.dataset}, {statistics.title(measured.property)}: "
        f"{told.mean:.4g} ± {told.sd:.3g} {measured.unit} ({told.minimum:.4g} to {told.maximum:.4g})"
        for one in found
        for measured in one.measured
        for told in [measured.groups[statistics.ALL]]
    ]
    data = [statistics.as_json(one) for one in found]
    console.show(data, as_json, *lines, f"Written: {', '.join(map(str, written))}")


def _private(folder: Path) -> Path | None:
    """The folder of the organizer's own kinds that the datasets were built with, if it is still there."""
    kept = origin.read(folder)
    path = kept.anomaly_path if kept else None
    return path if path and path.is_dir() else None
