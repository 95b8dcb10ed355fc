"""What an exporter is: a form that policies can be written in, for one other library. It searches and trains nothing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.plan import Plan
from searchspaces.policy_json import PolicyFile

Writer = Callable[[PolicyFile], str]
CarryOut = Callable[[PolicyFile, Images, Sequence[Plan]], list[Images]]


@dataclass(frozen=True)
class Exporter:
    """An entry of the exporter table.

    `name` is what `policysearch export --to` takes, `summary` one line for people. `text(file)` is the whole content of the
    exported file; it raises BadInput where the library can't do exactly what the policy says, and names what it can't.
    `loaded_with` is a line of Python that uses the file, with {path} where its path goes as a literal.

    `standalone(file)` is a file in Python that does the same without policysearch, used as `standalone_loaded_with` says; None
    where there is no such form. It defines `Plan` and `carried_out(images, plan)`, which `export --parity` asks.

    `carried_out(file, images, plans)` gives what the exported form makes of the images by each plan, for `export --parity`; None
    where it can't be asked. The two `computed_by` say whose code works out the pixels. `collates` says that the file of a policy
    that mixes batches has `collate(classes)`.
    """

    name: str
    summary: str
    text: Writer
    loaded_with: str
    standalone: Writer | None = None
    standalone_loaded_with: str = ""
    carried_out: CarryOut | None = None
    computed_by: str = "policysearch"
    standalone_computed_by: str = ""
    collates: bool = False

    def write(self, file: PolicyFile, standalone: bool = False) -> str:
        """The content of the exported file, or of the standalone one; BadInput where it can't be made."""
        if not standalone:
            return self.text(file)
        if self.standalone is None:
            raise BadInput(f"form {self.name!r}: it has no standalone file; leave standalone out, or choose another form")
        return self.standalone(file)
