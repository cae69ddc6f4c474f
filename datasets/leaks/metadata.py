"""What can be told of a hidden case without a look at its voxels: it must be nothing."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from datasets.leaks.findings import Tried
from datasets.leaks.permutation import Floats, auc_p, aucs, classifier_p
from datasets.leaks.scan import Envelope, fields_that_differ
from datasets.manifest import Case

_TELLING = re.compile(r"abnormal|normal|anomal|lesion|healthy|train|toy|sick|ood", re.IGNORECASE)


@dataclass(frozen=True)
class Fixed:
    """Something that must be the same in all files: `broken` says how it is not, None where it is."""

    name: str
    auc: float | None
    broken: str | None
    fine: str


def fixed(cases: Sequence[Case], envelopes: Sequence[Envelope], kinds: Sequence[str]) -> list[Fixed]:
    """Whatever has no reason to differ between the hidden cases of one dataset."""
    labels = np.array([case.label == 1 for case in cases])
    headers = [one.header for one in envelopes]
    fields = ", ".join(fields_that_differ(headers))
    names = [case.name for case in cases]
    return [
        _same("headers", headers, labels, f"NIfTI headers differ in {fields}"),
        _same("gzip headers", [one.gzip_header for one in envelopes], labels, "gzip headers differ"),
        _same("bytes after the voxels", [one.tail for one in envelopes], labels, "files end differently"),
        _same("delivered sizes", [one.delivered for one in envelopes], labels, "sizes in containers differ"),
        _same("writers", [one.writer for one in envelopes], labels, "files were not written alike"),
        _same("file modes", [one.mode for one in envelopes], labels, "file modes differ"),
        _same("shapes of names", [_pattern(name) for name in names], labels, "names are not built alike"),
        _telling(names, kinds),
    ]


def _same(name: str, values: Sequence[Any], labels: Floats, problem: str) -> Fixed:
    counted = Counter(values)
    if len(counted) == 1:
        return Fixed(name, None, None, f"the same in all {len(values)} hidden cases")
    usual = counted.most_common(1)[0][0]
    odd = np.array([[value != usual] for value in values], dtype=np.float64)
    return Fixed(name, float(aucs(odd, labels.astype(bool))[0]), f"{problem}: {len(counted)} variants", "")


def _pattern(name: str) -> str:
    """A name with letters and digits of hexadecimal numbers made alike."""
    stem, dot, suffix = name.partition(".")
    return re.sub(r"[0-9a-f]", "h", stem) + dot + suffix


def _telling(names: Sequence[str], kinds: Sequence[str]) -> Fixed:
    words = [word for name in names for word in (*_TELLING.findall(name), *(k for k in kinds if k in name))]
    broken = f"names hold {', '.join(sorted(set(words)))}" if words else None
    return Fixed("words in names", None, broken, "no name holds a word that tells")


def columns(cases: Sequence[Case], envelopes: Sequence[Envelope]) -> dict[str, Floats]:
    """What may differ between hidden cases but must not go with the label, (cases,) each."""
    names = [case.name for case in cases]
    place = {name: position for position, name in enumerate(sorted(names))}
    width = max(map(len, names))
    characters = np.array([[ord(letter) for letter in name.ljust(width)] for name in names], np.float64)
    varying = np.flatnonzero(np.ptp(characters, axis=0) > 0)
    return {
        "order of names": np.array([float(place[name]) for name in names]),
        "order in the manifest": np.arange(len(names), dtype=np.float64),
        "time of change": np.array([one.modified for one in envelopes]),
        "delivered size": np.array([float(one.delivered) for one in envelopes]),
        "length of the header": np.array([float(len(one.header)) for one in envelopes]),
        **{f"character {position} of the name": characters[:, position] for position in varying},
    }


def tests(
    found: dict[str, Floats], labels: Floats, rng: np.random.Generator, rounds: int
) -> tuple[list[Tried], Floats]:
    """Tests of orders, times and of all of it together, and the columns that vary at all."""
    varying = {name: values for name, values in found.items() if np.ptp(values) > 0}
    table = np.stack(list(varying.values()), axis=1)
    single = [name for name in varying if not name.startswith("character")]
    picked = np.stack([varying[name] for name in single], axis=1)
    made = [
        Tried(name, "metadata", float(auc), float(p), f"{name} tells the label with AUC {auc:.2f}")
        for name, auc, p in zip(single, *auc_p(picked, labels.astype(bool), rng, rounds), strict=True)
    ]
    auc, p = classifier_p(table, labels.astype(bool), rng, rounds)
    sentence = f"a linear classifier on {table.shape[1]} columns of metadata reaches AUC {auc:.2f}"
    return [*made, Tried("metadata together", "metadata", auc, p, sentence)], table
