"""What is common and harmless beyond fifty: cysts, plaques, diverticula, gallstones. They are normal."""

import numpy as np

from datasets.populations.abdomen_bowel import SIGMOID, Bowel
from datasets.populations.abdomen_organs import Organs
from datasets.populations.abdomen_person import Person
from datasets.populations.abdomen_tissues import LABELS
from datasets.populations.abdomen_vessels import Vessels
from datasets.populations.shapes import Composition, Layer, capsule, ellipsoid


class Findings:
    """Draws and paints; `counts` says how many of each there are.

    Shares after prevalences at 50 to 80 years in textbooks: renal cysts 30 to 50 %, diverticula 40 to 60 %,
    gallstones 10 to 15 %, aortic calcification in most.
    """

    def __init__(self, rng: np.random.Generator, person: Person, body: Composition):
        self.rng, self.person, self.body = rng, person, body
        self.counts: dict[str, float] = {}

    def paint(self, organs: Organs, bowel: Bowel, vessels: Vessels) -> None:
        self._plaques(vessels)
        self._renal_cysts(organs)
        self._liver_cysts()
        self._gallstones(organs)
        self._diverticula(bowel)
        self._phleboliths()

    def _often(self, share: float, mean: float) -> int:
        some, many = self.rng.random(), int(self.rng.poisson(mean))
        return 1 + many if some < share else 0

    def _plaques(self, vessels: Vessels) -> None:
        number = self._often(0.25 + 0.02 * (self.person.age - 50), 0.35 * (self.person.age - 48))
        radii = vessels.radii()
        lower = np.flatnonzero(vessels.aorta[:, 2] < 60)
        parts = []
        for _ in range(number):
            index, angle = int(self.rng.choice(lower)), self.rng.uniform(0, 2 * np.pi)
            around = np.array([np.cos(angle), np.sin(angle), 0]) * (radii[index] - 0.9)
            size = self.rng.uniform([1.2, 1.2, 2], [2.2, 2.2, 6])
            parts.append(ellipsoid(vessels.aorta[index] + around, size))
        self.body.paint(parts, Layer(self.person.tissues.plaque, LABELS["aorta"]))
        self.counts["plaques"] = number

    def _renal_cysts(self, organs: Organs) -> None:
        number = self._often(0.35, 0.6)
        for _ in range(number):
            centre, radii, _turn = organs.kidneys[int(self.rng.integers(2))]
            way = self.rng.normal(0, [1, 0.7, 1])
            outwards = way / np.linalg.norm(way) * radii * 0.88
            outwards[0] = abs(outwards[0]) * np.sign(centre[0])
            radius = self.rng.uniform(3, 12)
            self.body.paint(
                [ellipsoid(centre + outwards, [radius] * 3)],
                Layer(self.person.tissues.fluid, LABELS["kidneys"], 0, 1),
            )
        self.counts["renal_cysts"] = number

    def _liver_cysts(self) -> None:
        number = self._often(0.15, 0.5)
        for _ in range(number):
            centre = self.person.at(
                (self.rng.uniform(40, 95), self.rng.uniform(-35, 40), self.rng.uniform(50, 110))
            )
            radius = self.rng.uniform(2.5, 8)
            self.body.paint(
                [ellipsoid(centre, [radius] * 3)], Layer(self.person.tissues.fluid, LABELS["liver"], 0, 1)
            )
        self.counts["liver_cysts"] = number

    def _gallstones(self, organs: Organs) -> None:
        number = self._often(0.12, 1.5)
        dense = self.rng.uniform(60, 420)
        for _ in range(number):
            down = np.array([0, -self.person.upwards * self.rng.uniform(5, 8), 0])
            place = organs.fundus + down + self.rng.normal(0, [3, 1, 3])
            size = self.rng.uniform(1.5, 4.5)
            stone = Layer(0.6 * dense, LABELS["gallbladder"], 1.2)
            self.body.paint([ellipsoid(place, [size] * 3)], Layer(dense, LABELS["gallbladder"]), stone)
        self.counts["gallstones"] = number

    def _diverticula(self, bowel: Bowel) -> None:
        number = self._often(0.45, 6)
        t, low, high = self.person.tissues, *SIGMOID
        left = np.flatnonzero((bowel.station > low) & (bowel.station < high))
        for _ in range(number):
            index = int(self.rng.choice(left))
            way = self.rng.normal(0, 1, 3)
            way /= np.linalg.norm(way)
            neck = bowel.beads[index] + way * bowel.radii[index] * 0.9
            tip = bowel.beads[index] + way * (bowel.radii[index] + 4)
            filling, name = self.rng.choice([t.gas, t.gas, t.tagging]), LABELS["colon-gas"]
            wall = Layer(t.bowel, LABELS["colon-wall"])
            self.body.paint([capsule(neck, tip, 3.0, 4.6)], wall, Layer(float(filling), name, 1.4))
        self.counts["diverticula"] = number

    def _phleboliths(self) -> None:
        number = self._often(0.35, 1.2)
        for _ in range(number):
            side = self.rng.choice([-1, 1])
            place = self.person.at(
                (side * self.rng.uniform(42, 54), self.rng.uniform(-30, 5), self.rng.uniform(-205, -180))
            )
            self.body.paint(
                [ellipsoid(place, [self.rng.uniform(1.5, 2.8)] * 3)], Layer(450, LABELS["vessel"])
            )
        self.counts["phleboliths"] = number
