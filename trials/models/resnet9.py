"""ResNet-9: the net of the quick CIFAR-10 records (Page 2018, "How to train your ResNet"; DAWNBench). It takes any size."""

from dataclasses import replace

from torch import Tensor, nn

from searchspaces.families.option import whole_number
from trials.models.model import Model
from trials.models.norms import BATCH, NORM, block, initialise_as_he

LOGITS_TIMES = 0.125
"""As published: it keeps the first logits small."""


class Residual(nn.Module):
    """Two blocks whose result is added to what they were given."""

    def __init__(self, channels: int, norm: str) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*block(channels, channels, norm), *block(channels, channels, norm))

    def forward(self, images: Tensor) -> Tensor:
        """The same shape."""
        blocks: Tensor = self.blocks(images)
        return images + blocks


class ResNet9(nn.Module):
    """Eight convolutions, two residual: 6.6 million weights at width 64, 0.41 million at 16, for 3 channels and 10 classes."""

    def __init__(self, channels: int, classes: int, width: int = 64, norm: str = BATCH) -> None:
        super().__init__()
        self.stem = nn.Sequential(*block(channels, width, norm))
        self.layer1 = nn.Sequential(*block(width, 2 * width, norm), _halved(), Residual(2 * width, norm))
        self.layer2 = nn.Sequential(*block(2 * width, 4 * width, norm), _halved())
        self.layer3 = nn.Sequential(*block(4 * width, 8 * width, norm), _halved(), Residual(8 * width, norm))
        self.head = nn.Linear(8 * width, classes, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Logits (images, classes) of float images (images, channels, height, width)."""
        features: Tensor = self.layer3(self.layer2(self.layer1(self.stem(images))))
        logits: Tensor = self.head(features.amax(dim=(2, 3)))  # torch's own adaptive pooling is not deterministic on a GPU
        return LOGITS_TIMES * logits


def _halved() -> nn.MaxPool2d:
    return nn.MaxPool2d(2, ceil_mode=True)  # of an odd side the last row counts too, and one pixel stays one


MODEL = Model(
    "resnet9",
    "ResNet-9, eight convolutions; for 32 px and about",
    "Page 2018, How to train your ResNet (DAWNBench)",
    ResNet9,
    initialise_as_he,
    (replace(whole_number("width", "channels of the first convolution", 4, 1024, 64), example="16"), NORM),
)
