"""Policy files as their users meet them: load one, then ask for a transform. Needs neither ray, mlflow nor optuna."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.plan import Plan
from searchspaces.policy import Policy
from searchspaces.policy_json import PolicyFile, policy_file_from_dict
from searchspaces.zoo import read_source

if TYPE_CHECKING:
    from searchspaces.export.albumentations import PolicyTransform as AlbumentationsTransform
    from searchspaces.export.collating import MixingCollate
    from searchspaces.export.torchvision import PolicyTransform


@dataclass(frozen=True)
class LoadedPolicy:
    """A policy, where it comes from, and the ways to use it."""

    policy: Policy
    provenance: Mapping[str, Any]

    def to_torchvision(self) -> "PolicyTransform":
        """A transform for PIL images and uint8 tensors that does what was searched; it composes with torchvision's v2 ones."""
        from searchspaces.export.torchvision import to_torchvision

        return to_torchvision(PolicyFile(self.policy, self.provenance))

    def to_albumentations(self) -> "AlbumentationsTransform":
        """A transform for uint8 numpy images that does what was searched, inside `A.Compose` or alone.

        BadInput where Albumentations is not installed.
        """
        try:
            from searchspaces.export.albumentations import to_albumentations
        except ModuleNotFoundError as missing:
            if missing.name != "albumentations":
                raise
            raise BadInput('albumentations: it is not installed; install it with: pip install "policysearch[search]"') from None
        return to_albumentations(PolicyFile(self.policy, self.provenance))

    def written(self, form: str, standalone: bool = False) -> str:
        """What `policysearch export --to FORM` writes: the policy as the text of a file for another library.

        BadInput where there is no such form, or it can't do exactly what the policy says.
        """
        from searchspaces.export import find_exporter

        return find_exporter(form).write(PolicyFile(self.policy, self.provenance), standalone)

    def collate(self, classes: int) -> "MixingCollate":
        """The `collate_fn` for a DataLoader that mixes images and labels as the policy's batch part says (mixup, CutMix).

        Labels are whole, 0 to `classes` - 1, and come out as shares of each class; images have to be floats.
        """
        from searchspaces.export.collating import MixingCollate

        return MixingCollate(self.policy.batch, classes)


def load_policy(path: Path | str) -> LoadedPolicy:
    """The policy in a file, or a published one by "zoo:NAME". BadInput names the file, the field and what is allowed there."""
    file = read_source(path)
    return LoadedPolicy(file.policy, file.provenance)


def loaded_policy(content: Mapping[str, Any]) -> LoadedPolicy:
    """The policy in the content of a policy file, as exported Python files hold it."""
    file = policy_file_from_dict(content)
    return LoadedPolicy(file.policy, file.provenance)


def carried_out_by_us(file: PolicyFile, images: Images, plans: Sequence[Plan]) -> list[Images]:
    """What our own transforms make of images by these plans: they use the engine that a search uses."""
    import torch

    from searchspaces.engines import apply

    return [apply(torch.from_numpy(images), plan).numpy() for plan in plans]
