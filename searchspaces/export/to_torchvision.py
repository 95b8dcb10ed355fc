"""`--to torchvision`: a Python file with a `transform` for torchvision pipelines. It needs policysearch; the standalone one holds
our code instead.
"""

from dataclasses import replace
from pprint import pformat
from textwrap import fill

from searchspaces.export.collecting import Collection
from searchspaces.export.exporter import Exporter
from searchspaces.export.loading import carried_out_by_us
from searchspaces.export.searched import searched_at
from searchspaces.export.standalone import WIDTH, Kind, standalone_text
from searchspaces.policy_json import PolicyFile, policy_file_text, policy_file_to_dict
from searchspaces.words import policy_in_words

_ENDING = '''
def carried_out(images, plan):
    """New images, uint8 arrays (images, channels, height, width): what the plan's rows say was done to each."""
    return {apply}(torch.from_numpy(images), plan).numpy()


transform = {transform}(POLICY, searched_at={searched_at!r})
'''.strip()
_COLLATE = '''

def collate(classes):
    """The collate_fn of a DataLoader, for images of so many classes."""
    return {made}
'''
_LOADED_WITH = "import runpy; transform = runpy.run_path({path})['transform']"
_USE = """Put `transform` among a pipeline's transforms, before ToDtype and Normalize. It takes PIL images (L and RGB) and uint8
tensors, (C, H, W) or a batch of them with a draw for each image. Its randomness is that of torch's default generator, as
with torchvision's own transforms."""
_MIXING = """

Mixing is a matter of batches: give `collate(classes)` to the DataLoader as its collate_fn. Images have to be floats by
then (Normalize comes first), and labels come out as shares of each class."""
_FILE = '''"""An image-augmentation policy for torchvision pipelines; needs policysearch (pip install policysearch).

{words}

{use}
"""

from searchspaces.export.loading import loaded_policy

POLICY_FILE = {content}

transform = loaded_policy(POLICY_FILE).to_torchvision()
'''


def text(file: PolicyFile) -> str:
    """The Python file. Everything that comes from the policy file stands in it as a literal."""
    policy_file_text(file)  # refuses what could not be read again
    content = pformat(policy_file_to_dict(file), width=WIDTH, compact=True, sort_dicts=False)
    written = _FILE.format(use=_use(file), words=fill(policy_in_words(file.policy), WIDTH), content=content)
    return written + (_COLLATE.format(made="loaded_policy(POLICY_FILE).collate(classes)") if file.policy.batch.mixes else "")


def _use(file: PolicyFile) -> str:
    return _USE + (_MIXING if file.policy.batch.mixes else "")


def standalone(file: PolicyFile) -> str:
    """The Python file that needs torch and torchvision only."""
    return standalone_text(file, replace(STANDALONE, use=_use(file)))


def _collect(collection: Collection) -> None:
    # The grouped engine stands for whichever a search used: all give the same pixels, and this one needs torch alone.
    apply = collection.add("searchspaces.engines.grouped", "apply")
    collection.stand_in("searchspaces.engines", "apply", apply)
    collection.add("searchspaces.export.torchvision", "PolicyTransform")


def _ending(file: PolicyFile, collection: Collection) -> str:
    transform = collection.add("searchspaces.export.torchvision", "PolicyTransform")
    apply = collection.add("searchspaces.engines.grouped", "apply")
    ending = _ENDING.format(transform=transform, searched_at=searched_at(file), apply=apply)
    if not file.policy.batch.mixes:
        return ending
    collate = collection.add("searchspaces.export.collating", "MixingCollate")
    return ending + "\n" + _COLLATE.format(made=f"{collate}(POLICY.batch, classes)").rstrip()


STANDALONE = Kind(
    title="An image-augmentation policy for torchvision pipelines; needs torch and torchvision, and nothing else.",
    use=_USE,
    libraries=frozenset({"torch", "torchvision", "numpy", "PIL"}),  # torchvision brings the last two
    collect=_collect,
    kernel="kernel",
    ending=_ending,
)
EXPORTER = Exporter(
    name="torchvision",
    summary="a Python file with a transform for PIL images and uint8 tensors, to compose with torchvision's v2 ones",
    text=text,
    loaded_with=_LOADED_WITH,
    standalone=standalone,
    standalone_loaded_with=_LOADED_WITH,
    carried_out=carried_out_by_us,
    standalone_computed_by="the file, in torch",
    collates=True,
)
