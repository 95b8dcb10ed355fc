"""A mark for functions that an op's fused kernel is made of: how they are to be compiled. Declares no op, and needs no numba.

A function without the mark is compiled as if it said `@compiled()`.
"""

from collections.abc import Callable
from typing import Any, TypeVar

_Function = TypeVar("_Function", bound=Callable[..., Any])
_MARK = "__contracts__"


def compiled(*, contract: bool = False) -> Callable[[_Function], _Function]:
    """Mark a function; it stays the plain Python function that it is.

    With `contract` the compiler may join a product and the sum it goes into, `a * b + c`, to one fused multiply-add of one
    rounding, as torch's CPU kernels do, and on a CPU that has the instruction it does; else both are rounded, always. A product
    that must be rounded by itself inside such a function is one that a function without the mark returns.
    """

    def mark(function: _Function) -> _Function:
        setattr(function, _MARK, contract)
        return function

    return mark


def contracts(function: Callable[..., Any]) -> bool:
    """Whether the function is marked with `contract`."""
    return bool(getattr(function, _MARK, False))
