"""How a GPU's failure is known, by what torch says of it. Memory that runs out is none: the process can go on after that.

After any other the process is lost: a kernel that has failed leaves a context in which every later call fails too.
"""

GPU_FAILED = ("CUDA error", "CUDNN_STATUS_", "CUBLAS_STATUS_", "NCCL Error", "NCCL error")
_NO_MEMORY = ("out of memory", "_ALLOC_FAILED")


def is_gpu_failure(text: str) -> bool:
    """Whether the text of an error, or the reason of a failed trial, tells of one."""
    return any(words in text for words in GPU_FAILED) and not any(words in text for words in _NO_MEMORY)
