"""A worker for tests in a browser: its own code, with an engine that only tells of containers."""

import json
import tarfile
from pathlib import Path

import numpy as np

from submissions.fake_engine import Behaviour, FakeEngine, FakeOutput
from tests.archives import Image, save, tar
from tests.unit.backend.world import World
from worker import evaluation, leases
from worker.bench import Bench
from worker.blobs import Blobs

SCRIPTS = tuple(
    f"workspace/run_{task}_{dataset}.sh" for task in ("sample", "pixel") for dataset in ("brain", "abdom")
)
SLOT = "node/test-cpu-0"


def image(path: Path, *scripts: str, name: str = "mine") -> Path:
    """A saved image with these entry scripts."""
    layer = tar(*((script, name.encode()) for script in scripts))
    return save(
        path, Image(layers=[layer], settings={"Labels": {"name": name}}).docker(), path.suffix == ".gz"
    )


def guess(inputs: Path, outputs: Path) -> None:
    """What a container of the sample task does: one score a case."""
    for number, case in enumerate(sorted(inputs.iterdir())):
        (outputs / f"{case.name}.txt").write_text(f"{number / 10}\n")


def work(world: World, *behaviours: Behaviour) -> None:
    """Carry out everything that waits."""
    engine = FakeEngine(behaviours or [Behaviour(writes=guess)], image_id_of=_image_id)
    bench = Bench(
        platform=world.platform,
        engine=engine,
        blobs=Blobs(world.platform.settings, world.platform.storage),
        slot=SLOT,
        gpu=None,
        rng=np.random.default_rng(0),
        stopping=lambda: False,
        output=lambda engine, job, folder, announce: FakeOutput(engine, job, folder / "outputs"),
    )
    while lease := _claimed(world):
        assert evaluation.run(bench, lease), "the platform failed"


def _claimed(world: World) -> leases.Lease | None:
    with world.write() as session:
        found = (leases.claim(session, lane, SLOT, 100) for lane in ("toy", "test"))
        return next((lease for lease in found if lease), None)


def _image_id(archive: Path) -> str:
    with tarfile.open(archive) as members:
        manifest = members.extractfile("manifest.json")
        assert manifest is not None
        return "sha256:" + json.load(manifest)[0]["Config"].removesuffix(".json")
