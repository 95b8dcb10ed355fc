"""A space as the param_space of a Ray Tune run of your own, without policysearch's driver: python bare_ray_tune.py"""

from pathlib import Path

import ray
import torch
from ray import tune
from torch import nn

from searchspaces import spaces
from searchspaces.words import policy_in_words


def trainable(config):
    """Train with the policy of this config, and report the share of validation images wrong."""
    import numpy as np

    from searchspaces.draw import draw
    from searchspaces.engines import apply
    from trials.data.source import SAMPLE

    policy = spaces.randaugment(channels=1).decode(config)
    generator, arrays = np.random.default_rng(0), np.load(SAMPLE)
    torch.manual_seed(0)
    images, labels = torch.tensor(arrays["train_images"][:400])[:, None], torch.tensor(arrays["train_labels"][:400])
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for batch in torch.randperm(len(images)).split(32):
        pixels = apply(images[batch], draw(policy, tuple(images[batch].shape), generator)) / 255
        loss = nn.functional.cross_entropy(model(pixels), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = model(torch.tensor(arrays["val_images"]) / 255).argmax(1) == torch.tensor(arrays["val_labels"])
    tune.report({"error": 1 - right.float().mean().item()})


ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
tuner = tune.Tuner(
    trainable,
    param_space=spaces.randaugment(channels=1).to_ray(),
    tune_config=tune.TuneConfig(metric="error", mode="min", num_samples=2),
    run_config=tune.RunConfig(verbose=0, storage_path=str(Path("ray_results").absolute())),
)
best = tuner.fit().get_best_result()
print(f"best: {best.config}, {100 * best.metrics['error']:.1f} % wrong")
print(policy_in_words(spaces.randaugment(channels=1).decode(best.config)))
