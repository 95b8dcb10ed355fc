"""Stained tissue under the microscope: no way is up; hue says which stain has taken, and the scale is the lens's."""

from searchspaces.domains.domain import Domain, Limit
from searchspaces.policy import Base, PadCrop, ResizedCrop

DOMAIN = Domain(
    name="histology",
    summary="stained tissue: all 8 symmetries of the square, colours kept to what stains do",
    small=Base(crop=PadCrop(0.125), hflip=0.5, vflip=0.5, quarter_turns=0.75),
    large=Base(crop=ResizedCrop(scale_low=0.5), hflip=0.5, vflip=0.5, quarter_turns=0.75, interpolation="bilinear"),
    limits=(
        Limit(
            ("hue>0.1", "albumentations:HueSaturationValue>36"),
            "hue is the stain: haematoxylin's blue for nuclei, eosin's pink for the rest; laboratories differ by less than that",
            "light hue and saturation: Tellez et al. 2019, arXiv 1902.06543, which finds colour augmentation needed as such",
        ),
        Limit(
            ("invert", "solarize", "solarize_add", "posterize<4", "albumentations:ToSepia", "albumentations:RGBShift"),
            "no stain and no scanner gives such colours",
            "this project; RandAugment fitted to stained tissue: Faryna et al. 2021, MIDL (PMLR 143)",
        ),
        Limit(
            ("crop<0.5",),
            "at one magnification the size of nuclei is a finding: enlarged at most 1.4 times",
            "this project",
        ),
    ),
    channels=(3,),
)
