"""Where a network runs, and in which precision."""

import torch

DEVICES = ("auto", "cpu", "cuda")


def choose(name: str = "auto") -> torch.device:
    """The device of that name; `auto` is CUDA where there is one. `ValueError` where there is none such."""
    if name not in DEVICES:
        raise ValueError(f"device {name!r}; one of {', '.join(DEVICES)} was expected")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device was found; `--device cpu` needs none")
    return torch.device(name)


def autocast(device: torch.device) -> torch.autocast:
    """bfloat16 where it is fast on every machine: on CUDA. A CPU keeps float32, the same everywhere."""
    return torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda")
