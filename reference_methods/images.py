"""A method's folder and its weights become a build context, and the context an image."""

import io
import os
import shutil
import tarfile
from collections.abc import Iterator
from pathlib import Path

import docker
from docker.errors import APIError, BuildError, DockerException, ImageNotFound

BASE, TORCH = "moodarena/python:3.11", "moodarena/torch:2.13.0"
MADE_BY = {BASE: "sh setup/base_image.sh", TORCH: "sh setup/torch_image.sh"}
ROOT = Path(__file__).parent
NETWORKS = ("cevae", "cradl", "fpi", "pii")
LEARNING = {*NETWORKS, "histogram", "pca", "voxel_statistics"}
METHODS = tuple(sorted(LEARNING | {"constant", "intensity", "random"}))


class MissingWeights(FileNotFoundError):
    """A method that learns has not learned yet."""


class BuildFailed(RuntimeError):
    """The engine did not build the image; the message says why."""


def write_context(name: str, weights: Path, out: Path) -> None:
    """Write everything that the image of a method is made of to a new folder, for `docker build`.

    `weights` is the folder with the .npz of each dataset that the method has scripts for. Raises
    `MissingWeights` when one is not there, `FileExistsError` when the folder is.
    """
    files = dict(_files(name, weights))
    out.mkdir(parents=True)
    for inside, source in files.items():
        (out / inside).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, out / inside)


def build(name: str, weights: Path, tag: str | None = None) -> str:
    """Build the image of a method and return its tag. Raises `MissingWeights`, `BuildFailed`."""
    tag = tag or f"moodarena/{name}:latest"
    context, base = _archive(dict(_files(name, weights))), TORCH if name in NETWORKS else BASE
    try:
        engine = docker.from_env(timeout=600)
        engine.images.get(base)
        engine.images.build(fileobj=context, custom_context=True, tag=tag, rm=True, forcerm=True)
    except ImageNotFound as error:
        raise BuildFailed(f"the engine has no {base}; make it with `{MADE_BY[base]}`") from error
    except (APIError, BuildError, DockerException) as error:
        raise BuildFailed(f"{tag}: {error}") from error
    return tag


def datasets_of(name: str) -> list[str]:
    """The datasets that a method has entry scripts for."""
    return sorted({path.stem.rsplit("_", 1)[1] for path in (ROOT / name).glob("run_*.sh")})


def _files(name: str, weights: Path) -> Iterator[tuple[str, Path]]:
    """Path in the context and where it comes from."""
    method = ROOT / name
    yield "Dockerfile", method / "Dockerfile"
    yield "README.md", method / "README.md"
    yield "workspace/reference_methods/__init__.py", ROOT / "__init__.py"
    folders = [ROOT / "common", *([ROOT / "common" / "deep"] if name in NETWORKS else []), method]
    for source in (source for folder in folders for source in sorted(folder.glob("*.py"))):
        yield f"workspace/reference_methods/{source.relative_to(ROOT)}", source
    for source in sorted(method.glob("run_*.sh")):
        yield f"workspace/{source.name}", source
    if missing := missing_weights(name, weights):
        remedy = f"python -m reference_methods train {name} --data DIR --out {weights}"
        raise MissingWeights(f"{', '.join(map(str, missing))} missing; make it with `{remedy}`")
    for source in _learned(name, weights):
        yield f"workspace/weights/{source.name}", source


def missing_weights(name: str, weights: Path) -> list[Path]:
    """Files that the image of a method needs and that are not there."""
    return [path for path in _learned(name, weights) if not path.is_file()]


def _learned(name: str, weights: Path) -> list[Path]:
    return [weights / f"{dataset}.npz" for dataset in datasets_of(name)] if name in LEARNING else []


def _archive(files: dict[str, Path]) -> io.BytesIO:
    """A tar of the files, the same bytes for the same contents, readable by any user of the image."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for inside, source in files.items():
            entry = tarfile.TarInfo(inside)
            entry.size = os.stat(source).st_size
            entry.mode = 0o644
            with source.open("rb") as content:
                archive.addfile(entry, content)
    stream.seek(0)
    return stream
