"""Noise and compression borrowed from Albumentations: ISONoise, ShotNoise, MultiplicativeNoise, SaltAndPepper, ImageCompression
(WebP).

Each function is the op in plain numpy for one image; at its identity it leaves the image to the bit as it is. All noise comes
from the seed. See `borrowed`.
"""

from typing import Any

from searchspaces.ops.borrowed import borrowed, entry
from searchspaces.ops.op import Parameter

LEAST_SHOT_NOISE = 1e-6
"""Below this the noise is less than half a level, and numpy's Poisson numbers soon reach their limit."""


def iso_noise(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """A camera's noise at high sensitivity."""
    intensity, hue = values
    return borrowed(image, seed, "ISONoise", intensity=(intensity,) * 2, color_shift=(hue, hue)) if intensity else image.copy()


def shot_noise(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """The noise of few photons: each level a Poisson number."""
    scale = values[0]
    return borrowed(image, seed, "ShotNoise", scale_range=(scale, scale)) if scale >= LEAST_SHOT_NOISE else image.copy()


def multiplicative_noise(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Each level of each channel times a factor of its own."""
    spread = values[0]
    if spread == 0:
        return image.copy()
    factors = {"multiplier": (1 - spread, 1 + spread), "per_channel": True, "elementwise": True}
    return borrowed(image, seed, "MultiplicativeNoise", **factors)


def salt_and_pepper(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """Some pixels white, some black."""
    amount, salt = values
    return borrowed(image, seed, "SaltAndPepper", amount=(amount,) * 2, salt_vs_pepper=(salt, salt)) if amount else image.copy()


def webp(image: Any, values: tuple[float, ...], fill: int, bilinear: bool, seed: int) -> Any:
    """To WebP and back; quality 100 doesn't touch the image."""
    quality = int(values[0])
    if quality == 100:
        return image.copy()
    return borrowed(image, seed, "ImageCompression", compression_type="webp", quality_range=(quality, quality))


OPS = (
    entry(
        "ISONoise",
        iso_noise,
        lambda a, intensity, hue: a.ISONoise((hue, hue), (intensity, intensity), 1.0) if intensity else None,
        (
            Parameter("intensity", "times", identity=0.0, low=0.0, high=2.0),
            Parameter("hue_degrees", "degrees", identity=0.05, low=0.0, high=1.0),
        ),
        kind="texture",
        meaning="Poisson noise on lightness, as strong as its own spread times intensity; normal noise of hue_degrees times "
        "intensity on hue",
        usual=(0.5, "ISONoise's default range"),
        seeded=True,
        channels=frozenset({3}),
    ),
    entry(
        "ShotNoise",
        shot_noise,
        lambda a, scale: a.ShotNoise((scale, scale), 1.0) if scale >= LEAST_SHOT_NOISE else None,
        (Parameter("scale", "of white a photon", identity=0.0, low=0.0, high=1.0),),
        kind="texture",
        meaning="with l = (v / 255) ^ 2.2, l becomes scale times a Poisson number of mean l / scale; nothing below scale 1e-6",
        usual=(0.3, "ShotNoise's default range"),
        seeded=True,
    ),
    entry(
        "MultiplicativeNoise",
        multiplicative_noise,
        lambda a, spread: a.MultiplicativeNoise((1 - spread, 1 + spread), True, True, 1.0) if spread else None,
        (Parameter("spread", "of the level", identity=0.0, low=0.0, high=1.0),),
        kind="texture",
        meaning="v times a number uniform on [1 - spread, 1 + spread], another one for each pixel and channel",
        usual=(0.1, "MultiplicativeNoise's default range"),
        seeded=True,
    ),
    entry(
        "SaltAndPepper",
        salt_and_pepper,
        lambda a, amount, salt: a.SaltAndPepper((amount, amount), (salt, salt), 1.0) if amount else None,
        (
            Parameter("amount", "of the pixels", identity=0.0, low=0.0, high=1.0),
            Parameter("salt_share", "of these", identity=0.5, low=0.0, high=1.0),
        ),
        kind="texture",
        meaning="amount of the pixels, drawn at random, become white (salt_share of them) or black, in all channels",
        usual=(0.06, "SaltAndPepper's default range"),
        seeded=True,
    ),
    entry(
        "ImageCompression",
        webp,
        lambda a, quality: a.ImageCompression("webp", (int(quality), int(quality)), 1.0) if quality != 100 else None,
        (Parameter("quality", "WebP quality", identity=100.0, low=1.0, high=100.0, whole=True),),
        kind="texture",
        meaning="written as WebP of that quality and read again; 100 leaves the image as it is",
        channels=frozenset({1, 3}),
    ),
)
