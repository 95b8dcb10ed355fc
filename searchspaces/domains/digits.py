"""Digits and letters: what they are depends on which way up and round they stand."""

from searchspaces.domains.domain import Domain, Limit
from searchspaces.policy import Base, PadCrop

DIGIT_BASE = Base(crop=PadCrop(0.125))  # a mirrored 2 is no digit

DOMAIN = Domain(
    name="digits",
    summary="digits and letters: cropped with padding, never mirrored, turned by 30 degrees at most",
    small=DIGIT_BASE,
    large=DIGIT_BASE,  # a resized crop may cut a stroke off, and an 8 becomes a 0
    limits=(
        Limit(
            ("hflip", "vflip", "quarter_turns"),
            "a mirrored 2 or a turned 6 is another character, or none",
            "by the meaning of the signs",
        ),
        Limit(
            ("rotate>30",),
            "further round a 6 nears a 9, and a 1 a 7",
            "this project; small distortions serve handwriting: Simard et al. 2003, doi 10.1109/ICDAR.2003.1227801",
        ),
    ),
    channels=(1, 3),
)
