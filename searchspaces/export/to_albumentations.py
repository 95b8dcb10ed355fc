"""`--to albumentations`: an `A.Compose` with the policy as its one transform, as `A.load` reads it. The standalone form is a
Python file with a transform that needs Albumentations alone: our ops, in numpy.
"""

from searchspaces.export.collecting import Collection
from searchspaces.export.exporter import Exporter
from searchspaces.export.loading import LoadedPolicy
from searchspaces.export.searched import searched_at
from searchspaces.export.standalone import Kind, standalone_text
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


def text(file: PolicyFile) -> str:
    """The saved pipeline. BadInput where Albumentations is not installed."""
    transform = LoadedPolicy(file.policy, file.provenance).to_albumentations()
    from searchspaces.export.albumentations import pipeline_text

    return pipeline_text(transform)


def standalone(file: PolicyFile) -> str:
    """The Python file that needs Albumentations only. BadInput where that is not installed, or an op has no numpy form."""
    LoadedPolicy(file.policy, file.provenance).to_albumentations()
    return standalone_text(file, STANDALONE)


def _collect(collection: Collection) -> None:
    collection.add(_HOME, "DrawingTransform")


def _ending(file: PolicyFile, collection: Collection) -> str:
    transform = collection.add(_HOME, "DrawingTransform")
    apply = collection.add("searchspaces.export.in_numpy", "apply_in_numpy")
    return _ENDING.format(transform=transform, searched_at=searched_at(file), apply=apply)


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
    standalone_loaded_with="import runpy; transform = runpy.run_path({path})['transform']",
)
