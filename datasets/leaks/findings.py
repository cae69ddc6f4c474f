"""What an audit says: findings with a verdict each, and the scores that any method has to beat."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Kind = Literal["metadata", "image", "identity"]
Verdict = Literal["ok", "leak", "note"]


@dataclass(frozen=True)
class Finding:
    """One thing that was tried on one dataset.

    `auc`: of the label by this thing alone, 0.5 by chance. `p`: by permutation; `p_holm`: after Holm's
    correction over everything of the dataset that is gated. All three are None for what is no test but must
    simply not be. A `leak` fails the audit; a `note` is for the reader.
    """

    dataset: str
    name: str
    kind: Kind
    auc: float | None
    p: float | None
    p_holm: float | None
    verdict: Verdict
    sentence: str


@dataclass(frozen=True)
class Baseline:
    """The average precision of a score that needs no method; `prevalence` is what chance reaches."""

    dataset: str
    level: Literal["case", "voxel"]
    score: str
    average_precision: float
    prevalence: float


@dataclass(frozen=True)
class CrossTable:
    """How many cases of each kind have which value of a property; `counts[kind][column]`."""

    dataset: str
    property: str
    columns: Sequence[str]
    counts: Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class AuditReport:
    """Everything that was tried, and what came of it. `alpha` is the family-wise error of the whole audit."""

    alpha: float
    rounds: int
    cases: Mapping[str, int]
    findings: Sequence[Finding]
    baselines: Sequence[Baseline] = field(default=())
    tables: Sequence[CrossTable] = field(default=())

    @property
    def leaks(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.verdict == "leak"]

    def as_json(self) -> dict[str, Any]:
        """Plain data, nothing rounded."""
        return {"passed": not self.leaks, **asdict(self)}


@dataclass(frozen=True)
class Tried:
    """A test before the correction: `gated` ones count for it and may fail the audit."""

    name: str
    kind: Kind
    auc: float | None
    p: float
    sentence: str
    gated: bool = True
