"""A challenge as data: what `challenges/*.yaml` may say, checked, with the line of every mistake.

The protocol is the one of the MOOD challenge (Zimmerer, thesis, section 4.1); nothing about it is written
anywhere else in the code.
"""

from datetime import datetime
from pathlib import Path
from string import Formatter
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError

Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
Bytes = Annotated[int, Field(gt=0)]
Part = Literal["training", "toy", "test", "analysis"]
Difficulty = Literal["easy", "medium", "hard"]
Changeable = Literal[
    "title",
    "description",
    "dates.opens",
    "dates.closes",
    "dates.reveal",
    "counted.per_team_and_task",
    "toy.per_team_and_hour",
    "teams.approval",
    "teams.max_members",
    "publication.leaderboard",
    "publication.own_score",
    "publication.decimals",
    "publication.aliases",
]
"""What a challenge may let organizers change while it runs: nothing that a figure or a run hangs on."""
HIDDEN_SETTINGS = ("analysis", "difficulties", "strata")  # of a dataset; `anomalies` is emptied instead
Missing = Literal["zero", "worst", "reject"]


class ChallengeError(ValueError):
    """A challenge file cannot be used; the message names the file, the line and the remedy."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Dates(_Strict):
    """When counted submissions are accepted, and when the board is revealed; `null` means no bound."""

    opens: datetime | None = None
    closes: datetime | None = None
    reveal: datetime | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Dates":
        for moment in (self.opens, self.closes, self.reveal):
            if moment is not None and moment.tzinfo is None:
                raise ValueError("a date needs a time zone; write it like 2020-09-07T23:59:59Z")
        if self.opens and self.closes and self.closes <= self.opens:
            raise ValueError("`closes` must be later than `opens`; correct one of the two")
        return self


class Objects(_Strict):
    """Counting found lesions (Zimmerer, thesis, section 4.2): where scores are cut into objects, how small
    objects may be. The threshold that counts is the one with the best Dice on the toy cases.
    """

    thresholds: tuple[Annotated[float, Field(gt=0, le=1)], ...] = Field(min_length=1, max_length=16)
    min_volume_mm3: float = Field(default=0.0, ge=0)

    @model_validator(mode="after")
    def _thresholds_rise(self) -> "Objects":
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("`thresholds` must rise from one to the next; sort them and remove repetitions")
        return self


class Metric(_Strict):
    """Average precision, over all cases at once or as the mean over fixed batches of cases."""

    name: Literal["average_precision"]
    over: Literal["all_cases", "batches"]
    batch_size: int | None = Field(default=None, ge=2)
    arrangements: int = Field(default=1, ge=1, le=2)
    short_last_batch: Literal["keep"] = "keep"
    objects: Objects | None = None

    @model_validator(mode="after")
    def _batches_have_a_size(self) -> "Metric":
        if (self.over == "batches") != (self.batch_size is not None):
            raise ValueError(
                "`batch_size` belongs to `over: batches` and to nothing else; add it or remove it"
            )
        return self


class Task(_Strict):
    """One question asked of every case: one score per case, or one per voxel."""

    title: str
    level: Literal["case", "voxel"]
    precision: Literal["float64", "float16"]
    clip: tuple[float, float]
    missing: Missing = "worst"
    metric: Metric

    @model_validator(mode="after")
    def _precision_fits_level(self) -> "Task":
        if self.level == "case" and self.precision != "float64":
            raise ValueError("scores per case are few and stay float64; write `precision: float64`")
        if self.level == "voxel" and self.precision != "float16":
            raise ValueError("voxel scores are rounded to float16; write `precision: float16`")
        if self.clip != (0.0, 1.0):
            raise ValueError("scores are clipped to [0, 1]; write `clip: [0, 1]`")
        if self.level == "case" and self.metric.over != "all_cases":
            raise ValueError(
                "a task with one score per case is scored over all cases; write `over: all_cases`"
            )
        if self.level == "case" and self.metric.objects is not None:
            raise ValueError("only voxel scores can be cut into objects; remove `objects`")
        return self


class CaseCounts(_Strict):
    """How many cases a dataset has; `test` says per task how many, a case may serve several tasks."""

    training: int = Field(ge=1)
    toy_abnormal: int = Field(ge=1)
    toy_normal: int = Field(ge=1)
    test: dict[Slug, Annotated[int, Field(ge=1)]]  # a stage without a run would never end


class Proxy(_Strict):
    """Spheres and cubes of random size, place and intensity, and normal cases."""

    abnormal: int = Field(ge=1)
    normal: int = Field(ge=1)


class SizeSeries(_Strict):
    """One person with a sphere at one place: `steps` radii from 0 to `radius` voxels."""

    radius: float = Field(gt=0)
    steps: int = Field(ge=2)


class ContrastSeries(_Strict):
    """One person with a sphere at one place: intensities from 0 to 1 by `step`. `radius` in voxels."""

    radius: float = Field(gt=0)
    step: float = Field(default=0.05, gt=0, le=0.5)


class EqualCounts(_Strict):
    """As many cases of every kind that the dataset lists, and as many normal ones as abnormal ones."""

    per_kind: int = Field(ge=1)


class Analysis(_Strict):
    """Sets that tell how scores depend on kind, size and contrast (Zimmerer, thesis, section 4.1.5).

    They are hidden, and never count.
    """

    model_config = ConfigDict(populate_by_name=True)

    proxy: Proxy | None = None
    size_series: SizeSeries | None = Field(default=None, alias="size-series")
    contrast_series: ContrastSeries | None = Field(default=None, alias="contrast-series")
    equal_counts: EqualCounts | None = Field(default=None, alias="equal-counts")


class Dataset(_Strict):
    """One population of scans. `shape` in voxels, `spacing_mm` in millimetres, axes as stored in NIfTI.

    `variants`: ways of scanning that the population knows, used in turn; none leaves it to the population.
    `anomalies`: kinds by category; the word `all` stands for every kind that suits the population.
    `difficulties` are used in turn. `strata`: properties of a person (numbers or words) over which kinds and
    difficulties are spread evenly.
    """

    title: str
    population: Slug
    shape: tuple[int, int, int]
    spacing_mm: tuple[float, float, float]
    abnormal_share: float = Field(default=0.5, gt=0, lt=1)
    cases: CaseCounts
    variants: tuple[Slug, ...] = ()
    anomalies: dict[Literal["local", "global"], list[Slug]]
    difficulties: tuple[Difficulty, ...] = Field(default=("easy", "medium", "hard"), min_length=1)
    strata: tuple[str, ...] = ()
    analysis: Analysis = Analysis()


class Entry(_Strict):
    """What is run in a container. `{task}` and `{dataset}` are filled in."""

    script: str
    shell: str = "sh"
    input: str
    output: str
    case_prediction: str = "{case}.txt"
    voxel_prediction: str = "{case}"

    @model_validator(mode="after")
    def _templates_can_be_filled_in(self) -> "Entry":
        for name, wanted in (
            ("script", {"task", "dataset"}),
            ("case_prediction", {"case"}),
            ("voxel_prediction", {"case"}),
        ):
            if {
                field for _, field, _, _ in Formatter().parse(getattr(self, name)) if field is not None
            } != wanted:
                fields = " and ".join(f"{{{field}}}" for field in sorted(wanted))
                raise ValueError(
                    f"entry.{name} must contain {fields}, and nothing else in braces; correct it"
                )
        return self

    def script_for(self, task: str, dataset: str) -> str:
        """Path inside the image of the script of one task and dataset."""
        return self.script.format(task=task, dataset=dataset)

    def command_for(self, task: str, dataset: str) -> list[str]:
        """The argument vector that a container runs."""
        return [self.shell, self.script_for(task, dataset), self.input, self.output]


class Limits(_Strict):
    """What a container may use. Sizes in bytes."""

    seconds_per_case: int = Field(gt=0)
    cases_per_container: int = Field(gt=0)
    memory: Bytes
    cpus: float = Field(gt=0)
    pids: int = Field(gt=0)
    shared_memory: Bytes
    temporary: Bytes
    temporary_inodes: int = Field(gt=0)
    output_per_case: Bytes
    output_inodes: int = Field(gt=0)
    log: Bytes
    open_files: int = Field(gt=0)
    file_size: Bytes
    gpu: bool = False
    archive: Bytes
    unpacked_image: Bytes


class Counted(_Strict):
    """The rules of submissions that count."""

    per_team_and_task: int = Field(ge=1)
    counts: Literal["last_scored"]
    all_datasets: bool = True
    on_incomplete: Literal["fail", "score"] = "fail"


class Toy(_Strict):
    """The toy queue: open throughout, never counted, rate-limited."""

    per_team_and_hour: int = Field(ge=1)


class Ranking(_Strict):
    """Per dataset, ties share the best place; the consensus is the mean of places, shared when equal.

    `bootstraps` and `seed` say how often, and from which draws, the report finds out how sure that is.
    """

    ties: Literal["share_best_place"]
    consensus: Literal["mean_of_places"]
    bootstraps: int = Field(default=1000, ge=100, le=100_000)
    seed: int = Field(default=0, ge=0)


class Teams(_Strict):
    """Who may take part."""

    approval: bool = False
    max_members: int = Field(default=10, ge=1)


class Publication(_Strict):
    """What is public, and when. With `aliases`, boards name teams only from the reveal on."""

    leaderboard: Literal["live", "after_reveal", "organizers"]
    own_score: Literal["live", "after_reveal"]
    decimals: int = Field(default=3, ge=1, le=6)
    aliases: bool = False
    keep_predictions: bool = False


class Challenge(_Strict):
    """A whole challenge; see `load`.

    `anomaly_path`: a folder of kinds that nobody else has seen, relative to the challenge file's.
    `organizers_may_change`: what may become another while the challenge runs; all else stays as it is here.
    """

    id: Slug
    title: str
    description: str
    dates: Dates
    tasks: dict[Slug, Task] = Field(min_length=1)
    datasets: dict[Slug, Dataset] = Field(min_length=1)
    entry: Entry
    limits: Limits
    counted: Counted
    toy: Toy
    ranking: Ranking
    teams: Teams = Teams()
    publication: Publication
    anomaly_path: str | None = None
    organizers_may_change: tuple[Changeable, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> "Challenge":
        for name, dataset in self.datasets.items():
            unknown = set(dataset.cases.test) - set(self.tasks)
            lacking = set(self.tasks) - set(dataset.cases.test)
            if unknown or lacking:
                raise ValueError(
                    f"datasets.{name}.cases.test must name exactly the tasks {sorted(self.tasks)}; "
                    f"unknown: {sorted(unknown)}, lacking: {sorted(lacking)}"
                )
            self._every_batch_can_hold_a_positive(name, dataset)
        return self

    def _every_batch_can_hold_a_positive(self, name: str, dataset: Dataset) -> None:
        for task_name, task in self.tasks.items():
            size, cases = task.metric.batch_size, dataset.cases.test[task_name]
            if size and int(cases * dataset.abnormal_share) < -(-cases // size):
                raise ValueError(
                    f"datasets.{name}: {cases} cases with {dataset.abnormal_share:.0%} abnormal cannot put "
                    f"one abnormal case into every batch of {size}; raise `abnormal_share` or `batch_size`"
                )


def load(path: Path) -> Challenge:
    """Read and check one challenge file.

    Raises:
        ChallengeError: the file is not YAML, or says something a challenge cannot mean; the message
            names the line and the remedy.
    """
    return parse(path.read_text(encoding="utf-8"), str(path))


def parse(text: str, name: str = "challenge") -> Challenge:
    """Like `load`, from text; `name` stands for the file in messages."""
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ChallengeError(
            f"{name}, line {line}: not valid YAML: {error.problem}. Check the indentation."
        ) from error
    if not isinstance(tree, dict):
        raise ChallengeError(f"{name}, line 1: a challenge is a mapping; start with `id: my-challenge`.")
    try:
        return Challenge.model_validate(_plain(tree))
    except ValidationError as error:
        raise ChallengeError(
            "\n".join(_located(tree, name, dict(item)) for item in error.errors())
        ) from error


def _plain(node: Any) -> Any:
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return node


def _located(tree: Any, name: str, error: dict[str, Any]) -> str:
    line, node = 1, tree
    for step in error["loc"]:
        try:
            mark = node.lc.value(step) if isinstance(step, int) else node.lc.key(step)
            line, node = mark[0] + 1, node[step]
        except (AttributeError, KeyError, IndexError, TypeError):
            break
    where = ".".join(str(step) for step in error["loc"]) or "the challenge"
    return f"{name}, line {line}: {where}: {_remedy(error)}"


def _remedy(error: dict[str, Any]) -> str:
    message = str(error["msg"]).removeprefix("Value error, ")
    match error["type"]:
        case "missing":
            return "is required; add it below this line"
        case "extra_forbidden":
            return "is not known here; remove it or correct its spelling"
        case "literal_error":
            return f"{message}, not {error['input']!r}"
        case "value_error":
            return message
        case _:
            return f"{message}, but it is {error['input']!r}; correct the value"
