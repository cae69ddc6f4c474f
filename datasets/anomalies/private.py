"""Kinds from a folder of the organizer's own: those that ship are public, so methods can be trained on them.

Every `*.py` file of the folder defines at least one kind, in the way that `scene` describes; files whose name
begins with an underscore are left alone.
"""

import hashlib
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from types import ModuleType
from typing import get_args

from datasets.anomalies.scene import Category, Group, Kind
from datasets.populations.registry import POPULATIONS

NEEDED = ("name", "category", "group", "populations", "needs_donor", "draw", "apply")


class PrivateKindError(ValueError):
    """A private folder or file cannot be used; the message names it and says why."""


def load(folder: Path) -> list[type[Kind]]:
    """All kinds of the folder, in the order of its files.

    Raises:
        PrivateKindError: there is no such folder or no file in it, or one cannot be imported or isn't a kind.
    """
    return [kind for path in files(folder) for kind in _kinds_of(path)]


def digest(folder: Path) -> str:
    """SHA-256 over names and contents: other files make another version of a dataset."""
    total = hashlib.sha256()
    for path in files(folder):
        content = path.read_bytes()
        total.update(f"{path.name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()


def files(folder: Path) -> list[Path]:
    """The files that define kinds.

    Raises:
        PrivateKindError: there is no such folder, or no file in it.
    """
    if not folder.is_dir():
        raise PrivateKindError(f"{folder}: there is no such folder; correct `anomaly_path`")
    found = sorted(path for path in folder.glob("*.py") if not path.name.startswith("_"))
    if not found:
        raise PrivateKindError(f"{folder}: no Python file in it defines a kind; correct `anomaly_path`")
    return found


def _kinds_of(path: Path) -> list[type[Kind]]:
    module = _imported(path)
    kinds = list(_classes(path, module))
    if not kinds:
        raise PrivateKindError(f"{path}: defines no kind; a kind is a dataclass with {', '.join(NEEDED)}")
    return kinds


def _imported(path: Path) -> ModuleType:
    name = f"private_kinds_{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:12]}_{path.stem}"
    described = importlib.util.spec_from_file_location(name, path)
    if described is None or described.loader is None:
        raise PrivateKindError(f"{path}: cannot be imported; give it a name that a Python module may have")
    module = importlib.util.module_from_spec(described)
    sys.modules[name] = module  # dataclasses look their module up
    try:
        described.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's module raises, the organizer is told which it was
        del sys.modules[name]
        raise PrivateKindError(f"{path}: cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _classes(path: Path, module: ModuleType) -> Iterator[type[Kind]]:
    for found in vars(module).values():
        if isinstance(found, type) and found.__module__ == module.__name__ and hasattr(found, "apply"):
            _check(path, found)
            yield found


def _check(path: Path, kind: type[Kind]) -> None:
    lacking = [attribute for attribute in NEEDED if not hasattr(kind, attribute)]
    if lacking:
        raise PrivateKindError(f"{path}: {kind.__name__} lacks {', '.join(lacking)}")
    if not is_dataclass(kind):
        raise PrivateKindError(f"{path}: {kind.__name__} is no dataclass; its parameters could not be kept")
    if not re.fullmatch(r"[a-z][a-z0-9-]{0,39}", str(kind.name)):
        raise PrivateKindError(f"{path}: the name {kind.name!r} is not like `ring-lesion`")
    for attribute, allowed in (("category", get_args(Category)), ("group", get_args(Group))):
        if getattr(kind, attribute) not in allowed:
            raise PrivateKindError(
                f"{path}: {kind.name}.{attribute} is {getattr(kind, attribute)!r}; choose from {allowed}"
            )
    strange = set(kind.populations) - set(POPULATIONS)
    if strange or not kind.populations:
        raise PrivateKindError(
            f"{path}: {kind.name}.populations names {sorted(strange) or 'none'}; "
            f"choose from {sorted(POPULATIONS)}"
        )
