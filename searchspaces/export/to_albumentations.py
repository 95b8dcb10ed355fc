"""`--to albumentations`: an `A.Compose` with the policy as its one transform, as `A.load` reads it. The standalone form is a
Python file with a transform that needs Albumentations alone: our ops, in numpy.
"""

from collections.abc import Sequence

import numpy as np

from searchspaces.arrays import Images
from searchspaces.export.collecting import Collection
from searchspaces.export.exporter import Exporter
from searchspaces.export.loading import LoadedPolicy
from searchspaces.export.searched import searched_at
from searchspaces.export.standalone import Kind, standalone_text
from searchspaces.plan import Plan
from searchspaces.policy_json import PolicyFile

_HOME = "searchspaces.export.albumentations.drawing"
_ENDING = '''
class PolicyTransform({transform}):
    """The policy above; `A.to_dict` saves where this class is, not the policy."""

    policy = POLICY
    searched_at = {searched_at!r}

    def __init__(self, p=1.0):
        super().__init__(p=p)  # Albumentations' own default is 0.5


def carried_out(images, plan):
    """New images, uint8 arrays (images, channels, height, width): what the plan's rows say was done to each."""
    return {apply}(images, plan)


transform = PolicyTransform()
'''.strip()

_UNMIXED = """
# The policy also mixes the images of a batch, which no transform of one image can: mix the batches that this transform has gone
# into, by the shares in POLICY.batch, or use policysearch's collate function."""


def text(file: PolicyFile) -> str:
    """The saved pipeline. BadInput where Albumentations is not installed."""
    transform = LoadedPolicy(file.policy, file.provenance).to_albumentations()
    from searchspaces.export.albumentations import pipeline_text

    return pipeline_text(transform)


def _carried_out(file: PolicyFile, images: Images, plans: Sequence[Plan]) -> list[Images]:
    """By the transform's own `apply`, one image after the other, as a pipeline and a replay call it."""
    transform = LoadedPolicy(file.policy, file.provenance).to_albumentations()
    from searchspaces.export.albumentations.drawing import plain_row

    def one(image: np.ndarray, plan: Plan, row: int) -> np.ndarray:
        drawn = plain_row(plan.rows(np.array([row])))
        done: np.ndarray = transform.apply(np.ascontiguousarray(image.transpose(1, 2, 0)), drawn)
        return done.transpose(2, 0, 1)

    return [np.stack([one(image, plan, row) for row, image in enumerate(images)]) for plan in plans]


def standalone(file: PolicyFile) -> str:
    """The Python file that needs Albumentations only. BadInput where that is not installed, or an op has no numpy form."""
    LoadedPolicy(file.policy, file.provenance).to_albumentations()
    written = standalone_text(file, STANDALONE)
    jpeg = "jpeg" in file.policy.ops  # the one op that needs more than numpy
    return written.replace("and nothing else", "and Pillow for its op jpeg", 1) if jpeg else written


def _collect(collection: Collection) -> None:
    collection.add(_HOME, "DrawingTransform")


def _ending(file: PolicyFile, collection: Collection) -> str:
    transform = collection.add(_HOME, "DrawingTransform")
    apply = collection.add("searchspaces.export.in_numpy", "apply_in_numpy")
    ending = _ENDING.format(transform=transform, searched_at=searched_at(file), apply=apply)
    return ending + (_UNMIXED if file.policy.batch.mixes else "")


STANDALONE = Kind(
    title="An image-augmentation policy for Albumentations pipelines; needs Albumentations 2.0, and nothing else.",
    use="""Put `transform` in an A.Compose, before A.Normalize. It takes uint8 images (H, W), (H, W, 1) and (H, W, 3).
Its randomness is the pipeline's: A.Compose(..., seed=...) reproduces it.""",
    libraries=frozenset({"albumentations", "numpy", "PIL"}),
    collect=_collect,
    kernel="in_numpy",
    ending=_ending,
)
EXPORTER = Exporter(
    name="albumentations",
    summary="an A.Compose as albumentations.load(FILE) reads it",
    text=text,
    # Albumentations knows the transform only once its module has been imported.
    loaded_with="import albumentations, searchspaces.export.albumentations; transform = albumentations.load({path})",
    standalone=standalone,
    carried_out=_carried_out,
    computed_by="policysearch, inside Albumentations",
    standalone_computed_by="the file, in numpy",
    standalone_loaded_with="import runpy; transform = runpy.run_path({path})['transform']",
)
