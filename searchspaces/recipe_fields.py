"""The table of a recipe's fields: unit, range, whether a space may search it, what it means and where it comes from.

The command line, space files, `policysearch recipes` and docs/recipes.md go by it; the defaults are those of
`trials.values.Recipe`.
Refuses values outside their range, by name.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import pairwise
from typing import Literal, TypeAlias

from searchspaces.errors import BadInput
from searchspaces.json_text import shown

Setting: TypeAlias = str | int | float | bool
Kind = Literal["real", "whole", "word", "switch"]
SEPARATOR = "/"
"""Between the shares of `step_milestones`, as between choices on the command line."""


@dataclass(frozen=True)
class RecipeField:
    """A field of a recipe. `low` and `high` are included; `choices` are a word's, () where any word may be tried (`words`
    then says what kind).

    `searched` where a space may search it. `needs` is a field and the value of it without which this one changes nothing.
    """

    name: str
    kind: Kind
    meaning: str
    unit: str = ""
    low: float = -math.inf
    high: float = math.inf
    choices: tuple[str, ...] = ()
    searched: bool = False
    needs: tuple[str, str] | None = None
    words: str = "a name"

    @property
    def allowed(self) -> str:
        """What may be given, in words."""
        if self.kind == "switch":
            return "true, false"
        if self.kind == "word":
            return ", ".join(self.choices) or self.words
        return f"{'a whole number' if self.kind == 'whole' else 'a number'} from {self.low:g} to {self.high:g}"

    def checked(self, value: object) -> Setting:
        """The value as a recipe has it. BadInput where it is none of the field's."""
        if self.kind == "switch" and isinstance(value, bool):
            return value
        if self.kind == "word" and isinstance(value, str) and (not self.choices or value in self.choices):
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and self.low <= value <= self.high:
            if self.kind == "real":
                return float(value)
            if self.kind == "whole" and isinstance(value, int):
                return value
        closest = get_close_matches(value, self.choices, n=1) if isinstance(value, str) else []
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        quoted = "; write a number without quotes" if self.kind in ("real", "whole") and _is_number(value) else ""
        raise BadInput(f"{self.name}: {shown(value)}; {hint}allowed is {self.allowed}{quoted}")


def _is_number(value: object) -> bool:
    """Whether a text is a number."""
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


