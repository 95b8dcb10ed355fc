"""`--to torchvision`: a Python file with a `transform` for torchvision pipelines, which is ours and needs policysearch."""

from pprint import pformat

from searchspaces.export.exporter import Exporter
from searchspaces.policy_json import PolicyFile, policy_file_text, policy_file_to_dict
from searchspaces.words import policy_in_words

_FILE = '''"""An image-augmentation policy for torchvision pipelines: put `transform` among theirs, before ToDtype and Normalize.

{words}

It takes PIL images (L and RGB) and uint8 tensors, (C, H, W) or a batch of them with a draw for each image. Its randomness is
that of torch's default generator, as with torchvision's own transforms. Needs: pip install policysearch
"""

from searchspaces.export.loading import loaded_policy

POLICY_FILE = {content}

transform = loaded_policy(POLICY_FILE).to_torchvision()
'''


def text(file: PolicyFile) -> str:
    """The Python file. Everything that comes from the policy file stands in it as a literal."""
    policy_file_text(file)  # refuses what could not be read again
    content = pformat(policy_file_to_dict(file), width=120, compact=True, sort_dicts=False)
    return _FILE.format(words=policy_in_words(file.policy), content=content)


EXPORTER = Exporter(
    name="torchvision",
    summary="a Python file with a transform for PIL images and uint8 tensors, to compose with torchvision's v2 ones",
    text=text,
    loaded_with="import runpy; transform = runpy.run_path({path})['transform']",
)
