"""What an op is: one deterministic image operation with named parameters in physical units.

An op never draws a random number, never clamps a value silently, and knows nothing of levels or libraries' magnitudes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from searchspaces.arrays import ImageBatch, PerImageValues

Kernel = Callable[[ImageBatch, PerImageValues, int], ImageBatch]
Family = Literal["geometry", "tone", "colour", "none"]


@dataclass(frozen=True)
class Parameter:
    """One parameter of an op.

    `low` and `high` are the hard limits of the value (both included); `identity` is the value at which the op does nothing.
    """

    name: str
    unit: str
    identity: float
    low: float
    high: float
    whole: bool = False


@dataclass(frozen=True)
class Span:
    """A named range of an op's strength: from its weakest to its strongest value, with the source it comes from."""

    weak: float
    strong: float
    source: str


@dataclass(frozen=True)
class Tolerance:
    """How far a kernel may be from its reference: at most `levels` grey levels on at most `share` of the pixels."""

    levels: int = 0
    share: float = 0.0


@dataclass(frozen=True)
class Op:
    """An entry of the op table.

    `kernel(images, values, fill)` maps uint8 images (images, channels, height, width) with one row of float64 values per image
    (in the order of `parameters`) to new images of the same shape; `fill` (0 to 255) is what geometry moves in. The kernel does
    not touch its input. `reference(image, values, fill)` is the same op for one image (channels, height, width) by somebody
    else's library, for the tests; None where no library has it. The first parameter is the strength.
    """

    name: str
    parameters: tuple[Parameter, ...]
    kind: Family
    kernel: Kernel
    source: str
    reference: Callable[[Any, tuple[float, ...], int], Any] | None = None
    signed: bool = False
    channels: frozenset[int] | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()

    @property
    def strength(self) -> Parameter:
        """The parameter that says how strong the op is: the first."""
        return self.parameters[0]

    def accepts(self, channels: int) -> bool:
        """Whether images with this many channels may be given to the kernel."""
        return self.channels is None or channels in self.channels

    def changes(self, channels: int) -> bool:
        """Whether the op can change images with this many channels (ops of colour leave grey ones as they are)."""
        return self.accepts(channels) and not (self.kind == "colour" and channels == 1)

    @property
    def identity(self) -> tuple[float, ...]:
        """The values, one per parameter, at which the op does nothing."""
        return tuple(parameter.identity for parameter in self.parameters)
