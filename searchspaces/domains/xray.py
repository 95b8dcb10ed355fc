"""Chest x-rays, and radiographs like them: left and right, up and down are told apart, and grey means how much is absorbed."""

from searchspaces.domains.domain import Domain, Limit
from searchspaces.policy import Base, PadCrop, ResizedCrop

_BODY = "Sowrirajan et al. 2020, MoCo-CXR, arXiv 2010.05352: no crops, blur or strong changes of grey, turns of 10 degrees"

DOMAIN = Domain(
    name="xray",
    summary="chest x-rays: small crops alone, never mirrored, turned by 15 degrees at most, white stays white",
    small=Base(crop=PadCrop(0.0625)),
    large=Base(crop=ResizedCrop(scale_low=0.8, aspect_low=0.9, aspect_high=1 / 0.9), interpolation="bilinear"),
    limits=(
        Limit(
            ("hflip", "vflip", "quarter_turns"),
            "the heart is on the left; a mirrored chest shows situs inversus, which is a finding",
            "by anatomy; that CheXNet (arXiv 1711.05225) and others mirror all the same says it may cost little where no label"
            " has a side: --forbid none allows it",
        ),
        Limit(
            ("rotate>15", "shear_x>0.15", "shear_y>0.15"),
            "patients stand or lie nearly straight; angles and the heart's width are read",
            _BODY,
        ),
        Limit(
            ("crop<0.75", "translate_x>0.15", "translate_y>0.15", "translate_x_px>10", "translate_y_px>10", "erase>0.25"),
            "findings lie at the edges too: the angles beside the diaphragm, the tips of the lungs",
            _BODY,
        ),
        Limit(
            ("invert", "solarize", "solarize_add", "posterize<5"),
            "a grey level is how much of the ray was absorbed: bone white, air black",
            _BODY,
        ),
    ),
    channels=(1,),
)
