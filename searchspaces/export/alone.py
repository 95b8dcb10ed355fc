"""Runs standalone files in a new Python where policysearch can't be imported: what proves that they stand alone."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np

from searchspaces.arrays import Images
from searchspaces.errors import BadInput
from searchspaces.json_text import one_line
from searchspaces.plan import Plan

_RUN = """
import runpy, sys
import numpy as np


class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("searchspaces", "trials", "policysearch", "dashboards", "jaxtyping", "numba"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hide())
folder = sys.argv[1]
for number in range(int(sys.argv[2])):
    file, given = runpy.run_path(f"{folder}/{number}.py"), np.load(f"{folder}/{number}.npz")
    plan = {name.removeprefix("plan."): given[name] for name in given if name.startswith("plan.")}
    plan = {name: value if value.ndim else value.item() for name, value in plan.items()} | {"seeds": plan.get("seeds")}
    plan["code_book"] = tuple(plan["code_book"].tolist())
    np.save(f"{folder}/{number}.npy", file["carried_out"](given["images"], file["Plan"](**plan)))
"""


@dataclass(frozen=True)
class Case:
    """A standalone file's text, with images and a plan for it to carry out."""

    text: str
    images: Images
    plan: Plan


def carried_out_alone(cases: Sequence[Case]) -> list[Images]:
    """What each file makes of its images. BadInput tells the last line of what went wrong."""
    with tempfile.TemporaryDirectory() as folder:
        for number, case in enumerate(cases):
            Path(folder, f"{number}.py").write_text(case.text, encoding="utf-8")
            np.savez(Path(folder, f"{number}.npz"), allow_pickle=False, **_arrays(case))
        command = [sys.executable, "-P", "-c", _RUN, folder, str(len(cases))]
        ran = subprocess.run(command, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            last = ran.stderr.strip().rpartition("\n")[2]
            raise BadInput(f"standalone file: it does not run ({one_line(last)}); this is a defect of ours")
        return [np.load(Path(folder, f"{number}.npy")) for number in range(len(cases))]


def _arrays(case: Case) -> dict[str, np.ndarray]:
    """The images, and the plan field by field; None is left out."""
    plan = {field.name: getattr(case.plan, field.name) for field in fields(case.plan)}
    return {"images": case.images} | {f"plan.{name}": np.asarray(value) for name, value in plan.items() if value is not None}
