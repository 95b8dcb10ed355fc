"""A search as one would write it with Ray Tune and OptunaSearch alone, restored as Ray's guide says; kill_loop_plain.py kills it.

    python benchmarks/plain_search.py DIRECTORY --mode memory|sqlite [--trials 24]

The trial sleeps for 0.25 s and has a known error. It writes to the witness, a file of its own, when it starts, when it is
finished (with fsync, before it reports), and once Ray has taken the report. At the end the result grid is written to
DIRECTORY/outcome.json; what an exception says that ends the search goes to DIRECTORY/error.txt.
"""

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import optuna
import ray
from ray import tune
from ray.tune.search.optuna import OptunaSearch
from witness import TRIAL_SECONDS, bear_witness

NAME = "search"


def known_error(rate: float, strength: float) -> float:
    """The error of a policy; the best is at 0.6 and 0.3."""
    return 0.1 + 0.3 * (rate - 0.6) ** 2 + 0.2 * (strength - 0.3) ** 2


def trial(config: dict[str, Any]) -> None:
    """The trainable."""
    bear_witness("started", key_of(config))
    time.sleep(TRIAL_SECONDS)
    bear_witness("finished", key_of(config), sync=True)
    tune.report({"error": known_error(config["rate"], config["strength"])})
    bear_witness("acknowledged", key_of(config))


def key_of(config: dict[str, Any]) -> str:
    """What tells a trial from the others: Tune may give the same point another name."""
    return f"{config['rate']!r} {config['strength']!r}"


def search(directory: Path, storage: str, trials: int) -> dict[str, Any]:
    """Begin, or restore what is there; returns when all trials are over."""
    experiment, database = directory / NAME, optuna_url(directory)
    if tune.Tuner.can_restore(str(experiment)):
        tuner = tune.Tuner.restore(str(experiment), trainable=trial, resume_errored=True)
    else:
        kept = optuna.storages.RDBStorage(database) if storage == "sqlite" else None
        tuner = tune.Tuner(
            trial,
            param_space={"rate": tune.uniform(0, 1), "strength": tune.uniform(0, 1)},
            tune_config=tune.TuneConfig(
                metric="error",
                mode="min",
                search_alg=OptunaSearch(storage=kept, study_name=NAME),
                num_samples=trials,
                max_concurrent_trials=2,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(name=NAME, storage_path=str(directory), verbose=0),
        )
    grid = tuner.fit()
    found = [grid[place] for place in range(len(grid))]
    return {"grid": [key_of(one.config) for one in found if one.config and one.metrics], "failed": grid.num_errors}


def optuna_url(directory: Path) -> str:
    """Where Optuna keeps its study."""
    return f"sqlite:///{directory / 'optuna.db'}"


def optuna_states(directory: Path) -> Counter[str]:
    """How many trials of Optuna's database are in which state."""
    if not (directory / "optuna.db").exists():
        return Counter()
    try:
        study = optuna.load_study(study_name=NAME, storage=optuna_url(directory))
    except KeyError:  # killed before there was one
        return Counter()
    return Counter(trial.state.name for trial in study.trials)


def main() -> None:
    """Search, and write what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--mode", choices=("memory", "sqlite"), required=True)
    parser.add_argument("--trials", type=int, default=24)
    options = parser.parse_args()
    here: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    ray.init(num_cpus=2, object_store_memory=128 * 1024**2, _temp_dir=os.environ.get("BENCHMARK_RAY"), **here)
    try:
        outcome = search(options.directory, options.mode, options.trials)
    except Exception as error:
        (options.directory / "error.txt").write_text(str(error).strip().splitlines()[-1])  # Tune's message is a traceback as text
        ray.shutdown()
        sys.exit(1)
    (options.directory / "outcome.json").write_text(json.dumps(outcome))
    ray.shutdown()


if __name__ == "__main__":
    main()
