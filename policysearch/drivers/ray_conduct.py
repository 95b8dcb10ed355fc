"""A search on a cluster that is there, from the depot to the last trial: on the driver's node, or in a task on the head for a
driver outside of the cluster.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from policysearch.drivers.ray_depot import Depot
from policysearch.drivers.ray_node import Common
from policysearch.drivers.ray_preflight import only_host, require_fit_nodes
from policysearch.drivers.ray_tune_trials import Ends, fit
from searchspaces.errors import BadInput


@dataclass(frozen=True)
class Plan:
    """What a driver wishes. `host` and `versions` are its own; `mark` is a directory beside the study's weights that it has made;
    `data` is the tasks' (None: they have none).
    """

    ledger_url: str
    data: Mapping[str, str] | None
    weights_directory: str | None
    mark: str
    host: str
    versions: Mapping[str, str]
    workers: int | None
    gpus_per_trial: float
    objective: str | None


def places(workers: int | None, gpus_per_trial: float) -> int:
    """How many trials the cluster runs at once: as many as are wished, else one a core, where there are GPUs enough."""
    resources: dict[str, float] = ray.cluster_resources()
    cores, gpus = int(resources.get("CPU", 1)), resources.get("GPU", 0.0)
    if gpus_per_trial and gpus < gpus_per_trial:
        raise BadInput(f"gpus_per_trial {gpus_per_trial:g}: the Ray cluster has {gpus:g} GPUs; start nodes that have some")
    room = int(gpus / gpus_per_trial + 1e-9) if gpus_per_trial else cores
    return max(1, workers or min(cores, room))


def conduct(conversation: Ends, plan: Plan, data_directory: str | None, directory: str) -> None:
    """Ask all nodes, then run the conversation to its end.

    `data_directory` is where this node has the data, `directory` is for Tune's own files.
    """
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    depot = ray.remote(Depot).options(num_cpus=0, scheduling_strategy=here, max_concurrency=8)
    handle: Any = depot.remote(data_directory, plan.weights_directory)
    common = Common(plan.versions, only_host(plan.ledger_url, plan.host), plan.mark, handle, plan.objective)
    require_fit_nodes(common, plan.ledger_url, plan.data)
    fit(conversation, common, places(plan.workers, plan.gpus_per_trial), plan.gpus_per_trial, directory)
