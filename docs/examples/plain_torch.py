"""A plain torch training loop, searched: which RandAugment trains this net best? Run it as it is: python plain_torch.py"""

import torch
from torch import nn

from policysearch import Study


def train(context):
    """One trial: train with context.policy, and say of each validation image whether it came out right."""
    torch.manual_seed(context.seed)
    images, labels = (torch.tensor(array) for array in (context.data.train.images, context.data.train.labels))
    model = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, stride=2), nn.ReLU(), nn.Conv2d(16, 32, 3, stride=2), nn.ReLU()), nn.Flatten(), nn.LazyLinear(10)
    )
    model(images[:1] / 255)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, context.budget_epochs)
    for epoch in range(1, context.budget_epochs + 1):
        for batch in torch.randperm(len(images)).split(32):
            pixels = context.augment(images[batch]) / 255  # uint8 in, uint8 out; another draw for each image at each call
            loss = nn.functional.cross_entropy(model(pixels), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step()
        right = validate(model, context.data.val)
        context.report(epoch, wrong=int((~right).sum()), total=len(right), train_loss=loss.item())
    return right


def validate(model, split):
    """One bool for each validation image."""
    with torch.no_grad():
        return model(torch.tensor(split.images) / 255).argmax(1) == torch.tensor(split.labels)


# A sketch: so few epochs tell no policies apart. For a result leave the sketch out: then the budget is checked, and the best
# policies and baselines are trained again with fresh seeds.
sketch = {"calibrate": False, "finalists": 0}
study = Study("sample", objective=train, space="randaugment", epochs=2, train_images=400, val_images=200, **sketch)
outcome = study.run(trials=2)
score = outcome.winner.result.score
print(f"best of {len(outcome.trials)}: {outcome.winner.label}, {score.wrong} of {score.total} wrong")
print(f"its policy: {outcome.policy_path}")
