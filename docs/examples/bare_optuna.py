"""A space inside an Optuna objective of your own: no study of policysearch, no ledger. Run it as it is: python bare_optuna.py"""

import numpy as np
import optuna
import torch
from torch import nn

from searchspaces import spaces
from searchspaces.draw import draw
from searchspaces.engines import apply
from searchspaces.policy_json import write_policy_file
from trials.data.source import SAMPLE

ARRAYS = np.load(SAMPLE)  # Fashion-MNIST, 28 x 28, as it ships with policysearch
SPACE = spaces.joint("randaugment", "photometric", channels=1)  # a level exists only where its family is chosen


def objective(trial):
    """The share of validation images that a net trained with the suggested policy gets wrong."""
    policy = SPACE.suggest(trial)
    generator = np.random.default_rng(trial.number)
    torch.manual_seed(0)
    images, labels = (torch.tensor(ARRAYS[name][:400]) for name in ("train_images", "train_labels"))
    images = images[:, None]
    model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
    for batch in torch.randperm(len(images)).split(32):
        plan = draw(policy, tuple(images[batch].shape), generator)  # all that is random; `apply` only carries it out
        loss = nn.functional.cross_entropy(model(apply(images[batch], plan) / 255), labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    right = model(torch.tensor(ARRAYS["val_images"]) / 255).argmax(1) == torch.tensor(ARRAYS["val_labels"])
    return 1 - right.float().mean().item()


optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=0))
study.optimize(objective, n_trials=3)
print(f"best of {len(study.trials)}: {study.best_params}, {100 * study.best_value:.1f} % wrong")
write_policy_file("optuna_policy.json", SPACE.decode(study.best_params), {})
print("its policy: optuna_policy.json")
