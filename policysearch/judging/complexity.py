"""How complex a policy and its training are, read from its JSON: what "the simplest" goes by.

The order is `Complexity`'s: free baselines first, then fewer ops an image (crop, flips and quarter turns of the base count as
ops, so that none is simpler than flip+crop, and that than TrivialAugment), fewer different ops, fewer branches, no mixing of
images, fewer changes of the recipe, fewer views.
"""

from collections.abc import Mapping
from typing import Any

from policysearch.judging.values import Complexity
from searchspaces.views import IDENTITY, views_count

_NO_OP = "identity"


def complexity(policy: Mapping[str, Any], overrides: Mapping[str, Any], searched: bool) -> Complexity:
    """Of a policy's JSON, trained with these changes of the recipe."""
    base, branches = policy["base"], policy["branches"]
    weights = sum(branch["weight"] for branch in branches)
    chosen = sum(branch["weight"] * sum(map(_ops, branch["steps"])) for branch in branches) / weights
    names = {choice["op"] for branch in branches for step in branch["steps"] for choice in step["choices"]}
    views = overrides.get("views", IDENTITY)
    return Complexity(
        searched=searched,
        ops_an_image=_base_ops(base) + chosen,
        distinct_ops=len(names - {_NO_OP}),
        branches=len(branches),
        mixes_batches=any(policy.get("batch", {}).values()),
        recipe_changes=sum(name != "views" for name in overrides),
        views=views_count(views) if isinstance(views, str) else 1,
    )


def _ops(step: Mapping[str, Any]) -> float:
    """How many ops an image meets in a step, on average."""
    total = sum(choice["weight"] for choice in step["choices"])
    real = sum(choice["weight"] for choice in step["choices"] if choice["op"] != _NO_OP)
    return float(step["probability"] * real / total)


def _base_ops(base: Mapping[str, Any]) -> float:
    turned = sum(float(base.get(name, 0.0)) for name in ("hflip", "vflip", "quarter_turns"))
    return float(turned + (base["crop"] is not None) + (base.get("resolution", 1.0) != 1.0))
