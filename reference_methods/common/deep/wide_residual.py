"""The wide residual encoder and decoder of FPI and PII: pre-activated blocks, no skip connections.

Tan et al., Detecting Outliers with Foreign Patch Interpolation (MELBA 2022), after Zagoruyko and Komodakis,
Wide Residual Networks. Shapes: n slices, height h and width w.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn


class Block(nn.Module):
    """Pre-activated residual block: BN, ReLU, 3×3 twice; smaller by a stride or larger by nearest ×2.

    The shortcut is the input itself, or 1×1 of the activated input where the number of channels changes.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1, enlarge: bool = False) -> None:
        super().__init__()
        self.activate = nn.Sequential(nn.BatchNorm2d(inputs), nn.ReLU())
        self.before = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.after = nn.Sequential(
            nn.BatchNorm2d(outputs), nn.ReLU(), nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        )
        self.resize = nn.Upsample(scale_factor=2, mode="nearest") if enlarge else nn.Identity()
        self.projects = inputs != outputs
        self.shortcut = (
            nn.Conv2d(inputs, outputs, 1, stride, bias=False) if self.projects else nn.AvgPool2d(stride)
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, h, w) to (n, outputs, h', w')."""
        active = self.activate(x)
        shortcut = self.shortcut(active if self.projects else x)
        changed: Tensor = self.after(self.resize(self.before(active))) + self.resize(shortcut)
        return changed


class Network(nn.Module):
    """Wide residual encoder and decoder without skip connections; logits (n, classes, h, w).

    `strides` is how often a side is halved and doubled again: 4 (depth 16), or 5 for the deeper variant.
    """

    def __init__(self, widen: int, classes: int = 1, strides: int = 4) -> None:
        super().__init__()
        k = widen
        down = [16 * k, 32 * k, *[64 * k] * (strides - 1)]
        up = [*[32 * k] * (strides - 3), 16 * k, 16, classes] if strides > 3 else [32 * k, 16, classes]
        encoder = [Block(i, o, stride=1 + (n > 0)) for n, (i, o) in enumerate(_pairs(16, down))]
        decoder = [Block(i, o, enlarge=True) for i, o in _pairs(down[-1], up)]
        self.layers = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), *encoder, *decoder)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
        # With channels innermost, convolutions of so few of them take three quarters of the time on a CPU.
        nn.utils.convert_conv2d_weight_memory_format(self, torch.channels_last)

    def forward(self, x: Tensor) -> Tensor:
        """Slices (n, 1, h, w), whose sides `2 ** strides` divides.

        Logits are float32 even under autocast: in bfloat16 few scores would differ from each other.
        """
        logits: Tensor = self.layers(x)
        return logits.float()


def _pairs(first: int, channels: Sequence[int]) -> list[tuple[int, int]]:
    return list(zip([first, *channels[:-1]], channels, strict=True))
