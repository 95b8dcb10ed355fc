"""The free baselines: policies that need no search, which every searched one must beat."""

from searchspaces.families import randaugment, uniformaugment
from searchspaces.levels import all_levels, scale_ops
from searchspaces.ops import find_op
from searchspaces.policy import Base, Branch, Choice, Policy, ResizedCrop, Step


def baselines(channels: int, base: Base) -> dict[str, Policy]:
    """The five free baselines by label, plainest first: nothing at all, the base alone ("flip+crop", of large photos
    "flip+resized-crop"; left out where the base does nothing), and on top of that base TrivialAugment wide, RandAugment(2, 9) on
    torchvision's scale, and UniformAugment.
    """
    return {
        "none": Policy(),
        **({_base_label(base): Policy(base)} if base.ops else {}),
        "trivialaugment-wide": trivialaugment_wide(channels, base),
        "randaugment(2,9)": randaugment.build(channels, base).decode({"ops": 2, "level": 9}),
        "uniformaugment": uniformaugment.build(channels, base).decode({"ops": 2, "range_fraction": 1.0}),
    }


def _base_label(base: Base) -> str:
    """What the base does: digits are not flipped, so theirs is "crop"; aerial images are "flip+turns+crop"."""
    is_resized = isinstance(base.crop, ResizedCrop)
    turned = base.quarter_turns > 0
    parts = {
        "flip": base.hflip > 0 or base.vflip > 0,
        "turns": turned,
        "resized-crop": is_resized,
        "crop": base.crop is not None and not is_resized,
    }
    return "+".join(part for part, is_on in parts.items() if is_on)


def trivialaugment_wide(channels: int, base: Base) -> Policy:
    """TrivialAugment (Müller and Hutter 2021, arXiv 2103.10158) in its wide space: one op of 14 at one of 31 levels.

    As published, ops that can't change an image stay among the 14 (saturation on a grey one); only those that can't be given
    images with this many channels are left out. Runs after the base's crop, as every policy searched here does.
    """
    names = [name for name in scale_ops("trivialaugment-wide") if find_op(name).accepts(channels)]
    choices = tuple(Choice(name, (all_levels(name, "trivialaugment-wide"),)) for name in names)
    return Policy(base, (Branch(steps=(Step(choices),)),))
