"""What a domain is: a kind of images, the plain geometry that is safe for it, and what would change what its images mean.

Holds values; `searchspaces.limiting` puts them to work. Refuses nothing itself: a test holds every domain to its own rules.
"""

from dataclasses import dataclass

from searchspaces.policy import Base

LARGE_PIXELS = 128
"""From this shorter side on images get a domain's large base."""


@dataclass(frozen=True)
class Limit:
    """What a domain forbids, as `--forbid` takes it (`rotate>30`), the reason in a few words, and where that comes from."""

    forbids: tuple[str, ...]
    reason: str
    source: str


@dataclass(frozen=True)
class Domain:
    """An entry of the table. `summary` is one line for people.

    `small` is what every image meets, whatever the policy, below `LARGE_PIXELS` on the shorter side, `large` from there on: a
    padded crop moves large images by too little. `limits` hold for searched policies and baselines alike. `channels` are the
    numbers of channels that are usual; others are trained on too, and said. None: any.
    """

    name: str
    summary: str
    small: Base
    large: Base
    limits: tuple[Limit, ...] = ()
    channels: tuple[int, ...] | None = None

    def base(self, height: int | None = None, width: int | None = None) -> Base:
        """The base of images of this size (pixels); of unknown size, the small one."""
        return self.large if min(height or 0, width or 0) >= LARGE_PIXELS else self.small
