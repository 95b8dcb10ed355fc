"""The local driver: a few worker processes on this machine, kept from trial to trial, fed over pipes (`crew`).

No worker outlives `run`.
"""

import os

from policysearch.drivers import Listener, TaskSource
from policysearch.drivers.crew import Crew


class LocalDriver:
    """Runs tasks in `workers` processes; `gpus` are the devices they share out in turn, as CUDA_VISIBLE_DEVICES names them.

    `objective` is run in place of trainings: packed text, as `policysearch.packing` makes it.
    """

    def __init__(self, workers: int, gpus: tuple[str, ...] = (), objective: str | None = None) -> None:
        self.workers = workers
        self.gpus = gpus
        self.objective = objective

    def run(self, source: TaskSource, listener: Listener) -> None:
        """As `Driver.run` says. Raises PolicysearchError when workers can't even start, or can't reach the ledger."""
        crew = Crew(source, listener, self.workers, self.gpus, self.objective)
        try:
            crew.work()
        finally:
            crew.dismiss()


def visible_gpus() -> tuple[str, ...]:
    """The GPUs of this process, as CUDA_VISIBLE_DEVICES names them."""
    import torch

    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return tuple(named.split(",")) if named else tuple(str(place) for place in range(torch.cuda.device_count()))
