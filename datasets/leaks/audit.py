"""The leak gate: everything that could tell a hidden case's label but the anomaly itself is tried.

Tests of one dataset are corrected together by Holm's method, and datasets share the family-wise error: a set
without leaks passes with a probability of 1 - alpha at least.
"""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from datasets import manifest
from datasets.leaks import baselines, duplicates, metadata, places, properties, reading, traces
from datasets.leaks.findings import AuditReport, Baseline, CrossTable, Finding, Kind, Tried, Verdict
from datasets.leaks.permutation import ROUNDS, Floats, auc_p, holm, linear_scores
from datasets.leaks.reading import Seen
from datasets.leaks.scan import Envelope, fields_that_differ

ALPHA = 0.05
FEWEST_OF_A_LABEL = 3
BASE = ("brightness of the body", "extent of the body")  # of the person; local anomalies hardly touch them
SHOWN = 5  # pairs or files that are named
Progress = Callable[[str, int, int], None]
Features = Sequence[dict[str, float]]


class AuditError(RuntimeError):
    """There is nothing to audit; the message says what to do."""


def audit(
    folder: Path,
    secret: bytes | None,
    rng: np.random.Generator,
    alpha: float = ALPHA,
    rounds: int = ROUNDS,
    progress: Progress | None = None,
) -> AuditReport:
    """Audit all datasets below `folder`, which `dataset build` made.

    Without the `secret` traces of it are not looked for, and the report says so. `alpha` is the family-wise
    error of the whole audit, `rounds` the number of permutations. `progress` is called with dataset, scans
    read and scans in all.

    Raises:
        AuditError: there is no dataset, or one with too few hidden cases of a label.
        ManifestError, VolumeError, OSError: a file is missing or damaged.
        ValueError: the secret is shorter than any build accepts.
    """
    found = sorted(path.parent for path in folder.glob("*/manifest.json"))
    if not found:
        raise AuditError(f"{folder} holds no folder with a manifest.json; name what `dataset build` made")
    parts = [_Dataset(one, rng, alpha / len(found), rounds).audited(secret, progress) for one in found]
    return AuditReport(
        alpha,
        rounds,
        cases={name: count for part in parts for name, count in part.cases.items()},
        findings=[finding for part in parts for finding in part.findings],
        baselines=[line for part in parts for line in part.baselines],
        tables=[table for part in parts for table in part.tables],
    )


