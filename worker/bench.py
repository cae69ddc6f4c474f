"""What a slot works with."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backend.platform import Platform
from submissions.engine import Engine
from submissions.output import Output, choose_output
from submissions.sandbox import Job
from worker.blobs import Blobs

OutputChoice = Callable[[Engine, Job, Path, Callable[[str], None]], Output]
WORK = "work"


@dataclass(frozen=True)
class Bench:
    """A slot's tools: the platform, an engine, blobs, and the GPU that it may hand to containers.

    `stopping` says whether the worker was told to end; `output` makes the folder that a container writes to.
    """

    platform: Platform
    engine: Engine
    blobs: Blobs
    slot: str
    gpu: str | None
    rng: np.random.Generator
    stopping: Callable[[], bool]
    output: OutputChoice = choose_output

    @property
    def work(self) -> Path:
        """The folder for work in progress; what lies in it carries the name of its lease, but for masks."""
        return self.platform.storage.scratch(WORK)
