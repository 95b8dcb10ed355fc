"""Why a training failed, in one line for whoever reads the result: memory that ran out, a GPU, a net that can't be repeated.

What is none of these is a defect of ours and no reason.
"""

import torch

from searchspaces.json_text import one_line
from trials.evaluate import NotFinite
from trials.gpu_failures import is_gpu_failure

# How torch says that memory ran out, where it has no error of that kind: its CPU allocator, CUDA itself, cuBLAS and cuDNN, C++.
_NO_MEMORY = ("can't allocate memory", "out of memory", "_ALLOC_FAILED", "bad_alloc")
_NOT_DETERMINISTIC = "does not have a deterministic implementation"  # the kernel's name comes first


def reason_of(failure: Exception) -> str:
    """One line for a failure of training; anything else that escaped as a RuntimeError is a defect and is raised again."""
    if isinstance(failure, NotFinite):
        return str(failure)
    if isinstance(failure, MemoryError | torch.OutOfMemoryError) or any(words in str(failure) for words in _NO_MEMORY):
        return "out of memory; give smaller batches or images"
    if _NOT_DETERMINISTIC in str(failure):
        return f"the net can't be trained on a GPU with the same result each time ({str(failure).split()[0]}); take another model"
    if is_gpu_failure(str(failure)):
        return f"the GPU failed: {one_line(str(failure).splitlines()[0], 200)}"
    raise failure
