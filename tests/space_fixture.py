"""The spaces that every promise about spaces is held against: all families, on colour and on grey images and with each option,
several in one, and from files.
"""

from typing import Any

from searchspaces.families import family_table
from searchspaces.yaml_text import parse_yaml

JOINT = (
    "randaugment,photometric",
    "autoaugment:sub_policies=1,ops=rotate/equalize/shear_x,trivialaugment,randaugment,randaugment:scale=paper",
    "uniformaugment,mixture:shares=kinds,ops=rotate/gamma/invert+geometry",
    "randaugment,trivialaugment",
    "randaugment,photometric+geometry+mixing",
)
FILES = {
    "narrow.yaml": """
space: randaugment,photometric+geometry
parameters:
  randaugment.level: {low: 9, high: 21}
  photometric.gamma.centre: {low: 0.8, high: 1.25, log: true}
  photometric.gamma.probability: 0.5
  photometric.brightness_shift.half_width: {choices: [0, 10, 20.5]}
  geometry.resolution_percent: {low: 60, high: 100, step: 20}
forbid: [hue, vflip, equalize]
recipe:
  peak_learning_rate: {low: 1e-3, high: 1, log: true}
  label_smoothing: {choices: [0, 0.1]}
  weight_decay: 1e-4
""",
    "one_crop.yaml": "{space: randaugment+geometry, parameters: {geometry.crop: resized, geometry.aspect: 1.5, level: 9}}",
    "no_crop.yaml": "{space: geometry, parameters: {geometry.crop: pad}}",
    "grid.yaml": """
space: trivialaugment,autoaugment:sub_policies=1,ops=rotate/invert
parameters:
  autoaugment.sub1.second.op: invert
  autoaugment.sub1.first.probability_tenths: {choices: [0, 5]}
  autoaugment.sub1.second.probability_tenths: 5
  autoaugment.sub1.first.level: {low: 3, high: 9, step: 3}
recipe: {label_smoothing: {choices: [0.0, 0.1]}}
""",
    "views.yaml": """
space: randaugment,trivialaugment
parameters: {randaugment.ops: 1}
recipe: {views: [identity, hflip, mild:4], weight_decay: 1e-4}
""",
    "recipe.yaml": """
space: randaugment+mixing
parameters: {ops: 1, mixing.method: {choices: [none, either]}, mixing.cutout_percent: 0}
recipe:
  adamw_beta2: {choices: [0.99, 0.999]}
  optimiser: [sgd, adamw]
  schedule: cosine
  dropout: {low: 0, high: 0.5}
""",
}

SINGLE: list[tuple[str, int]] = [(family.name, channels) for family in family_table() for channels in (1, 3)] + [
    (f"{family.name}:{option.name}={option.example}", 3) for family in family_table() for option in family.options
]
CASES: dict[str, tuple[str | dict[str, Any], int]] = {
    **{f"{name}-{channels}": (name, channels) for name, channels in SINGLE},
    **{f"{name}-3": (name, 3) for name in JOINT},
    **{name: (parse_yaml(text.encode(), name), 3) for name, text in FILES.items()},
}
