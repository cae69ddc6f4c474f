"""The kinds of anomaly that a challenge may name: those that ship, and private ones from a folder.

Every group lists its kinds in its own `kinds.py`; `scene` says how to add one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from datasets.anomalies import private
from datasets.anomalies.alterations.kinds import KINDS as ALTERATIONS
from datasets.anomalies.conditions.kinds import KINDS as CONDITIONS
from datasets.anomalies.corruptions.kinds import KINDS as CORRUPTIONS
from datasets.anomalies.destructions.kinds import KINDS as DESTRUCTIONS
from datasets.anomalies.global_corruptions.kinds import KINDS as GLOBAL_CORRUPTIONS
from datasets.anomalies.images.kinds import KINDS as IMAGES
from datasets.anomalies.pathologies.kinds import KINDS as PATHOLOGIES
from datasets.anomalies.private import PrivateKindError
from datasets.anomalies.scene import EVERYWHERE, Category, Kind
from datasets.anomalies.toys.kinds import KINDS as TOYS
from datasets.populations.registry import IMPORTED

TOY = "sphere"
TOY_SHAPES = ("sphere", "cube")
ALL = "all"

LOCAL: dict[str, type[Kind]] = {kind.name: kind for kind in (*TOYS, *IMAGES, *PATHOLOGIES, *CORRUPTIONS)}
GLOBAL: dict[str, type[Kind]] = {
    kind.name: kind for kind in (*GLOBAL_CORRUPTIONS, *CONDITIONS, *ALTERATIONS, *DESTRUCTIONS)
}


@dataclass(frozen=True)
class Kinds:
    """What a dataset may choose from. `digest` tells private folders apart, "" without one."""

    local: Mapping[str, type[Kind]]
    whole: Mapping[str, type[Kind]]
    digest: str = ""

    def of(self, category: Category) -> Mapping[str, type[Kind]]:
        """Local or global kinds by name."""
        return self.local if category == "local" else self.whole

    def suiting(self, category: Category, population: str) -> list[str]:
        """The names of those that make sense in the population; imported scans have no labels to go by."""
        wanted = set(EVERYWHERE) if population == IMPORTED else {population}
        return sorted(name for name, kind in self.of(category).items() if wanted <= set(kind.populations))

    def chosen(self, category: Category, population: str, listed: Sequence[str]) -> list[str]:
        """The names in `listed`, with `all` standing for every kind that suits the population but toys."""
        every = [
            name for name in self.suiting(category, population) if self.of(category)[name].group != "toys"
        ]
        names = [name for entry in listed for name in (every if entry == ALL else [entry])]
        return list(dict.fromkeys(names))


SHIPPED = Kinds(LOCAL, GLOBAL)


@lru_cache
def known(folder: Path | None) -> Kinds:
    """The kinds that ship and those of a private folder; read once a process.

    Raises:
        PrivateKindError: the folder cannot be used, or one of its kinds has a name that is taken.
    """
    if folder is None:
        return SHIPPED
    both: dict[Category, dict[str, type[Kind]]] = {"local": dict(LOCAL), "global": dict(GLOBAL)}
    for kind in private.load(folder):
        if kind.name in both[kind.category]:
            raise PrivateKindError(f"{folder}: a {kind.category} kind named {kind.name!r} exists already")
        both[kind.category][kind.name] = kind
    return Kinds(both["local"], both["global"], private.digest(folder))
