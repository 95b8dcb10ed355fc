"""What an op is: one deterministic image operation with named parameters in physical units.

An op never draws a random number (where its effect is itself noise it is given a seed), never clamps a value silently, and knows
nothing of levels or libraries' magnitudes.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from searchspaces.arrays import ImageBatch, PerImageSeeds, PerImageValues

Kind = Literal["geometry", "tone", "colour", "texture", "none"]
Interpolation = Literal["nearest", "bilinear"]


@dataclass(frozen=True)
class Setting:
    """What an op is given beside its values, the same for all images of a batch but for the seeds.

    `fill` (0 to 255) is the level that geometry moves in. `interpolation` is how ops that resample find a level between pixels.
    `seeds` (from 0 to 2**63 - 1) has one number for each image, for ops whose effect is itself noise; None for all others.
    """

    fill: int = 0
    interpolation: Interpolation = "nearest"
    seeds: PerImageSeeds | None = None


Kernel = Callable[[ImageBatch, PerImageValues, Setting], ImageBatch]
FusedKernel = Callable[[Any, Any, Any, int, bool, int, Any], None]
NumpyKernel = Callable[[Any, tuple[float, ...], int, bool, int], Any]


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

    `kernel(images, values, setting)` maps uint8 images (images, channels, height, width) with one row of float64 values per image
    (in the order of `parameters`) to new images of the same shape; it does not touch its input. `reference(image, values,
    setting)` is the same op for one image (channels, height, width) by somebody else's library, for the tests; None where no
    library has it. The first parameter is the strength.

    `fused(image, out, values, fill, bilinear, seed, scratch)` is the kernel again for one image, in the part of Python that numba
    compiles: it writes all of `out`, a C-contiguous uint8 array (channels, height, width) as `image` is, and may use `scratch`,
    int32 of 4 * (height + 2) * (width + 2) or at least 4096 entries. None: the op runs in torch. `in_numpy(image, values, fill,
    bilinear, seed)` is it once more in plain numpy for one image, for exported files that have neither torch nor numba.

    `meaning` says what the op does to a pixel, in one sentence or formula that could be programmed from. `seeded` ops are noise:
    they get a seed for each image. `resamples`: whether the interpolation matters to it. `per_image` kernels take the images one
    by one, on the CPU wherever they lie. `elsewhere`: what other libraries call it and where theirs differs, in words, for docs.
    `package`: what the kernel imports beside the core, "" where nothing; `install` is what pip calls it, if not the same.
    """

    name: str
    parameters: tuple[Parameter, ...]
    kind: Kind
    kernel: Kernel
    source: str
    meaning: str = ""
    reference: Callable[[Any, tuple[float, ...], Setting], Any] | None = None
    fused: FusedKernel | None = None
    in_numpy: NumpyKernel | None = None
    signed: bool = False
    seeded: bool = False
    resamples: bool = False
    per_image: bool = False
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    channels: frozenset[int] | None = None
    spans: Mapping[str, Span] = field(default_factory=dict)
    tolerance: Tolerance = Tolerance()
    package: str = ""
    install: str = ""

    @property
    def strength(self) -> Parameter:
        """The parameter that says how strong the op is: the first."""
        return self.parameters[0]

    @property
    def runs(self) -> Literal["fused", "torch", "per image"]:
        """How it runs on a CPU: in the compiled kernel, in torch on many images at once, or image by image."""
        return "per image" if self.per_image else "torch" if self.fused is None else "fused"

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
