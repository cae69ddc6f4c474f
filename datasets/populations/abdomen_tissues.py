"""Tissues of the abdomen: their numbers, their Hounsfield units, and the window that makes them grey.

The window keeps soft tissue wide apart and squeezes both ends instead of cutting them off, so that gas stays
apart from lung and fat, dense bone from marrow and tagged fluid, and air is dark but never exactly 0.
"""

from dataclasses import dataclass

import numpy as np

# Hounsfield units and the grey values they become, linear in between.
HOUNSFIELD = np.array([-1024.0, -870.0, -200.0, 300.0, 1500.0])
GREY = np.array([0.032, 0.080, 0.180, 0.820, 0.990])

LABELS: dict[str, int] = {
    name: number
    for number, name in enumerate(
        [
            "air", "skin", "fat", "muscle", "bone", "marrow", "disc", "cartilage", "spinal-canal", "lung",
            "heart", "liver", "gallbladder", "spleen", "stomach", "pancreas", "kidneys", "adrenals", "aorta",
            "cava", "vessel", "small-bowel", "colon-wall", "colon-gas", "colon-fluid", "bladder",
            "reproductive", "ascites", "table",
        ]
    )
}  # fmt: skip


@dataclass(frozen=True)
class Tissues:
    """Hounsfield units of one person, `enhanced` from 0 (no contrast medium) to 1 (portal venous phase).

    Typical values as in Prokop and Galanski, Spiral and Multislice Computed Tomography of the Body, and in
    Dähnert, Radiology Review Manual.
    """

    enhanced: float
    steatosis: float
    bone_density: float
    tagging: float

    air: float = -1000.0
    gas: float = -985.0
    lung: float = -850.0
    fat: float = -103.0
    skin: float = 15.0
    fluid: float = 8.0
    urine: float = 4.0
    disc: float = 75.0
    cartilage: float = 110.0
    canal: float = 25.0
    table: float = -330.0
    foam: float = -880.0
    plaque: float = 650.0

    @property
    def muscle(self) -> float:
        return 53 + 9 * self.enhanced

    @property
    def liver(self) -> float:
        return 58 + 52 * self.enhanced - self.steatosis

    @property
    def spleen(self) -> float:
        return 48 + 70 * self.enhanced

    @property
    def kidney(self) -> float:
        return 32 + 135 * self.enhanced

    @property
    def cortex(self) -> float:
        return 34 + 160 * self.enhanced

    @property
    def pancreas(self) -> float:
        return 40 + 58 * self.enhanced

    @property
    def artery(self) -> float:
        return 42 + 115 * self.enhanced

    @property
    def vein(self) -> float:
        return 42 + 100 * self.enhanced

    @property
    def bowel(self) -> float:
        return 38 + 48 * self.enhanced

    @property
    def cortical(self) -> float:
        return 620 * self.bone_density

    @property
    def marrow(self) -> float:
        return 165 * self.bone_density
