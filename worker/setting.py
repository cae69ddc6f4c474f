"""Which slots a node serves, as `MOODARENA_SLOTS` says. Light: the supervisor loads nothing heavier."""

import re
from dataclasses import dataclass

LANES = ("toy", "test")
_GPU = re.compile(r"(GPU|MIG)-[0-9a-f-]+")


@dataclass(frozen=True)
class SlotSpec:
    """`lane` is toy or test; `device` is cpu or the UUID of a GPU; `number` tells equal slots apart."""

    lane: str
    device: str
    number: int

    @property
    def gpu(self) -> str | None:
        return None if self.device == "cpu" else self.device

    @property
    def name(self) -> str:
        return f"{self.lane}-{self.device}-{self.number}"


def parse_slots(text: str) -> list[SlotSpec]:
    """Read `MOODARENA_SLOTS`, such as `toy:cpu,test:cpu` or `toy:GPU-1a2b…,test:GPU-3c4d…`.

    Raises:
        ValueError: the text names no slot, an unknown lane or device, or one GPU twice.
    """
    slots: list[SlotSpec] = []
    for item in filter(None, (part.strip() for part in text.split(","))):
        lane, _, device = item.partition(":")
        if lane not in LANES:
            raise ValueError(
                f"MOODARENA_SLOTS: unknown lane {lane!r} in {item!r}; use one of {', '.join(LANES)}"
            )
        device = device or "cpu"
        if device != "cpu" and not _GPU.fullmatch(device):
            raise ValueError(
                f"MOODARENA_SLOTS: {device!r} is no device; write cpu, or the UUID that `nvidia-smi -L` tells"
            )
        if device != "cpu" and any(slot.device == device for slot in slots):
            raise ValueError(f"MOODARENA_SLOTS: {device} serves two slots; a GPU is one slot")
        slots.append(
            SlotSpec(lane, device, sum(slot.lane == lane and slot.device == device for slot in slots))
        )
    if not slots:
        raise ValueError("MOODARENA_SLOTS names no slot; write toy:cpu,test:cpu, or leave it out")
    return slots
