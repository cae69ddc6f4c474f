"""`make demo-data`: every kind of anomaly, at every difficulty, in brain and abdomen of 64 voxels a side.

Builds `challenges/demo-data.yaml` from a secret of its own into `.demo/data`, or finishes what is there, and
tells what it made; fails if a kind that ships is lacking somewhere.
"""

import os
import secrets
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from rich.console import Console
from rich.table import Table

from challenges.spec import load
from datasets import manifest
from datasets.anomalies.kinds import SHIPPED
from datasets.anomalies.scene import CATEGORIES, DIFFICULTIES
from datasets.manifest import Manifest

ROOT = Path(__file__).resolve().parent.parent
DEMO = Path(os.environ.get("MOODARENA_DEMO_DATA", ROOT / ".demo")).absolute()
SECRET = DEMO / "data-secret"
CHALLENGE = ROOT / "challenges" / "demo-data.yaml"

console = Console()


def main() -> int:
    started = time.monotonic()
    out = DEMO / "data"
    _build(out)
    lacking = 0
    for slug, dataset in load(CHALLENGE).datasets.items():
        lacking += _tell(dataset.title, dataset.population, manifest.read(out / slug / "manifest.json"))
    console.print(f"{out}: {time.monotonic() - started:.0f} s", highlight=False)
    look = f"python -m backend dataset gallery {out} --secret-file {SECRET} --workers {os.cpu_count() or 1}"
    console.print(f"Look at it: {look}", highlight=False, soft_wrap=True)
    return 1 if lacking else 0


def _build(out: Path) -> None:
    if not SECRET.exists():
        DEMO.mkdir(parents=True, exist_ok=True)
        SECRET.touch(mode=0o600)
        SECRET.write_text(secrets.token_hex(32))
    arguments = ("dataset", "build", str(CHALLENGE), "--out", str(out), "--secret-file", str(SECRET))
    subprocess.run(
        [sys.executable, "-m", "backend", *arguments, "--workers", str(os.cpu_count() or 1)],
        cwd=ROOT,
        env={**os.environ, "MOODARENA_DATA": str(DEMO), "OMP_NUM_THREADS": "1"},
        check=True,
    )


def _tell(title: str, population: str, described: Manifest) -> int:
    """A table of kinds and difficulties; how many of them are lacking."""
    made = Counter(
        (case.category, case.kind, case.parameters.get("difficulty"))
        for case in described.cases
        if case.label
    )
    table = Table("Kind", *DIFFICULTIES, title=f"{title}: {len(described.cases)} cases", title_justify="left")
    lacking = 0
    for category in CATEGORIES:
        for kind in SHIPPED.chosen(category, population, ["all"]):
            counts = [made[category, kind, difficulty] for difficulty in DIFFICULTIES]
            lacking += counts.count(0)
            table.add_row(f"{kind} ({category})", *map(str, counts))
    console.print(table)
    return lacking


if __name__ == "__main__":
    sys.exit(main())