FIELDS: tuple[RecipeField, ...] = (
    RecipeField("model", "word", "the net, by its name (--model; docs/models.md)"),
    RecipeField(
        "batch_images",
        "whole",
        "images of an optimiser's step, at most (batches are alike to within one)",
        unit="images",
        low=2,
        high=65536,
    ),
    RecipeField(
        "batch_parts",
        "whole",
        "gradient accumulation: in how many parts, one after the other, a batch goes through the net before the optimiser's step",
        unit="parts",
        low=1,
        high=1024,
    ),
    RecipeField(
        "processes",
        "whole",
        "over how many GPUs of a machine (on a CPU: processes) one training is shared out (docs/hardware.md)",
        unit="processes",
        low=1,
        high=64,
    ),
    RecipeField(
        "optimiser",
        "word",
        "sgd: Nesterov momentum (Sutskever et al. 2013), decay as an L2 penalty; adamw: Adam with decoupled decay"
        " (Loshchilov and Hutter 2017, arXiv 1711.05101)",
        choices=("sgd", "adamw"),
        searched=True,
    ),
    RecipeField(
        "peak_learning_rate",
        "real",
        "the schedule's highest rate",
        "",
        1e-6,
        100.0,
        (),
        True,
    ),
    RecipeField("momentum", "real", "sgd's momentum; adamw's beta 1", low=0.0, high=0.999, searched=True),
    RecipeField(
        "adamw_beta2",
        "real",
        "adamw's decay of the mean of squares; its epsilon is 1e-8",
        low=0.0,
        high=0.99999,
        searched=True,
        needs=("optimiser", "adamw"),
    ),
    RecipeField(
        "weight_decay",
        "real",
        "sgd: the L2 penalty's factor; adamw: times the rate, what a step takes off a weight. For kernels and matrices, not for"
        " biases and the scales of norms",
        low=0.0,
        high=1.0,
        searched=True,
    ),
    RecipeField(
        "gradient_clip",
        "real",
        "the longest that all gradients together may be (L2 norm; longer ones are shortened); 0: any",
        low=0.0,
        high=1e6,
        searched=True,
    ),
    RecipeField(
        "schedule",
        "word",
        "how the rate falls after the warm-up: one-cycle: straight to zero (Smith and Topin 2017, arXiv 1708.07120); cosine: half"
        " a cosine to zero (Loshchilov and Hutter 2016, arXiv 1608.03983); step: by a factor at milestones (He et al. 2015, arXiv"
        " 1512.03385)",
        choices=("one-cycle", "cosine", "step"),
        searched=True,
    ),
    RecipeField(
        "warmup_fraction",
        "real",
        "warm-up: the share of all steps over which the rate rises, straight, to its peak",
        unit="of the steps",
        low=0.0,
        high=0.9,
        searched=True,
    ),
    RecipeField(
        "step_milestones",
        "word",
        "where the rate of the step schedule falls: shares of all steps, ascending, with / between",
        words="shares between 0 and 1, ascending",
        unit="of the steps",
    ),
    RecipeField(
        "step_factor",
        "real",
        "what the rate is multiplied by at each milestone",
        low=0.0001,
        high=1.0,
        searched=True,
        needs=("schedule", "step"),
    ),
    RecipeField(
        "label_smoothing",
        "real",
        "the share of a label that all classes have alike (Szegedy et al. 2015, arXiv 1512.00567)",
        unit="of the label",
        low=0.0,
        high=0.99,
        searched=True,
    ),
    RecipeField(
        "dropout",
        "real",
        "how likely each input of the net's last linear layer is left out of a training step (Srivastava et al. 2014)",
        unit="probability",
        low=0.0,
        high=0.95,
        searched=True,
    ),
    RecipeField(
        "ema_decay",
        "real",
        "what is scored and kept is a running mean of the weights, of which a step leaves this share (0: the weights themselves)",
        unit="a step",
        low=0.0,
        high=0.99999,
        searched=True,
    ),
    RecipeField(
        "patience_epochs",
        "whole",
        "early stopping: a trial of the search ends after so many epochs without a lower validation error; 0: never",
        unit="epochs",
        low=0,
        high=100_000,
    ),
    RecipeField(
        "precision",
        "word",
        "what the net computes in: float32, or bfloat16 by autocast, with weights in float32",
        choices=("float32", "bfloat16"),
    ),
    RecipeField("channels_last", "switch", "the memory format: an image's channels beside one another"),
    RecipeField("device", "word", "where it trains", choices=("cpu", "cuda")),
    RecipeField("views", "word", "test-time augmentation of the last epoch's score (--views; docs/views.md)", searched=True),
    RecipeField("weights", "word", "what the net starts from: a file, or torchvision's (--weights; docs/models.md)"),
    RecipeField("weights_sha256", "word", "which weights those are: their SHA-256, in hex (by itself, with --weights)"),
    RecipeField(
        "frozen_stages",
        "whole",
        "fine-tuning: how many stages of the net, from the images on, stay as they were, batch norms' statistics too"
        " (policysearch models NAME lists them)",
        unit="stages",
        low=0,
        high=1000,
    ),
    RecipeField(
        "trunk_learning_rate_factor",
        "real",
        "fine-tuning: the rate of all but the head, as a factor of the schedule's",
        low=1e-6,
        high=1.0,
        searched=True,
    ),
)

USUAL: Mapping[str, Mapping[str, float]] = {
    "sgd": {"peak_learning_rate": 0.2, "weight_decay": 3e-3},
    "adamw": {"peak_learning_rate": 2e-3, "weight_decay": 0.05},
}
"""What an optimiser has where nothing is wished: a rate that suits one diverges or does nothing with another."""


def find_field(name: object) -> RecipeField:
    """The field of that name. BadInput with those there are."""
    names = [field.name for field in FIELDS]
    if name not in names:
        closest = get_close_matches(name, names, n=1) if isinstance(name, str) else []
        hint = f"did you mean {closest[0]!r}? " if closest else ""
        raise BadInput(f"unknown field {shown(name)}; {hint}allowed are {', '.join(names)}")
    return FIELDS[names.index(str(name))]


def milestones(text: str) -> tuple[float, ...]:
    """The shares of all steps after which the step schedule's rate falls; BadInput unless they ascend between 0 and 1."""
    try:
        shares = tuple(float(part) for part in text.split(SEPARATOR))
    except ValueError:
        shares = ()
    ends = (0.0, *shares, 1.0)
    if not shares or not all(one < other for one, other in pairwise(ends)):
        raise BadInput(f"step_milestones: {shown(text)}; allowed are shares between 0 and 1, ascending, such as 0.5/0.75")
    return shares
