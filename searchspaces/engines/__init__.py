"""Engines carry a plan out. All give the same pixels; which one is quickest depends on the machine, and `choosing` knows."""

from searchspaces.engines.choosing import FUSED, GROUPED, apply, engine_name, fused_here

__all__ = ["FUSED", "GROUPED", "apply", "engine_name", "fused_here"]
