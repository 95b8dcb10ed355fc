"""What a study's results depend on, as JSON values: its identity, the name that is made of it, and what sets two apart.

How much is run, and where, is no part of it. What came later is named only where it is wished for, so that older studies stay
themselves. Refuses a study of the same name with another identity, naming the wishes that differ.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from searchspaces.errors import StudyMismatch
from searchspaces.json_text import canonical_json, one_line

if TYPE_CHECKING:
    from policysearch.ledger import StudyRecord
    from policysearch.setting import Setting
    from policysearch.study import Study
    from searchspaces.domains import Domain
    from trials.data import Prepared

OBJECTIVE = "validation error of the last epoch"
# What a recipe owes to the machine the study began on, not to a wish: no part of a study's name, and kept when the study goes on.
MACHINE_PARTS = ("precision", "channels_last", "device")
SPACE_FILES = (".yaml", ".yml")
LONGEST_SPACE = 40  # letters of a study's made-up name
MOST_DIFFERENCES = 3


def identity_of(study: "Study", prepared: "Prepared | None", setting: "Setting") -> dict[str, Any]:
    """All that the study's results depend on; without what a study of one's own trainer lacks."""
    from searchspaces.policy_json import digest

    limits = study.limits("photos" if prepared is None else prepared.domain)
    identity = {
        "epochs": study.epochs,
        "sampler": study.sampler,
        "seed": study.seed,
        "objective": setting.objective or OBJECTIVE,
        **({"limits": limits.to_dict()} if limits.cut else {}),
        "space": setting.space.to_dict(),
        "baselines": {label: digest(policy) for label, policy in setting.baselines.items()},
    }
    if prepared is None:
        identity["image"] = {"channels": study.channels or 3, "domain": limits.domain.name}
    else:
        identity |= _of_images(study, prepared, limits.domain)
    if setting.objective is None:
        identity["recipe"] = setting.recipe.to_dict()
        identity["trim"] = study.trim
    if study.early_stopping is not None:
        identity["early_stopping"] = setting.early_stopping.to_dict()
    return identity


def _of_images(study: "Study", prepared: "Prepared", domain: "Domain") -> dict[str, Any]:
    """What of the identity the images bring."""
    sides = {name: getattr(prepared, name) for name in ("channels", "height", "width")}
    return {
        "splits": dict(prepared.counts),
        "fingerprints": dict(prepared.fingerprints),
        "image": sides | {"domain": domain.name},
        "data": {"name": prepared.name, "fingerprint": prepared.fingerprint},
        "groups": study.groups,
        "duplicates": study.duplicates,
        "test": prepared.heldout_fingerprint,
        **({} if study.levels is None else {"levels": study.levels}),
    }


def study_name(study: "Study", identity: Mapping[str, Any], data_name: str) -> str:
    """The study's name: the wished one, or data-space-8 hex of the identity (without what the machine decided)."""
    if study.name is not None:
        return study.name
    named = dict(identity)
    if "recipe" in named:
        of_machine = {*MACHINE_PARTS} - {*study.fixed_parts}
        named["recipe"] = {part: value for part, value in named["recipe"].items() if part not in of_machine}
    fingerprint = hashlib.sha256(canonical_json(named).encode()).hexdigest()[:8]
    wish = study.space_wish if isinstance(study.space_wish, str) else str(identity["space"]["name"])
    space = re.sub(r"[^A-Za-z0-9+]+", "-", Path(wish).stem if wish.endswith(SPACE_FILES) else wish)[:LONGEST_SPACE]
    return f"{data_name}-{space}-{fingerprint}"


def check_same(record: "StudyRecord", identity: Mapping[str, Any]) -> None:
    """Raise StudyMismatch, naming the wishes that differ, unless the recorded study is the one wished for."""
    differences = list(_differences("", record.identity, identity))
    if not differences:
        return
    more = f"; {len(differences) - MOST_DIFFERENCES} more differ" if len(differences) > MOST_DIFFERENCES else ""
    named = "; ".join(f"{name} was {_short(old)}, now {_short(new)}" for name, old, new in differences[:MOST_DIFFERENCES])
    cure = "repeat the old wishes, or give another name"
    raise StudyMismatch(f"study {record.name!r}: exists with other wishes: {named}{more}; {cure}")


def _differences(name: str, old: Any, new: Any) -> Iterator[tuple[str, Any, Any]]:
    """Name, old and new value of all that differs, in the order of the new identity."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys((*new, *old)):
            yield from _differences(f"{name} {key}".strip(), old.get(key), new.get(key))
    elif canonical_json(old) != canonical_json(new):
        yield name, old, new


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else canonical_json(value)
    return one_line(text[:12] if len(text) == 64 else text, 60)
