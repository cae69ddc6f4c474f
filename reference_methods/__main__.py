"""For those who build the images: train a method, lay out its build context, build its image."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

from rich.progress import track

from reference_methods import images
from reference_methods.common.cases import Watch, find
from reference_methods.histogram.train import train as train_histogram
from reference_methods.pca.train import train as train_pca
from reference_methods.voxel_statistics.train import train as train_voxel_statistics


class Learned(Protocol):
    """What a trainer returns."""

    def save(self, path: Path) -> None:
        """Write the weights."""


TRAINERS: dict[str, Callable[[Sequence[Path], Watch], Learned]] = {
    "histogram": train_histogram,
    "pca": train_pca,
    "voxel_statistics": train_voxel_statistics,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand; the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (OSError, ValueError, images.BuildFailed) as error:
        print(f"reference_methods: {error}", file=sys.stderr)
        return 1
    return 0


def train(options: argparse.Namespace) -> None:
    """Learn from every DATASET/DATASET_train/*.nii.gz of a folder."""
    if options.name not in TRAINERS:
        print(f"{options.name} learns nothing; build it as it is")
        return
    datasets = sorted(path.name for path in options.data.glob("*") if _training_folder(path).is_dir())
    if not datasets:
        raise FileNotFoundError(f"no DATASET/DATASET_train folder in {options.data}")
    for dataset in datasets:
        scans = find(_training_folder(options.data / dataset))
        target = _weights_of(options) / f"{dataset}.npz"
        TRAINERS[options.name](scans, _watch).save(target)
        print(f"{options.name}: {dataset} learned from {len(scans)} scans, {target}")


def context(options: argparse.Namespace) -> None:
    """Write a folder that `docker build` takes as it is."""
    images.write_context(options.name, _weights_of(options), options.out)
    print(options.out)


def build(options: argparse.Namespace) -> None:
    """Build the image in the engine."""
    print(images.build(options.name, _weights_of(options), options.tag))


def _training_folder(dataset: Path) -> Path:
    return dataset / f"{dataset.name}_train"


def _weights_of(options: argparse.Namespace) -> Path:
    return options.weights or Path(".cache/weights") / str(options.name)


def _watch(paths: Sequence[Path], purpose: str) -> Iterable[Path]:
    return track(paths, description=purpose)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m reference_methods", description=__doc__)
    commands = parser.add_subparsers(required=True)
    for command in (train, context, build):
        sub = commands.add_parser(command.__name__, help=command.__doc__, description=command.__doc__)
        sub.set_defaults(run=command)
        sub.add_argument("name", choices=images.METHODS)
        sub.add_argument(
            "--out" if command is train else "--weights",
            dest="weights",
            type=Path,
            help="folder with a DATASET.npz each (default: .cache/weights/NAME)",
        )
        if command is train:
            sub.add_argument("--data", type=Path, required=True, help="folder with the training scans")
        elif command is context:
            sub.add_argument("--out", type=Path, required=True, help="folder to write; must not exist yet")
        else:
            sub.add_argument("--tag", help="name of the image (default: moodarena/NAME:latest)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
