"""A search for RandAugment as one would write it today: Ray Tune, OptunaSearch, torchvision v2 in a DataLoader, float32.

    python benchmarks/whole_search_plain.py ARRAYS.npz DIRECTORY [--trials 11] [--epochs 40] [--loader-workers 0] [--reuse-actors]

Net, optimiser, schedule, batches and images are those of policysearch's own trials, so that what is compared is the way there;
precision and memory format are torch's own. Images are PIL images one by one, as torchvision's data sets give them. The first
policy is RandAugment(2, 9). Each trial appends a line to DIRECTORY/trials: when its first epoch began, when each epoch ended
(seconds since the epoch of Unix), and how many validation images it got wrong. whole_search.py runs it.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path
from typing import Any

import numpy as np
import ray
import torch
from PIL import Image
from ray import tune
from ray.tune.search.optuna import OptunaSearch
from torch import nn
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from trials.models import build_model
from trials.recipes import default_recipe
from trials.schedule import learning_rate

SPACE = {"num_ops": tune.randint(1, 4), "magnitude": tune.randint(0, 31)}
FIRST = {"num_ops": 2, "magnitude": 9}


class Pictures(Dataset[tuple[torch.Tensor, int]]):
    """Images of an array as torchvision's CIFAR10 gives them: PIL, then transformed."""

    def __init__(self, images: np.ndarray, labels: np.ndarray, transform: v2.Transform) -> None:
        self._images, self._labels, self._transform = images.transpose(0, 2, 3, 1), labels, transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self._transform(Image.fromarray(self._images[index])), int(self._labels[index])


def trial(config: dict[str, Any], arrays: dict[str, np.ndarray], wishes: argparse.Namespace) -> None:
    """The trainable: a whole training, an epoch at a time."""
    recipe = default_recipe("cpu")
    train, val = loaders(config, arrays, wishes.loader_workers, recipe.batch_images)
    model = build_model("small", 3, 10, torch.Generator().manual_seed(0))
    optimiser = make_optimiser(model, recipe)
    stamps, steps, step = [time.time()], wishes.epochs * len(train), 0
    for _ in range(wishes.epochs):
        model.train()
        for images, labels in train:
            rate = learning_rate(step, steps, recipe)
            for group in optimiser.param_groups:
                group["lr"] = rate
            loss = nn.functional.cross_entropy(model(images), labels, label_smoothing=recipe.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimiser.step()
            step += 1
        wrong = count_wrong(model, val)
        stamps.append(time.time())
        tune.report({"error": wrong / len(arrays["val_labels"])})
    line = json.dumps({"config": config, "stamps": stamps, "wrong": wrong, "total": len(arrays["val_labels"])})
    with (wishes.directory / "trials").open("a") as file:
        file.write(line + "\n")


def loaders(config: dict[str, Any], arrays: dict[str, np.ndarray], workers: int, batch_images: int) -> tuple[Any, Any]:
    """Loaders of the training and of the validation images."""
    plain = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(arrays["mean"].tolist(), arrays["std"].tolist())]
    policy = [v2.RandomCrop(32, padding=4), v2.RandomHorizontalFlip(), v2.RandAugment(config["num_ops"], config["magnitude"])]
    kept: dict[str, Any] = {"num_workers": workers, "persistent_workers": workers > 0}
    train = Pictures(arrays["train_images"], arrays["train_labels"], v2.Compose([*policy, *plain]))
    val = Pictures(arrays["val_images"], arrays["val_labels"], v2.Compose(plain))
    return DataLoader(train, batch_images, shuffle=True, **kept), DataLoader(val, 500, **kept)


def make_optimiser(model: nn.Module, recipe: Any) -> torch.optim.SGD:
    """SGD as the trials of policysearch have it."""
    kernels = [parameter for parameter in model.parameters() if parameter.ndim > 1]
    others = [parameter for parameter in model.parameters() if parameter.ndim <= 1]
    groups = [{"params": kernels, "weight_decay": recipe.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.SGD(groups, lr=recipe.peak_learning_rate, momentum=recipe.momentum, nesterov=True)


@torch.no_grad()
def count_wrong(model: nn.Module, val: Any) -> int:
    """Validation images taken for another class."""
    model.eval()
    return sum(int((model(images).argmax(1) != labels).sum()) for images, labels in val)


def main() -> None:
    """Search, and leave DIRECTORY/trials."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("arrays", type=Path)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--trials", type=int, default=11)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--loader-workers", type=int, default=0)
    parser.add_argument("--reuse-actors", action="store_true")
    wishes = parser.parse_args()
    wishes.directory = wishes.directory.resolve()
    with np.load(wishes.arrays) as file:
        arrays = dict(file)
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    search = OptunaSearch(points_to_evaluate=[FIRST])
    tuner = tune.Tuner(
        tune.with_parameters(trial, arrays=arrays, wishes=wishes),
        param_space=SPACE,
        tune_config=tune.TuneConfig(
            metric="error",
            mode="min",
            search_alg=search,
            num_samples=wishes.trials,
            max_concurrent_trials=2,
            reuse_actors=wishes.reuse_actors,
        ),
        run_config=tune.RunConfig(name="search", storage_path=str(wishes.directory), verbose=0),
    )
    best = tuner.fit().get_best_result()
    assert best.metrics is not None and math.isfinite(best.metrics["error"])
    ray.shutdown()


if __name__ == "__main__":
    main()
