"""The contenders of overhead.py, each a search in a process of its own, over the same space at random, with the same trial.

    python benchmarks/overhead_contenders.py NAME DIRECTORY [--workers 1] [--trials 60]

The trial does nothing for $BENCHMARK_SECONDS and stamps its first and last moment into $BENCHMARK_STAMPS. Each contender is
written as its users would write it; nothing is imported before it is needed, because start-up counts too.
"""

import argparse
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SPACE = "photometric"
STAMPS, SECONDS = "BENCHMARK_STAMPS", "BENCHMARK_SECONDS"


def trial() -> tuple[int, int]:
    """One trial: images wrong of a hundred."""
    first = time.monotonic()
    time.sleep(float(os.environ[SECONDS]))
    line = f"{os.getpid()} {first} {time.monotonic()}\n"
    handle = os.open(os.environ[STAMPS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(handle, line.encode())
    os.close(handle)
    return 10, 100


def optuna_in_memory(directory: Path, workers: int, trials: int) -> None:
    """Plain Optuna: ask and tell."""
    import optuna

    from searchspaces import spaces

    distributions = spaces.photometric().to_optuna()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(trials):
        asked = study.ask(distributions)
        wrong, total = trial()
        study.tell(asked, wrong / total)


def optuna_in_sqlite(directory: Path, workers: int, trials: int) -> None:
    """Plain Optuna: optimize, with its tables in SQLite."""
    import optuna

    from searchspaces import spaces

    space = spaces.photometric()

    def objective(asked: Any) -> float:
        space.suggest(asked)
        wrong, total = trial()
        return wrong / total

    storage = f"sqlite:///{directory / 'optuna.db'}"
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0), storage=storage)
    study.optimize(objective, n_trials=trials)


def ray_tune(directory: Path, workers: int, trials: int) -> None:
    """Plain Ray Tune: a function, reused actors, random search, its default loggers."""
    import ray
    from ray import tune

    from searchspaces import spaces

    def trainable(config: dict[str, Any]) -> None:
        wrong, total = trial()
        tune.report({"error": wrong / total})

    here: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": logging.ERROR}
    ray.init(num_cpus=workers, object_store_memory=128 * 1024**2, **here)
    tune.Tuner(
        trainable,
        param_space=spaces.photometric().to_ray(),
        tune_config=tune.TuneConfig(metric="error", mode="min", num_samples=trials, reuse_actors=True),
        run_config=tune.RunConfig(name="search", storage_path=str(directory), verbose=0),
    ).fit()
    ray.shutdown()


def ray_tune_quiet(directory: Path, workers: int, trials: int) -> None:
    """Plain Ray Tune without the files that its loggers write."""
    os.environ["TUNE_DISABLE_AUTO_CALLBACK_LOGGERS"] = "1"
    ray_tune(directory, workers, trials)


def local_driver(directory: Path, workers: int, trials: int) -> None:
    """Ours, with its local driver, the ledger in SQLite."""
    _study(directory, workers, trials, "local")


def ray_driver(directory: Path, workers: int, trials: int) -> None:
    """Ours, with its Ray driver, the ledger in SQLite."""
    _study(directory, workers, trials, "ray")


def _study(directory: Path, workers: int, trials: int, driver: str) -> None:
    from policysearch import Study

    def objective(context: Any) -> tuple[int, int]:
        return trial()

    wishes: Any = {
        "name": "overhead",
        "home": directory,
        "driver": driver,
        "workers": workers,
        "calibrate": False,
        "finalists": 0,
    }
    study = Study(objective=objective, space=SPACE, sampler="random", **wishes)
    study.run(trials=trials)


CONTENDERS: dict[str, Callable[[Path, int, int], None]] = {
    "optuna-memory": optuna_in_memory,
    "optuna-sqlite": optuna_in_sqlite,
    "ray-tune": ray_tune,
    "ray-tune-quiet": ray_tune_quiet,
    "local": local_driver,
    "ray": ray_driver,
}


def main() -> None:
    """Search with one of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=CONTENDERS)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trials", type=int, default=60)
    options = parser.parse_args()
    CONTENDERS[options.name](options.directory, options.workers, options.trials)


if __name__ == "__main__":
    main()
