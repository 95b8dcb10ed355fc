"""`--to albumentations`: an `A.Compose` with the policy as its one transform, as `A.load` reads it."""

from searchspaces.export.exporter import Exporter
from searchspaces.export.loading import LoadedPolicy
from searchspaces.policy_json import PolicyFile


def text(file: PolicyFile) -> str:
    """The saved pipeline. BadInput where Albumentations is not installed."""
    transform = LoadedPolicy(file.policy, file.provenance).to_albumentations()
    from searchspaces.export.albumentations import pipeline_text

    return pipeline_text(transform)


EXPORTER = Exporter(
    name="albumentations",
    summary="an A.Compose as albumentations.load(FILE) reads it",
    text=text,
    # Albumentations knows the transform only once its module has been imported.
    loaded_with="import albumentations, searchspaces.export.albumentations; transform = albumentations.load({path})",
)
