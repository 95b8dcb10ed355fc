"""A process that searches on a Ray cluster with imagined trials: `python ray_searcher.py JSON`; what came of it is one line.

Notes are written to the file `notes` in its directory as they come.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from ray_fixture import ImaginedTasks, packed  # noqa: E402

from policysearch.drivers import Event  # noqa: E402
from policysearch.drivers.ray_tune import RayDriver  # noqa: E402
from policysearch.ledger import Ledger  # noqa: E402
from searchspaces.errors import PolicysearchError  # noqa: E402


def main(wishes: dict[str, object]) -> None:
    directory = Path(str(wishes["directory"]))
    weights = directory / "study" / "weights"
    weights.mkdir(parents=True, exist_ok=True)
    ledger = Ledger.open(str(wishes["ledger"]))
    data = wishes.get("data")
    source = ImaginedTasks(ledger, int(str(wishes["count"])), data, weights, float(str(wishes.get("seconds", 0.0))))  # type: ignore[arg-type]
    notes, error = list[str](), None

    def hear(event: Event) -> None:
        if event.kind == "note":
            notes.append(event.text)
            with (directory / "notes").open("a") as file:
                file.write(f"{event.text}\n")

    try:
        workers = wishes.get("workers")
        share = float(str(wishes.get("gpus", 0.0)))
        driver = RayDriver(int(str(workers)) if workers else None, str(wishes["address"]), share, packed(directory / "witness"))
        driver.run(source, hear)
    except PolicysearchError as refusal:
        error = str(refusal)
    told = {"error": error, "notes": notes, "starts": source.starts, "ends": source.ends, "without": source.without_result}
    print(json.dumps(told))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
