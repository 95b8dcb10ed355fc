"""Images from above, of planes and satellites: no way is up, and how large a thing is tells what it is."""

from searchspaces.domains.domain import Domain, Limit
from searchspaces.policy import Base, PadCrop, ResizedCrop

DOMAIN = Domain(
    name="aerial",
    summary="images from above: all 8 symmetries of the square, crops that keep a quarter of the area",
    # The turns alone with one flip give each of the 8 alike; the other flip changes nothing and is there to be forbidden alone.
    small=Base(crop=PadCrop(0.125), hflip=0.5, vflip=0.5, quarter_turns=0.75),
    large=Base(crop=ResizedCrop(scale_low=0.25), hflip=0.5, vflip=0.5, quarter_turns=0.75, interpolation="bilinear"),
    limits=(
        Limit(
            ("crop<0.25",),
            "at a known height a thing's size tells a car from a lorry: enlarged at most twice",
            "this project; objects' sizes and free orientations: Xia et al. 2018, DOTA, arXiv 1711.10398",
        ),
        Limit(
            ("hue>0.1", "invert", "solarize", "solarize_add"),
            "what grows, what is water and what is built is told by colour and by which is the darker",
            "this project",
        ),
    ),
    channels=None,
)
