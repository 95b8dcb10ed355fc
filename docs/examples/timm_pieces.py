"""A timm model with timm's optimizer, schedule and loss, searched. Run it as it is: python timm_pieces.py"""

import timm
import torch
from timm.loss import SoftTargetCrossEntropy
from timm.optim import create_optimizer_v2
from timm.scheduler import create_scheduler_v2
from torch.utils.data import DataLoader, Dataset

from policysearch import Study


class Augmented(Dataset):
    """Training images as the policy makes them. In a loader's workers each draws for itself, and anew in each epoch."""

    def __init__(self, context):
        self.context, self.split = context, context.data.train

    def __len__(self):
        return len(self.split.labels)

    def __getitem__(self, place):
        image = torch.tensor(self.split.images[place : place + 1])
        return self.context.augment(image)[0] / 255, int(self.split.labels[place])


def train(context):
    """One trial."""
    torch.manual_seed(context.seed)
    model = timm.create_model("test_resnet", in_chans=1, num_classes=len(context.data.train.classes))
    optimizer = create_optimizer_v2(model, opt="adamw", lr=3e-3, weight_decay=0.05)
    schedule, epochs = create_scheduler_v2(optimizer, sched="cosine", num_epochs=context.budget_epochs)
    # Mixup and CutMix, where the policy has them, are for whole batches; labels come out as shares of each class.
    mixing = context.collate(classes=len(context.data.train.classes))
    loader = DataLoader(Augmented(context), batch_size=32, shuffle=True, num_workers=1, collate_fn=mixing)
    for epoch in range(epochs):
        model.train()
        for images, shares in loader:
            loss = SoftTargetCrossEntropy()(model(images), shares)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        schedule.step(epoch + 1)
        right = validate(model, context.data.val)
        context.report(epoch + 1, wrong=int((~right).sum()), total=len(right), train_loss=loss.item())
    return right


def validate(model, split):
    """One bool for each validation image."""
    model.eval()
    with torch.no_grad():
        return model(torch.tensor(split.images) / 255).argmax(1) == torch.tensor(split.labels)


# A sketch: so few epochs tell no policies apart. For a result leave the sketch out: then the budget is checked, and the best
# policies and baselines are trained again with fresh seeds.
sketch = {"calibrate": False, "finalists": 0}
study = Study("sample", objective=train, space="photometric", epochs=1, train_images=200, val_images=100, **sketch)
outcome = study.run(trials=2)
score = outcome.winner.result.score
print(f"best of {len(outcome.trials)}: {outcome.winner.label}, {score.wrong} of {score.total} wrong")
