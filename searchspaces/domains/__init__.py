"""The table of domains: what every module of this package, and of those that other packages name, declares as `DOMAIN`.

A new domain is one new file here, or one in a package of its own. Refuses a name declared twice.
"""

from searchspaces.domains.domain import Domain, Limit
from searchspaces.registry import Door, looked_up, table

__all__ = ["Domain", "Limit", "domain_table", "find_domain"]

DOOR = Door("policysearch.domains", "DOMAIN", "domain", "searchspaces.domains", Domain)


def find_domain(name: str) -> Domain:
    """The domain of this name. BadInput with the known names where there is none."""
    return looked_up(DOOR, name, table(DOOR)).item


def domain_table() -> tuple[Domain, ...]:
    """All domains, sorted by name."""
    return tuple(found.item for found in table(DOOR).values())
