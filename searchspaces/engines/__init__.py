"""Engines carry a plan out. All give the same pixels; which one is quickest depends on the machine, and `choosing` knows."""

from searchspaces.engines.choosing import FUSED, GROUPED, apply, engine_name, fused_here
from searchspaces.engines.normalising import apply_normalised

__all__ = ["FUSED", "GROUPED", "apply", "apply_normalised", "engine_name", "fused_here"]
