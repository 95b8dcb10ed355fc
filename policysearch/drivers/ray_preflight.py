"""Before the first trial: every node of a cluster is asked whether it can take part. Refuses the search, in one line that names
the node, what differs and the cure, rather than let trials find out.
"""

import time
from collections.abc import Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from policysearch.drivers.ray_node import Common, one_writer, survey
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line

ANSWER_SECONDS = 90.0  # a node under load takes long to start its first worker


def only_host(ledger_url: str, host: str) -> str | None:
    """The one machine that may write the ledger; None where any may. BadInput when the cluster has others."""
    if not ledger_url.startswith("sqlite"):
        return None
    places = {(node["NodeManagerHostname"], node["NodeManagerAddress"]) for node in alive()}
    hosts = sorted({name for name, _ in places} | {host})
    if len(places) > 1 or len(hosts) > 1:
        raise BadInput(one_writer(tuple(hosts if len(hosts) > 1 else sorted(f"{name} ({ip})" for name, ip in places))))
    return host


def require_fit_nodes(common: Common, ledger_url: str, data: Mapping[str, str] | None) -> None:
    """Ask every node; BadInput for the first that can't take part."""
    asked = {node["NodeID"]: (node, _asked(node["NodeID"], common, ledger_url, data)) for node in alive()}
    give_up_at = time.monotonic() + ANSWER_SECONDS
    for node, answer in asked.values():
        refusal = _answer(answer, give_up_at)
        if refusal is not None and node["NodeID"] in {still["NodeID"] for still in alive()}:
            raise BadInput(f"node {node['NodeManagerHostname']} ({node['NodeManagerAddress']}): {refusal}")


def _asked(node_id: str, common: Common, ledger_url: str, data: Mapping[str, str] | None) -> Any:
    place = NodeAffinitySchedulingStrategy(node_id, soft=False)
    task = ray.remote(survey).options(num_cpus=0, max_retries=1, scheduling_strategy=place)
    return task.remote(common, ledger_url, data)


def _answer(answer: Any, give_up_at: float) -> str | None:
    try:
        found: str | None = ray.get(answer, timeout=max(1.0, give_up_at - time.monotonic()))
        return found
    except ray.exceptions.GetTimeoutError:
        return f"gave no answer in {ANSWER_SECONDS:.0f} s; see that it runs, or take it out of the cluster"
    except Exception as error:
        text = str(error)
        if "No module named" in text:
            missing = text.partition("No module named")[2].split()[0].strip("'\"")
            return f"{missing.partition('.')[0]} is not installed there; install the same versions on every node"
        return one_line(text.strip().splitlines()[-1], 300)


def alive() -> list[dict[str, Any]]:
    """The nodes of the cluster, as Ray describes them."""
    return [node for node in ray.nodes() if node["Alive"]]
