"""Wide residual networks, the yardstick of most papers on augmentation (Zagoruyko and Komodakis 2016, arXiv 1605.07146).

WRN-D-k of the papers is `wideresnet-D:k=K`; `wrn-28-10` is understood too. It takes any size.
"""

from dataclasses import replace
from functools import partial

from torch import Tensor, nn

from searchspaces.errors import BadInput
from searchspaces.families.option import Option, whole_number
from searchspaces.json_text import shown
from trials.models.model import Model
from trials.models.norms import BATCH, NORM, convolution, initialise_as_he, normalisation

STEM_WIDTH = 16
USUAL_K = {16: 4, 28: 10, 40: 2}


class WideBlock(nn.Module):
    """Normalise, ReLU and convolve, twice, with dropout between (the paper's figure 1 d); added to what it was given."""

    def __init__(self, inputs: int, outputs: int, stride: int, dropout: float, norm: str) -> None:
        super().__init__()
        self.norm1 = normalisation(inputs, norm)
        self.conv1 = convolution(inputs, outputs, norm, stride=stride)
        self.norm2 = normalisation(outputs, norm)
        self.dropout = nn.Dropout(dropout)
        self.conv2 = convolution(outputs, outputs, norm)
        self.shortcut = convolution(inputs, outputs, norm, size=1, stride=stride) if inputs != outputs else None

    def forward(self, images: Tensor) -> Tensor:
        """(images, outputs, height / stride, width / stride), sides rounded up."""
        ready = self.norm1(images)
        kept: Tensor = images if self.shortcut is None else self.shortcut(ready)
        inner = self.dropout(self.norm2(self.conv1(ready)))
        added: Tensor = self.conv2(inner)
        return kept + added


class WideResNet(nn.Module):
    """Three groups of (depth - 4) / 6 blocks, with 16 k, 32 k and 64 k channels."""

    def __init__(self, channels: int, classes: int, depth: int, k: int = 1, dropout: float = 0.0, norm: str = BATCH) -> None:
        super().__init__()
        widths = [STEM_WIDTH, *(k * STEM_WIDTH * 2**group for group in range(3))]
        blocks = (depth - 4) // 6
        self.stem = convolution(channels, STEM_WIDTH, norm)
        self.group1, self.group2, self.group3 = (
            nn.Sequential(
                WideBlock(widths[group], widths[group + 1], 1 if group == 0 else 2, dropout, norm),
                *(WideBlock(widths[group + 1], widths[group + 1], 1, dropout, norm) for _ in range(blocks - 1)),
            )
            for group in range(3)
        )
        self.norm = normalisation(widths[3], norm)
        self.head = nn.Linear(widths[3], classes)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (images, classes) of float images (images, channels, height, width)."""
        features = self.norm(self.group3(self.group2(self.group1(self.stem(images)))))
        logits: Tensor = self.head(features.mean(dim=(2, 3)))
        return logits


def _share(value: object) -> float:
    try:
        share = float(str(value))
    except ValueError:
        share = -1.0
    if not 0 <= share < 1:
        raise BadInput(f"{shown(value)}; allowed is a number from 0 to below 1")
    return share


def _declared(depth: int) -> Model:
    k = replace(whole_number("k", "how many times as wide as a plain net", 1, 64, USUAL_K[depth]), example="8")
    dropout = Option("dropout", "share of the values that a block drops while training; the paper has 0.3", 0.0, "0.3", _share)
    return Model(
        f"wideresnet-{depth}",
        f"WRN-{depth}-k, the papers' yardstick on CIFAR; wrn-{depth}-{USUAL_K[depth]} is it too",
        "Zagoruyko and Komodakis 2016 (arXiv 1605.07146)",
        partial(WideResNet, depth=depth),
        initialise_as_he,
        (k, dropout, NORM),
    )


MODEL = tuple(_declared(depth) for depth in USUAL_K)
