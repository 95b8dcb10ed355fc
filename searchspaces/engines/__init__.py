"""Engines carry a plan out. All give the same pixels; which one is quickest depends on the machine."""

from searchspaces.engines.grouped import ENGINE_NAME, apply

__all__ = ["ENGINE_NAME", "apply"]
