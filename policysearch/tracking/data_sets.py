"""A study's images as MLflow shall name them: an input of its runs, told by name, digest, shape and counts.

No pixel and no path leaves the ledger: whoever reads the store sees which images, not where they are.
"""

import json
from dataclasses import dataclass

from policysearch.ledger import StudyRecord

DIGEST_LETTERS = 16  # MLflow takes 36; its page shows them all
SPLITS = ("train", "val", "select", "test")


@dataclass(frozen=True)
class DataSet:
    """An input of a run. `digest` is the beginning of the data's fingerprint; the other texts are JSON, as MLflow wants them."""

    name: str
    digest: str
    source: str
    schema: str
    profile: str


def data_name(study: StudyRecord) -> str:
    """The name of the study's data set, or of the trainer that brings its own."""
    return str(study.identity["data"]["name"] if "data" in study.identity else study.identity["objective"])


def data_set(study: StudyRecord) -> DataSet | None:
    """The images that the study's trials are trained and scored on; None where a trainer of the user's brings its own."""
    if "data" not in study.identity:
        return None
    identity, fingerprint = study.identity, str(study.identity["data"]["fingerprint"])
    image = identity.get("image", {})
    counts = {f"{name}_images": identity["splits"][name] for name in SPLITS if identity.get("splits", {}).get(name)}
    return DataSet(
        name=data_name(study),
        digest=fingerprint[:DIGEST_LETTERS],
        source=json.dumps({"name": data_name(study), "fingerprint": fingerprint, "splits": identity.get("fingerprints", {})}),
        schema=json.dumps({"mlflow_tensorspec": {"features": _tensor(image), "targets": None}}),
        profile=json.dumps({"num_rows": sum(counts.values()), **counts}),
    )


def _tensor(image: dict[str, int]) -> str:
    """The images of a batch: uint8, any number of them, channels, height, width."""
    shape = [-1, *(int(image.get(side, -1)) for side in ("channels", "height", "width"))]
    return json.dumps([{"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": shape}}])