class _Dataset:
    """One dataset under audit; `labels` and the rows of all tables are its hidden cases."""

    def __init__(self, folder: Path, rng: np.random.Generator, alpha: float, rounds: int) -> None:
        self.folder, self.rng, self.alpha, self.rounds = folder, rng, alpha, rounds
        self.described = manifest.read(folder / "manifest.json")
        self.test = self.described.cases_of("test")
        self.labels = np.array([case.label == 1 for case in self.test], dtype=bool)
        if min(self.labels.sum(), (~self.labels).sum()) < FEWEST_OF_A_LABEL:
            raise AuditError(
                f"{folder} has fewer than {FEWEST_OF_A_LABEL} hidden cases of a label; nothing can be tested"
            )

    def audited(self, secret: bytes | None, progress: Progress | None) -> AuditReport:
        told = partial(progress or _silent, self.described.dataset)
        seen = reading.read(self.folder, self.described, self.rng, told)
        tried, table = self._metadata(seen)
        tied, tables = self._kinds_by_property(seen)
        findings = [
            *self._fixed(seen),
            *self._corrected([*tried, *self._images(seen), *tied]),
            *self._doubles(seen),
            *self._traces(secret),
        ]
        return AuditReport(
            self.alpha,
            self.rounds,
            {self.described.dataset: len(self.test)},
            findings,
            self._baselines(seen, table),
            tables,
        )

    def _metadata(self, seen: Seen) -> tuple[list[Tried], Floats]:
        columns = metadata.columns(self.test, seen.envelopes)
        return metadata.tests(columns, self.labels, self.rng, self.rounds)

    def _rows(self, category: str) -> list[int]:
        """Normal cases and the abnormal ones of a category."""
        return [i for i, case in enumerate(self.test) if case.label == 0 or case.category == category]

    def _images(self, seen: Seen) -> list[Tried]:
        """What surrounds local anomalies is gated; what they, or global kinds, do to a scan may be seen."""
        gated = [
            Tried(name, "image", auc, p, f"{name}, outside the anomaly: AUC {auc:.2f} for local kinds")
            for name, auc, p in self._told(seen.outside, "local")
        ]
        shown = [
            Tried(
                f"{name}, {category} kinds",
                "image",
                auc,
                p,
                f"{name} of whole scans: AUC {auc:.2f}",
                False,
            )
            for category in ("local", "global")
            for name, auc, p in self._told(seen.features, category)
        ]
        compared = [(one.kind, one.own, one.others) for one in seen.comparisons]
        return [*gated, *places.tried(compared, self.rng, self.rounds), *shown]

    def _told(self, features: Features, category: str) -> list[tuple[str, float, float]]:
        """Name, AUC and p of each image feature, this category of anomalies against normal cases."""
        rows = self._rows(category)
        labels = self.labels[rows]
        if labels.sum() < FEWEST_OF_A_LABEL:
            return []
        auc, p = auc_p(_table(features, rows), labels, self.rng, self.rounds)
        return list(zip(features[0], auc.tolist(), p.tolist(), strict=True))

    def _kinds_by_property(self, seen: Seen) -> tuple[list[Tried], list[CrossTable]]:
        rows = self._rows("local")
        chosen = [self.test[i] for i in rows]
        found = {name: [seen.outside[i][name] for i in rows] for name in BASE}
        stated = properties.of_bases(chosen)
        kinds = [case.kind for case in chosen]
        return properties.tried(self.described.dataset, kinds, found | stated, self.rng, self.rounds)

    def _fixed(self, seen: Seen) -> list[Finding]:
        kinds = sorted({case.kind for case in self.test if case.kind})
        made = [
            self._finding(
                one.name, "leak" if one.broken else "ok", one.broken or one.fine, auc=one.auc, kind="metadata"
            )
            for one in metadata.fixed(self.test, seen.envelopes, kinds)
        ]
        return [*made, *self._texts(seen.envelopes), *self._other_headers(seen)]

    def _texts(self, envelopes: Sequence[Envelope]) -> list[Finding]:
        texts = {f"{field}: {text}" for one in envelopes for field, text in one.texts().items()}
        if not texts:
            return []
        named = "; ".join(sorted(texts)[:SHOWN])
        return [self._finding("text in headers", "note", f"headers hold text: {named}", kind="metadata")]

    def _other_headers(self, seen: Seen) -> list[Finding]:
        headers = {one.header for one in (*seen.envelopes, *seen.others)}
        if len(headers) == len({one.header for one in seen.envelopes}):
            return []
        fields = ", ".join(fields_that_differ(sorted(headers)))
        sentence = f"headers of toy or training cases are not those of hidden ones: {fields}"
        return [self._finding("headers of other parts", "note", sentence, kind="metadata")]

    def _corrected(self, tried: Sequence[Tried]) -> list[Finding]:
        """Verdicts after Holm's correction over all gated tests."""
        gated = [one for one in tried if one.gated]
        corrected = dict(zip(map(id, gated), holm(np.array([one.p for one in gated])).tolist(), strict=True))
        made = []
        for one in tried:
            p = corrected.get(id(one))
            told = (one.p if p is None else p) <= self.alpha
            verdict: Verdict = "ok" if not told else "note" if p is None else "leak"
            dataset = self.described.dataset
            made.append(Finding(dataset, one.name, one.kind, one.auc, one.p, p, verdict, one.sentence))
        return made

    def _doubles(self, seen: Seen) -> list[Finding]:
        shown = duplicates.different_people(self.described.cases)
        cases = [self.described.cases[i] for i in shown]
        equal = duplicates.same([case.image.sha256 for case in cases])
        alike = duplicates.suspicious(duplicates.nearest(np.stack([seen.thumbnails[i] for i in shown])))
        named = [f"{cases[a].image.path} and {cases[b].image.path} are equal" for a, b in equal]
        named += [
            f"{cases[pair.first].image.path} and {cases[pair.second].image.path} "
            f"(correlation {pair.correlation:.3f})"
            for pair in alike
            if (pair.first, pair.second) not in equal
        ]
        sentence = f"one subject twice, {len(named)} pairs: {'; '.join(named[:SHOWN])}"
        if named:
            return [self._finding("one subject twice", "leak", sentence)]
        return [self._finding("one subject twice", "ok", f"no two of {len(cases)} scans are of one subject")]

    def _traces(self, secret: bytes | None) -> list[Finding]:
        if secret is None:
            sentence = "no secret was given, so neither it nor its seeds were looked for"
            return [self._finding("traces of the secret", "note", sentence)]
        found = traces.search(self.folder, self.described, secret)
        if found:
            sentence = f"{len(found)} traces: {'; '.join(found[:SHOWN])}"
            return [self._finding("traces of the secret", "leak", sentence)]
        return [self._finding("traces of the secret", "ok", "neither secret nor seeds are in any file")]

    def _finding(
        self, name: str, verdict: Verdict, sentence: str, kind: Kind = "identity", auc: float | None = None
    ) -> Finding:
        return Finding(self.described.dataset, name, kind, auc, None, None, verdict, sentence)

    def _baselines(self, seen: Seen, columns: Floats) -> list[Baseline]:
        table = _table(seen.features, range(len(self.test)))
        names = list(seen.features[0])
        scores = {
            "metadata, linear": linear_scores(columns, self.labels, self.rng),
            "intensity": table[:, names.index("brightness of the body")],
            "flatness": table[:, names.index("flattest places")],
            "all trivial features, linear": linear_scores(table, self.labels, self.rng),
        }
        cases = baselines.of_cases(self.described.dataset, scores, self.labels)
        return [*cases, *seen.voxels.baselines(self.described.dataset)]


def _table(features: Features, rows: Sequence[int]) -> Floats:
    return np.array([list(features[i].values()) for i in rows], dtype=np.float64)


def _silent(dataset: str, done: int, total: int) -> None:
    """Nobody watches."""
