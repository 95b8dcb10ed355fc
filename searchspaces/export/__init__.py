"""Policies as other libraries use them. The exporter table: what every module of this package, and of those that other packages
name, declares as `EXPORTER`; a new form is one new file here, or one in a package of its own.
"""

from searchspaces.export.exporter import Exporter
from searchspaces.registry import Door, looked_up, table

__all__ = ["Exporter", "exporter_table", "find_exporter"]

DOOR = Door("policysearch.exporters", "EXPORTER", "form", "searchspaces.export", Exporter)


def find_exporter(name: str) -> Exporter:
    """The exporter called `name`. Raises BadInput with the known names where there is none."""
    return looked_up(DOOR, name, table(DOOR)).item


def exporter_table() -> tuple[Exporter, ...]:
    """All exporters, sorted by name."""
    return tuple(found.item for found in table(DOOR).values())
