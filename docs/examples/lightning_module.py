"""A LightningModule, searched; the policy augments each training batch. Run it as it is: python lightning_module.py"""

import logging

import lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from policysearch import Study


class Net(lightning.LightningModule):
    """A small net that augments its training batches and counts its validation errors."""

    def __init__(self, context):
        super().__init__()
        self.context = context
        self.model = nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 64), nn.ReLU(), nn.Linear(64, 10))
        self.right = []

    def training_step(self, batch, number):
        """Augment, then learn."""
        images, labels = batch
        return nn.functional.cross_entropy(self.model(self.context.augment(images) / 255), labels)

    def on_validation_epoch_start(self):
        """Count anew."""
        self.right = []

    def validation_step(self, batch, number):
        """One bool for each image."""
        images, labels = batch
        self.right += (self.model(images / 255).argmax(1) == labels).tolist()

    def on_validation_epoch_end(self):
        """Say how far it is."""
        self.context.report(self.current_epoch + 1, wrong=self.right.count(False), total=len(self.right))

    def configure_optimizers(self):
        """Annealed to the end of the budget."""
        optimizer = torch.optim.AdamW(self.parameters(), lr=2e-3)
        return [optimizer], [torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, self.context.budget_epochs)]


def loader(split, shuffle):
    """The images as uint8, which is what the policy takes."""
    return DataLoader(TensorDataset(torch.tensor(split.images), torch.tensor(split.labels)), batch_size=32, shuffle=shuffle)


def train(context):
    """One trial."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(context.seed, verbose=False)
    net = Net(context)
    trainer = lightning.Trainer(
        max_epochs=context.budget_epochs,
        default_root_dir=context.directory,  # checkpoints of this trial; a second attempt finds them there
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
    )
    trainer.fit(net, loader(context.data.train, shuffle=True), loader(context.data.val, shuffle=False))
    return net.right


# A sketch: so few epochs tell no policies apart. For a result leave the sketch out: then the budget is checked, and the best
# policies and baselines are trained again with fresh seeds.
sketch = {"calibrate": False, "finalists": 0}
study = Study("sample", objective=train, space="trivialaugment", epochs=2, train_images=400, val_images=200, **sketch)
outcome = study.run(trials=2)
score = outcome.winner.result.score
print(f"best of {len(outcome.trials)}: {outcome.winner.label}, {score.wrong} of {score.total} wrong")
