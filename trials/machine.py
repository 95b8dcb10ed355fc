"""The machine a trial runs on: what it is, what it can, and how it's made to give the same figures again.

Changes torch's settings only inside `reproducible`, and puts them back.
"""

import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch

from searchspaces.engines.choosing import fused_here
from trials.values import Recipe


def environment(recipe: Recipe) -> dict[str, str]:
    """What the trial runs on, as far as it may change its figures."""
    on_gpu = recipe.device == "cuda"
    return {
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if on_gpu else cpu_name(),
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "threads": str(torch.get_num_threads()),
        "norms": "compiled" if recipe.device == "cpu" and recipe.precision == "bfloat16" and fused_here() else "torch",
    }


@contextmanager
def reproducible(recipe: Recipe) -> Iterator[None]:
    """Inside, the same spec gives the same figures: one CPU thread, deterministic kernels on a GPU. Put back afterwards."""
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    benchmark, filling = torch.backends.cudnn.benchmark, cast(Any, torch.utils.deterministic)
    filled = filling.fill_uninitialized_memory
    torch.set_num_threads(1)
    if recipe.device == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
        # Nothing here reads memory before it is written; to fill all that is taken costs a kernel each time.
        filling.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(deterministic)
        torch.backends.cudnn.benchmark = benchmark
        filling.fill_uninitialized_memory = filled


def cpu_multiplies_bfloat16() -> bool:
    """Whether this CPU has AVX512-BF16 or AMX instructions."""
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def cpu_name() -> str:
    """The processor's name, or its architecture where no name is known."""
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.machine())
