"""For those who build the images: train a method, lay out its build context, build its image."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Protocol

from rich.progress import track

from reference_methods import images
from reference_methods.common.cases import Watch, find
from reference_methods.histogram.train import train as train_histogram
from reference_methods.pca.train import train as train_pca
from reference_methods.voxel_statistics.train import train as train_voxel_statistics

DATA = Path(".demo/scans")  # what `make demo` leaves


class Learned(Protocol):
    """What a trainer returns."""

    def save(self, path: Path) -> None:
        """Write the weights."""


Trainer = Callable[[Sequence[Path], Watch], Learned]

# The others learn networks: see `_trainer`.
TRAINERS: dict[str, Trainer] = {
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
    """Learn from every DATASET/DATASET_train/*.nii.gz of a folder; goes on where it was cut off."""
    if options.name not in images.LEARNING:
        print(f"{options.name} learns nothing; build it as it is")
        return
    datasets = sorted(path.name for path in options.data.glob("*") if _training_folder(path).is_dir())
    if not datasets:
        raise FileNotFoundError(f"no DATASET/DATASET_train folder in {options.data}")
    for dataset in datasets:
        scans = find(_training_folder(options.data / dataset))
        target = _weights_of(options) / f"{dataset}.npz"
        _trainer(options, dataset)(scans, _watch).save(target)
        print(f"{options.name}: {dataset} learned from {len(scans)} scans, {target}")


def context(options: argparse.Namespace) -> None:
    """Write a folder that `docker build` takes as it is."""
    images.write_context(options.name, _weights_of(options), options.out)
    print(options.out)


def build(options: argparse.Namespace) -> None:
    """Build the image in the engine; trains first where there are no weights."""
    if images.missing_weights(options.name, _weights_of(options)) and options.data.is_dir():
        train(options)
    print(images.build(options.name, _weights_of(options), options.tag))


def _trainer(options: argparse.Namespace, dataset: str) -> Trainer:
    """How the method learns a dataset. Networks import torch, which the others do without."""
    if options.name in TRAINERS:
        return TRAINERS[options.name]
    if dataset not in images.datasets_of(options.name):
        raise ValueError(f"{options.name} has no settings for the dataset {dataset}")
    try:
        order = import_module("reference_methods.common.deep.training").Order(
            dataset=dataset,
            folder=_weights_of(options) / ".training",
            config=options.config,
            device=options.device,
            seed=options.seed,
            steps=options.steps,
        )
        method = import_module(f"reference_methods.{options.name}.train")
    except ModuleNotFoundError as error:
        raise ValueError(f"{error}; networks need what `sh setup/venv.sh methods` installs") from error
    return partial(method.train, order=order)


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
        if command is context:
            sub.add_argument("--out", type=Path, required=True, help="folder to write; must not exist yet")
            continue
        sub.add_argument(
            "--data", type=Path, default=DATA, help=f"folder with the training scans (default: {DATA})"
        )
        sub.add_argument("--config", choices=["small", "paper"], default="small", help="of a network")
        sub.add_argument("--device", choices=["auto", "cpu", "cuda"], default="auto", help="of a network")
        sub.add_argument("--seed", type=int, default=0, help="of a network's training (default: 0)")
        sub.add_argument("--steps", type=int, help="of a network's training, in place of the settings'")
        if command is build:
            sub.add_argument("--tag", help="name of the image (default: moodarena/NAME:latest)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
