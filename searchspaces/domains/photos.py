"""Photos of things, animals, places: mirrored ones are as good, and nothing is forbidden."""

from searchspaces.domains.domain import Domain
from searchspaces.policy import Base, PadCrop, ResizedCrop

PHOTO_BASE = Base(crop=PadCrop(0.125), hflip=0.5)
LARGE_PHOTO_BASE = Base(
    crop=ResizedCrop(), hflip=0.5, interpolation="bilinear"
)  # as torchvision's references: 8 % of the area up

DOMAIN = Domain(
    name="photos",
    summary="photos of things, animals, places: cropped and mirrored",
    small=PHOTO_BASE,
    large=LARGE_PHOTO_BASE,
    channels=(1, 3),
)
