"""`--to json`: the policy file itself, from which every other form can be made again."""

from searchspaces.export.exporter import Exporter
from searchspaces.export.loading import carried_out_by_us
from searchspaces.policy_json import PolicyFile, policy_file_text


def text(file: PolicyFile) -> str:
    """The policy file."""
    return policy_file_text(file)


EXPORTER = Exporter(
    name="json",
    summary="for policysearch.load_policy(FILE), then .to_torchvision() or .to_albumentations()",
    text=text,
    loaded_with="policysearch.load_policy({path}).to_torchvision()",
    carried_out=carried_out_by_us,
)
